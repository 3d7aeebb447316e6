"""Paintings grouped by how they look, by an autoencoder and a clustering that are learnt together.

Castellano, Vessio: Deep Convolutional Embedding for Digitized Painting Clustering (DCEC-Paint). ICPR 2020.
Guo, Liu, Zhu, Yin: Deep Clustering with Convolutional Autoencoders (DCEC). ICONIP 2017.
West: a working paper that applies DCEC-Paint to 10,505 works sold at auction; the numbers below are its numbers.

Claim: learning the embedding and the clusters jointly gives clusters further apart than k-means on the embedding of the
same autoencoder, and a person who looks at them sees what they have in common.

    python -m reproductions.dcec_paint                             # the embedded atelier, no download, minutes
    python -m reproductions.dcec_paint --gamma 0.9 --k 6           # six clusters
    python -m reproductions.dcec_paint --data FOLDER_OR_CSV        # yours, by a schedule that two cores can pay
    python -m reproductions.dcec_paint --preset paint --data FOLDER_OR_CSV --dry_run     # the paper's: hours for each k
    python -m reproductions.dcec_paint --preset guo                # handwritten digits, whose true clusters are known
    python -m reproductions.dcec_paint predict RUN FOLDER --out assignments.csv

Expected: silhouette and Calinski-Harabasz of DCEC far above k-means in the learned space, because that space was
trained for it; so both are printed in spaces that were not, too.

Departures and readings (`--preset paint` follows the paper, `guo` and `west` the code of theirs):
1. gamma: five statements contradict each other, the codes agree: here gamma weighs the clustering loss,
   L = (1 - gamma) L_r + gamma L_c; Guo's is L_r + gamma L_c (`--convention guo`). L_r is averaged over pixels, L_c
   summed over clusters, both averaged over images.
2. Order of the images: the codes go through the collection as it is sorted, without shuffling (`--order fixed`), which
   in a folder of artists makes batches of one artist. Ours shuffles; `guo` and `west` do not.
3. "SGD" in the texts is Adam at 0.001 in all codes, for both phases.
4. Embedding and output are linear in all codes, where the text says ELU throughout.
5. k-means is seeded. "Pixels" for the baselines are pictures averaged down to at most 32 pixels a side.
6. Calinski-Harabasz has (N - k) / (k - 1); West's formula prints N - 1, his numbers come from code that has N - k.
7. West's gap statistic is R's clusGap on distances; ours is Tibshirani's on squared ones.
8. Weights clustered: the papers take those of the last epoch of pretraining, `demo` and `study` those of the smallest
   loss, because with Adam at 0.001 it can leap within an epoch to many times what it was (`--keep`).
9. MNIST and West's pictures have to be downloaded: `guo` takes scikit-learn's digits, scaled to MNIST's 28 pixels, and
   `west` and `paint` take --data.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.commands import predict
from keras_art.errors import UserError
from keras_art.methods.dcec import kinds
from keras_art.store import runs
from keras_art.study import plan as study_
from reproductions.dcec_paint.study import PAPER, PRESETS, Run, Study, check, collection, runs_of
from reproductions.dcec_paint.tables import print_tables, recovered, table

if TYPE_CHECKING:
    from keras_art.data.sources import Collection

__all__ = ["main", "print_tables", "table"]


def carry_out(study: Study) -> int:
    """Runs what is missing of a study, prints its tables, and says where its pictures are."""
    store = runs.Store(study.store)
    if study.table:
        store.check()
        print_tables(store, study.format, target=study.target)
        return 0
    check(study)
    store.create()
    from keras_art.data import pictures

    found = collection(study, store)
    if study.target and study.target not in found.targets:
        raise UserError(
            f"{found.name} has no label column {study.target!r}; it has {', '.join(found.targets) or 'none'}"
        )
    configs = runs_of(study, pictures.key_of(found))
    estimate = kinds.Estimate(store, Run, {configs[0].collection: len(found.table)})
    if study.dry_run:
        print(study_.plan(store, configs, estimate))
        return 0
    if missing := [run for run in configs if store.metrics(run) is None]:
        terminal.say(study_.plan(store, configs, estimate))
        prepare(study, store, found)
        train(study, store, missing, estimate)
    from keras_art.methods.dcec import page

    page.draw(store, configs, study.target)
    print_tables(store, study.format, configs, study.target)
    if study.target:
        terminal.say(recovered(store, configs, study.target, found.table[study.target].nunique()))
    return 0


def prepare(study: Study, store: runs.Store, found: Collection) -> None:
    """Everything that can go wrong before training does so here: pictures, network, backbone."""
    terminal.start_backend()
    from keras_art.data import pictures
    from keras_art.methods.dcec import clustering

    with terminal.bar(f"reading {found.name} at {study.image_size} pixels", "images") as progress:
        ready = pictures.prepare(store, found, study.image_size, study.resize, progress)
    folder = store.root / "collections" / ready.key
    facts = json.loads((folder / "pictures.json").read_text())
    if facts["quarantined"]:
        terminal.say(f"in quarantine: {facts['quarantined']}, see {folder / 'quarantine.csv'}")
    clustering.check(ready, max(study.k))
    if study.backbone:
        study_.keep_files(store, [study.backbone])
        clustering.load_backbone(store, study_.named(study.backbone), study.preprocessing, study.image_size)


def train(study: Study, store: runs.Store, missing: Sequence[Run], estimate: kinds.Estimate) -> None:
    """Runs what is missing, telling how far the study is, which weights the losses have, and what looks wrong."""
    from keras_art.methods.dcec import clustering, joint

    lambda_r, lambda_c = joint.loss_weights(study.gamma, study.convention)
    terminal.say(
        f"loss = {lambda_r:g} * L_r (squared error, mean over pixels and images) "
        f"+ {lambda_c:g} * L_c (KL divergence, sum over clusters, mean over images)"
    )
    clock = terminal.Clock([estimate.seconds(run) for run in missing])

    def one(run: Run, folder: Path) -> dict[str, Any]:
        words = "autoencoder" if run.mode == "pretraining" else f"k = {run.k}"
        words += f", seed {run.seed}"
        metrics = clustering.carry_out(store, run, folder, lambda line, share: clock.tell(f"{words}: {line}", share))
        clock.next(f"{words}: {summary(run, metrics)}")
        for note in metrics.get("notes", []):
            terminal.say(f"  {words}: {note}")
        return metrics

    runs.execute(store, list(missing), one, lambda run: terminal.say(f"waiting for another process: {run}"))


def summary(run: Run, metrics: dict[str, Any]) -> str:
    """A finished run in a few words."""
    if metrics["status"] == "diverged":
        return "diverged"
    if run.mode == "pretraining":
        gap = f", gap statistic: k = {metrics['gap_k'] or 'none'}" if run.gap_references else ""
        return f"reconstruction {metrics['reconstruction_loss']:.5f}{gap}"
    reason = {"tol": f"fewer than {run.tol:.1%} of labels changed", "max_iterations": "iterations spent"}
    return f"{metrics['steps']} iterations ({reason[metrics['stop']]}), sizes {metrics['sizes']}"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    prog = f"python -m reproductions.{PAPER}"
    if argv[:1] == ["predict"]:
        return predict.main(argv[1:], f"{prog} predict")
    study = terminal.parse(Study, PRESETS, argv, prog=prog, description=__doc__ or "")
    return terminal.guarded(lambda: carry_out(study), prog)
