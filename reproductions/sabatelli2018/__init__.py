"""Off the shelf, fine-tuned or from scratch: ImageNet's networks on museum collections.

Sabatelli, Kestemont, Daelemans, Geurts: Deep Transfer Learning for Art Classification Problems. ECCV VISART 2018.

Claim: networks pretrained on ImageNet recognise material, type and artist of art; fine-tuned they do so far better than
off the shelf, and fine-tuned on one collection they carry over to another better than ImageNet's weights do.

    python -m reproductions.sabatelli2018                       # the embedded atelier, no download
    python -m reproductions.sabatelli2018 --dry_run             # what would run, and what it costs
    python -m reproductions.sabatelli2018 --data FOLDER_OR_CSV --target artist
    python -m reproductions.sabatelli2018 --preset paper --data rijksmuseum --target material
    python -m reproductions.sabatelli2018 --data antwerp --source rijksmuseum --target artist     # Table 3
    python -m reproductions.sabatelli2018 predict RUN FOLDER --out predictions.csv

Departures from the paper (`--preset paper` follows its text, `--preset released` its code, `study` is what we advise):
1. Pixels: the text scales to [0, 1], the code subtracts ImageNet's mean as the networks were trained. study: the code.
2. Frozen batch normalisation: Keras in 2018 used batch statistics in training (`--frozen_bn batch`), Keras 3 the moving
   averages. VGG19, the network without any, won every off-the-shelf column of Table 2. study: moving averages.
3. Fine-tuning: the text says SGD 1e-3 with Nesterov momentum, the code 1e-4 without. study: the text.
4. Weights tested: the text takes those of the smallest validation loss, the code the last ones. study: the text.
5. Split: the code draws 80/10/10 unstratified with seed 42; the text keeps classes present in all three splits, the
   code all. study: the collection's own split, or a stratified one, and the filter.
6. Test accuracy: the code drops the last partial batch and averages batches; here every image counts once, always.
7. The demo leaves VGG19 out: without batch normalisation it learns next to nothing in the minutes a demo has.
8. RMSprop's epsilon stands outside the square root in the Keras of 2018, inside in Keras 3; no value matches exactly.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.commands import predict
from keras_art.store import runs
from keras_art.study import plan as study_
from reproductions.sabatelli2018.figures import draw
from reproductions.sabatelli2018.study import PAPER, PRESETS, Run, Study, check, choices, runs_of
from reproductions.sabatelli2018.tables import print_tables, table

if TYPE_CHECKING:
    from keras_art.data.splits import Choice

__all__ = ["main", "print_tables", "table"]


def carry_out(study: Study) -> int:
    """Runs what is missing of a study, then prints its tables."""
    store = runs.Store(study.store)
    if study.table:
        store.check()
        print_tables(store, study.format, runs_of(study, choices(study, store)) if study.data else None)
        return 0
    check(study)
    store.create()
    chosen = choices(study, store)
    configs = runs_of(study, chosen)
    study_.keep_files(store, [*study.networks, *(item.split("=", 1)[-1] for item in study.weights)])
    estimate = study_.Estimate(store, Run, {choice.key: len(choice.table) for _, choice in chosen.values()})
    if study.dry_run:
        print(study_.plan(store, configs, estimate))
        return 0
    if missing := [config for config in configs if store.metrics(config) is None]:
        terminal.say(study_.plan(store, configs, estimate))
        prepare(study, store, chosen, missing)
        from keras_art.learning import classifier

        study_.carry_out(store, missing, estimate, functools.partial(classifier.carry_out, store))
    study_.draw_once(store, configs, functools.partial(draw, store, configs))
    print_tables(store, study.format, configs)
    return 0


def prepare(study: Study, store: runs.Store, chosen: dict[str, tuple[Any, Choice]], missing: Sequence[Run]) -> None:
    """Everything that can go wrong before training does so here: networks, weights, images, splits."""
    terminal.start_backend()
    from keras_art.data import tasks
    from keras_art.learning import classifier

    built = set()
    for run in missing:
        what = (run.network, run.image_size, run.weights)
        if what not in built and not run.weights.startswith("run:"):
            classifier.load_network(store, run)
            built.add(what)
    for collection, choice in chosen.values():
        for size in sorted({run.image_size for run in missing if run.collection == choice.key}):
            with terminal.bar(f"reading {choice.name} at {size} pixels", "images") as progress:
                tasks.prepare(store, collection, choice, size, study.resize, progress)
        if (store.root / "collections" / choice.key).exists():
            terminal.say(tasks.describe(store, choice.key))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    prog = f"python -m reproductions.{PAPER}"
    if argv[:1] == ["predict"]:
        return predict.main(argv[1:], f"{prog} predict")
    study = terminal.parse(Study, PRESETS, argv, prog=prog, description=__doc__ or "")
    return terminal.guarded(lambda: carry_out(study), prog)
