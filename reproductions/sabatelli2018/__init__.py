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
6. Order: the code never shuffles. Its split has drawn one order for all epochs, its batches are whole ones, and of the
   images left over it sees one (`--order fixed`, which `released` takes). It drops the last partial batch of
   validation and test too, and averages batches; here every image that is tested counts once, always.
7. Networks: the code has ResNet50 and VGG19 alone, and so has `released`. The demo leaves VGG19 out, which without
   batch normalisation learns next to nothing in the minutes a demo has, and Xception, whose depthwise convolutions
   would take half of them on a processor.
8. Labels: the code leaves out " anoniem" and " " alone; here "onbekend" and other words for unknown go too. It joins
   images and rows by their positions; here by name.
9. RMSprop's epsilon stands outside the square root in the Keras of 2018, inside in Keras 3; no value matches exactly.
"""

from __future__ import annotations

from keras_art.commands.machine import Reproduction
from reproductions.sabatelli2018.checks import check
from reproductions.sabatelli2018.figures import draw, draw_series
from reproductions.sabatelli2018.study import PRESETS, Study, collections, files, runs
from reproductions.sabatelli2018.tables import TABLE_1, TABLE_2, TABLE_2_SIZES, TABLE_3, tables_of

REPRODUCTION = Reproduction(
    name="sabatelli2018",
    doc=__doc__,
    study=Study,
    presets=PRESETS,
    check=check,
    collections=collections,
    runs=runs,
    tables=tables_of,
    figures=draw,
    files=files,
    printed=(TABLE_1, TABLE_2, TABLE_2_SIZES, TABLE_3),
    series=draw_series,
    bibtex="""
@inproceedings{sabatelli2018deep,
  author    = {Sabatelli, Matthia and Kestemont, Mike and Daelemans, Walter and Geurts, Pierre},
  title     = {Deep Transfer Learning for Art Classification Problems},
  booktitle = {Computer Vision -- ECCV 2018 Workshops},
  year      = {2018},
}
""",
)
