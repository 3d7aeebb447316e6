"""Lottery tickets of natural images, carried to art.

Sabatelli, Kestemont, Geurts: On the Transferability of Winning Tickets in Non-Natural Image Datasets. VISAPP 2021
(arXiv 2005.05232), and chapter 6 of Sabatelli's thesis, which has the hyperparameters and the figures' numbers.

Claim: networks pruned on natural images, reset to an early state and trained on art beat networks trained on art from
scratch, even with a few per cent of their weights.

    python -m reproductions.sabatelli2021                       # the embedded atelier, no download
    python -m reproductions.sabatelli2021 --dry_run             # what would run, and what it costs
    python -m reproductions.sabatelli2021 --sources CIFAR10 --data PAINTINGS --target artist --more_targets OTHER:LABEL
    python -m reproductions.sabatelli2021 --preset paper --sources cifar10 cifar100 fmnist --data FOLDER --target artist
    python -m keras_art tickets list                            # the tickets found so far, as files

Departures from the paper (`--preset paper` follows its text where it speaks):
1. What is pruned: the draft says the 20% of weights of smallest magnitude, the thesis' formula removes channels of
   each layer, of which 30 rounds would leave none. Here it is weights, of all layers together (`--scope global`).
2. theta_k, k = 2: every stage, the unpruned stage 0 too, is trained from the state after two epochs with a fresh
   optimizer; kernels, biases, gamma, beta and moving statistics go back.
3. The best stage is chosen on validation. The paper's is the best on the test set, printed beside it as such.
4. The network is Keras's ResNet50, with biases in its convolutions and its strides on the first of a block's; batch
   normalisation has the momentum 0.9 of PyTorch. Without a GPU, ResNet20 at 32 pixels.
5. The learning rate falls to a tenth at epochs 50, 60 and 75 of 90, in proportion where `--epochs` is smaller; the
   paper names neither the factor nor the last epoch. The first step behind each of them still has the old rate.
6. Weight decay is a penalty whose gradient goes through the momentum, as in PyTorch.
7. Pixels are scaled to [-1, 1]; the paper does not say. Random crops of 224 are cut from images of 256.
8. The paper's collections are published nowhere, so ours never stand in its tables' rows.
9. Its text says four seeds, its thesis five, its numbers are multiples of 1 / (2 N_test): two. We print our own n.
"""

from __future__ import annotations

from keras_art.commands.machine import Reproduction
from reproductions.sabatelli2021.figures import draw, draw_series
from reproductions.sabatelli2021.study import PRESETS, Study, check, collections, files, runs
from reproductions.sabatelli2021.tables import TABLE_4, TABLE_5, TABLE_6, tables_of

REPRODUCTION = Reproduction(
    name="sabatelli2021",
    doc=__doc__,
    study=Study,
    presets=PRESETS,
    check=check,
    collections=collections,
    runs=runs,
    tables=tables_of,
    figures=draw,
    files=files,
    printed=(TABLE_4, TABLE_5, TABLE_6),
    series=draw_series,
    bibtex="""
@inproceedings{sabatelli2021transferability,
  author    = {Sabatelli, Matthia and Kestemont, Mike and Geurts, Pierre},
  title     = {On the Transferability of Winning Tickets in Non-Natural Image Datasets},
  booktitle = {Proceedings of the 16th International Conference on Computer Vision Theory and Applications (VISAPP)},
  year      = {2021},
  note      = {arXiv:2005.05232},
}
""",
)
