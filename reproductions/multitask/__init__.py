"""Style, artist, or both at once, by a convolutional network or a vision transformer: seven classifiers compared.

A design note for WikiArt describes them; it prints no number, so no cell of ours stands beside one of a paper: ResNet50
and ViT-B/16 with a head for style, for artist, and for both on a shared layer, and ResNet50 with a second branch
that classifies the Gram matrix of its third stage (`gram_style` studies that one alone).

Claim to be looked at: tasks that share a network help each other, and texture statistics help with style.

    python -m reproductions.multitask                                 # the embedded atelier, no download
    python -m reproductions.multitask --data FOLDER_OR_CSV --targets style artist --dry_run
    python -m keras_art curate wikiart --root FOLDER --out curated     # 12 styles of 500 images, 100 artists of 50
    python -m reproductions.multitask --data curated --precision mixed_float16
    python -m reproductions.multitask --data rijksmuseum --targets material type artist --tasks multitask
    python -m reproductions.multitask --data curated --networks resnet --device 0     # and in another terminal:
    python -m reproductions.multitask --data curated --networks vit --device 1
    python -m reproductions.multitask predict runs/multitask/RUN FOLDER --saliency overlays

Where the note is silent, or says two things (the reading taken here, and the flag that moves it):
1. Reduced rate of the end-to-end epochs: not given; a tenth (`--tuned_rate`).
2. Widths of the heads' dense layers: not given; 512 (`--hidden`). The Gram classifier's main branch is 2048-512.
3. Weights of the two cross-entropies: not given; 1:1 (`--task_weights`, or `learned`).
4. Dropout 0.3 to 0.5, for Gram 0.6 "as the other models"; weight decay 1e-4, for Gram 5e-4 "as the other models": both
   pairs differ, so both are kept apart (`--dropout --gram_dropout --weight_decay --gram_weight_decay`).
5. "50/50 fusion" of logits in one place, of predictions in another: logits (`--fusion`).
6. ReduceLROnPlateau without numbers: factor 0.1 as in PyTorch, after 3 epochs; its threshold is relative, as there.
7. Best checkpoint by which score is not said: the smallest validation loss, of all epochs.
8. A frozen batch normalisation takes its moving averages; in PyTorch it would update them unless told otherwise.
9. The demo's vision transformer is ViT-Ti/16 on 48 pixels, from random weights: it shows the way, not the model.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence
from typing import Any

from keras_art import terminal
from keras_art.commands import predict
from keras_art.store import runs
from keras_art.study import plan as study_
from reproductions.multitask.study import PAPER, PRESETS, Run, Study, check, choice, runs_of, weights_files
from reproductions.multitask.tables import print_tables, table

__all__ = ["main", "print_tables", "table"]


def carry_out(study: Study) -> int:
    """Runs what is missing of a study, then draws its comparison page and prints its tables."""
    store = runs.Store(study.store)
    if study.table:
        store.check()
        print_tables(store, study.format)
        return 0
    check(study)
    if study.device >= 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(study.device)  # read by every backend when it starts
    store.create()
    study_.keep_files(store, [*study.networks, *weights_files(study)])
    collection, chosen = choice(study, store)
    configs = runs_of(study, chosen, store)
    estimate = study_.Estimate(store, Run, {chosen.key: len(chosen.table)})
    if study.dry_run:
        print(study_.plan(store, configs, estimate))
        return 0
    if missing := [config for config in configs if store.metrics(config) is None]:
        terminal.say(study_.plan(store, configs, estimate))
        prepare(study, store, collection, chosen, missing)
        from reproductions.multitask import training

        study_.carry_out(store, missing, estimate, functools.partial(training.carry_out, store))
    study_.draw_once(store, configs, functools.partial(draw, store, configs))
    print_tables(store, study.format, configs)
    return 0


def draw(store: runs.Store, configs: Sequence[Run]) -> None:
    """`page.draw`, imported when it is needed."""
    terminal.start_backend()
    from reproductions.multitask import page

    terminal.say(f"the comparison is in {page.draw(store, configs)}")


def prepare(study: Study, store: runs.Store, collection: Any, chosen: Any, missing: Sequence[Run]) -> None:
    """Everything that can go wrong before training does so here: weights, images, splits, labels, the Gram tap."""
    terminal.start_backend()
    from keras_art.data import labels, tasks
    from reproductions.multitask import training

    with terminal.bar(f"reading {chosen.name} at {study.image_size} pixels", "images") as progress:
        ready = tasks.prepare(store, collection, chosen, study.image_size, study.resize, progress)
    found = labels.prepare(store, ready, study.targets)
    terminal.say(f"{tasks.describe(store, chosen.key)}\n{labels.describe(store, chosen.key)}")
    built = set()
    for run in missing:
        what = (run.network, run.weights, run.mode, run.gram_tap, run.gram_channels, run.gram_description)
        if what not in built:
            classes = {task: len(found.classes[task]) for task in run.targets}
            training.build(run, training.load_network(store, run), classes)
            built.add(what)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    prog = f"python -m reproductions.{PAPER}"
    if argv[:1] == ["predict"]:
        return predict.main(argv[1:], f"{prog} predict")
    study = terminal.parse(Study, PRESETS, argv, prog=prog, description=__doc__ or "")
    return terminal.guarded(lambda: carry_out(study), prog)
