"""scikit-learn's digits as a collection of pictures: clusters whose true names are known, without a download."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from keras_art.writing import replacing


def make_digits(folder: Path) -> Path:
    """Writes 1,797 PNGs of 8 x 8 pixels and, last, `labels.csv` (image, digit); a folder that has it is left alone."""
    from sklearn.datasets import load_digits

    table = folder / "labels.csv"
    if table.exists():
        return folder
    (folder / "images").mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    with replacing(table) as part, part.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "digit"])
        for i, (picture, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
            name = f"images/{i:04d}.png"
            Image.fromarray(np.uint8(picture * 255 / 16)).save(folder / name)
            writer.writerow([name, digit])
    return folder
