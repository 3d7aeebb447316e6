"""Style from texture: a second branch that classifies the Gram matrix of ResNet50's third stage.

The seventh classifier of the design note that `multitask` follows. It prints no number. The runs are `multitask`'s, in
the same folder of the store: a baseline that was trained there is not trained again.

Claim to be looked at: feature correlations, which carry style in neural style transfer (Gatys et al. 2016), help to
classify it, most of all where a style is bound to texture.

    python -m reproductions.gram_style                                # the embedded atelier, no download
    python -m reproductions.gram_style --data FOLDER_OR_CSV --seeds 0 1 2
    python -m reproductions.gram_style --data FOLDER_OR_CSV --gram_channels 64 128 --gram_description full triangle
    python -m reproductions.gram_style --data FOLDER_OR_CSV --fusion 0.3 0.5 0.7 --auxiliary 0.3
    python -m reproductions.gram_style --data FOLDER_OR_CSV --split artist_disjoint --targets style

What the matrix costs: G of 512 channels has 262,144 entries, and the dense layer of 512 on it 134,218,240 parameters,
5.7 times ResNet50. G is symmetric, so 131,328 of them say all; and at 224 pixels, 196 positions, its rank is at most
196. So `--gram_description triangle` takes the upper triangle (signed square root, unit length), and 64 or 128 channels
leave 2,080 or 8,256 values. The note's list of things to try is `--fusion 0.3 0.5 0.7`, `--gram_channels 256 512 1024`,
`--gram_tap conv4_block6_out` or `conv5_block3_out`, and losses of each branch's own (`--auxiliary`).

Where the note is silent or says two things: see `reproductions.multitask`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_art import terminal
from keras_art.commands import predict
from keras_art.report.tables import PaperTable, compare, render
from keras_art.store import runs
from reproductions import multitask
from reproductions.multitask.study import PRESETS as SEVEN
from reproductions.multitask.study import Run, Study

if TYPE_CHECKING:
    import pandas as pd

PRESETS = {
    name: dataclasses.replace(preset, targets=("style",), networks=("ResNet50",) if name == "demo" else ("resnet",))
    for name, preset in SEVEN.items()
}
GRAM = PaperTable(
    name="gram",
    source="Gram classifiers (the design note prints no numbers)",
    metric="test accuracy, %",
    text="challenge network",
)


def describe(run: Run) -> str:
    """A Gram run's network and how it describes style: `ResNet50, 512 full, fusion 0.5`."""
    words = f"{run.model_name.split('_gram_')[0]}, {run.gram_channels} {run.gram_description}, fusion {run.fusion:g}"
    words += f", at {run.gram_tap}" if run.gram_tap else ""
    return words + (f", auxiliary {run.auxiliary:g}" if run.auxiliary else "")


def table(store: runs.Store, only: Sequence[Run] | None = None) -> list[tuple[PaperTable, pd.DataFrame]]:
    """Test accuracies of the Gram classifiers in the store, by how they describe style."""
    import pandas as pd

    rows = [
        {
            "challenge": f"{run.collection} {run.target}",
            "network": describe(run),
            "mode": run.mode,
            "value": None if found["test_accuracy"] is None else 100 * found["test_accuracy"],
            "status": found["status"],
            "protocol": "demo" if run.collection.startswith("atelier-") else "study",
            "comparable": False,
            "n_test": found.get(f"test_{run.target}_n"),
            "note": f"{found['parameters']:,} parameters",
        }
        for run, found in store.finished(Run)
        if run.mode == "gram" and (only is None or run in only)
    ]
    return [(GRAM, compare(GRAM, pd.DataFrame(rows)))]


def print_tables(store: runs.Store, format: str, only: Sequence[Run] | None = None) -> None:
    """Prints them."""
    frame = table(store, only)[0][1]
    print(render(frame, format) if format == "csv" else f"{GRAM.source}: {GRAM.metric}\n{render(frame, format)}")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    prog = "python -m reproductions.gram_style"
    if argv[:1] == ["predict"]:
        return predict.main(argv[1:], f"{prog} predict")
    study = terminal.parse(Study, PRESETS, argv, prog=prog, description=__doc__ or "")
    return terminal.guarded(lambda: multitask.carry_out(study), prog)


if __name__ == "__main__":
    sys.exit(main())
