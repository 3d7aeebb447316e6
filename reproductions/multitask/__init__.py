"""Style, artist, or both at once, by a convolutional network or a vision transformer: seven classifiers compared.

A design note for WikiArt describes them; it prints no number, so no cell of ours stands beside one of a paper: ResNet50
and ViT-B/16 with a head for style, for artist, and for both on a shared layer, and ResNet50 with a second branch
that classifies the Gram matrix of its third stage (`gram_style` studies that one alone).

Claim to be looked at: tasks that share a network help each other, and texture statistics help with style.

    python -m reproductions.multitask                                 # the embedded atelier, no download
    python -m reproductions.multitask --data FOLDER_OR_CSV --targets style artist --dry_run
    python -m reproductions.multitask --preset paper --root FOLDER    # WikiArt: 12 styles, 100 artists, to 1970
    python -m reproductions.multitask --data rijksmuseum --targets material type artist --tasks multitask
    python -m reproductions.multitask --preset paper --root FOLDER --networks resnet --devices 0  # in another terminal:
    python -m reproductions.multitask --preset paper --root FOLDER --networks vit --devices 1
    python -m reproductions.multitask predict runs/multitask/RUN FOLDER --saliency overlays

Where the note is silent, or says two things (the reading taken here, and the flag that moves it):
1. "10 to 12" styles and "50 to 100" artists: the 12 and the 100 largest (`--top_styles 10 --top_artists 50` are the
   others), of what WikiArt's file names do not date outside 1400 to 1970 (`--years`; what has no year stays).
2. Reduced rate of the end-to-end epochs: not given; a tenth (`--tuned_rate`).
3. Widths of the heads' dense layers: not given; 512 (`--hidden`). The Gram classifier's main branch is 2048-512.
4. Weights of the two cross-entropies: not given; 1:1 (`--task_weights`, or `learned`).
5. Dropout 0.3 to 0.5, for Gram 0.6 "as the other models"; weight decay 1e-4, for Gram 5e-4 "as the other models": both
   pairs differ, so both are kept apart (`--dropout --gram_dropout --weight_decay --gram_weight_decay`).
6. "50/50 fusion" of logits in one place, of predictions in another: logits (`--fusion`).
7. ReduceLROnPlateau without numbers: factor 0.1 as in PyTorch, after 3 epochs; its threshold is relative, as there.
8. Best checkpoint by which score is not said: the smallest validation loss, of all epochs.
9. A frozen batch normalisation takes its moving averages; in PyTorch it would update them unless told otherwise.
10. The demo's vision transformer is ViT-Ti/16 on 48 pixels, from random weights: it shows the way, not the model.
"""

from __future__ import annotations

from collections.abc import Sequence

from keras_art.commands.machine import Reproduction
from keras_art.report.plates import Plates
from keras_art.store.runs import Store
from reproductions.multitask.kind import MultitaskRun
from reproductions.multitask.study import PRESETS, Study, begin, check, collections, files, runs
from reproductions.multitask.tables import DEFENSE, tables_of


def draw(store: Store, runs: Sequence[MultitaskRun], study: Study, plates: Plates) -> None:
    """The comparison, which needs the backend."""
    from reproductions.multitask import page

    page.draw(store, runs, plates)


REPRODUCTION = Reproduction(
    name="multitask",
    doc=__doc__,
    study=Study,
    presets=PRESETS,
    check=check,
    collections=collections,
    runs=runs,
    tables=tables_of,
    figures=draw,
    files=files,
    begin=begin,
    printed=(DEFENSE,),
)
