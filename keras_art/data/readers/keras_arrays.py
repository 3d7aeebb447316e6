"""CIFAR and Fashion-MNIST: Keras's own loaders, their arrays written out as PNG files, which lose nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from keras_art import terminal
from keras_art.data import cards
from keras_art.data.collection import BadCollection, Collection
from keras_art.data.readers.folders import from_folders
from keras_art.store.leftovers import sweep
from keras_art.writing import beside


def read(card: cards.DatasetCard, folder: Path, need_images: bool) -> Collection:
    """Class folders below `train/` and `test/`: the user's own, or made of what Keras downloads and checks.

    Raises:
        BadCollection: the class folders are not the card's.
        cards.DatasetNotFound: Keras can not download it; the message names the file that it asks for.
    """
    if not (folder / "train").is_dir():
        _write_out(card, folder)
    classes = {path.name for path in (folder / "train").iterdir() if path.is_dir()}
    if different := sorted(classes ^ set(card.options["classes"])):
        raise BadCollection(f"{folder / 'train'} does not hold the classes of {card.name} ({', '.join(different[:5])})")
    return from_folders(folder, card.name, card)


def _write_out(card: cards.DatasetCard, folder: Path) -> None:
    terminal.start_backend()
    import keras
    from PIL import Image

    terminal.say(f"{card.name}: taking Keras's copy apart into {folder}, once")
    try:
        train, test = getattr(keras.datasets, card.options["keras"]).load_data()
    except Exception as error:  # keras raises plain Exception when a download fails
        raise cards.DatasetNotFound(
            f"{card.name} is not here and Keras could not download it ({error}).\n{card.obtain.strip()}"
        ) from error
    sweep(folder.parent, of=folder.name)
    part = beside(folder)
    shutil.rmtree(part, ignore_errors=True)
    classes = card.options["classes"]
    with terminal.bar(f"writing {card.name}", "images") as progress:
        done, total = 0, len(train[0]) + len(test[0])
        for split, (pixels, labels) in {"train": train, "test": test}.items():
            for name in classes:
                (part / split / name).mkdir(parents=True)
            for i, (picture, label) in enumerate(zip(pixels, labels.ravel(), strict=True)):
                Image.fromarray(picture).save(part / split / classes[label] / f"{i:05d}.png", compress_level=1)
                done += 1
                if done % 500 == 0:
                    progress(done, total)
    part.rename(folder)
