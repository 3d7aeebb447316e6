"""A collection's pictures as a frozen backbone or a run sees them: a vector of each, kept in a store by its content.

A store that knows all of the pictures answers without a backend.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.learning.vectors import features_folder, kept_vectors
from keras_art.pictures.decoded import stored_images
from keras_art.store.reading import read_json
from keras_art.store.runs import Store
from keras_art.store.sums import Damaged, hash_of, write_sealed
from keras_art.study.config import Artefact
from keras_art.study.files import artefact, files_kept
from keras_art.study.kinds.classifier import ClassifierRun, label
from keras_art.writing import slug

if TYPE_CHECKING:
    import keras
    import pandas as pd

CHUNK = 1024  # pictures between two savings
ABOUT = {"classes": dict, "image_size": int, "resize": str, "collection": str}


@dataclass(frozen=True)
class Describer:
    """What turns pictures into vectors: a frozen backbone, or a run.

    Attributes:
        name: for people.
        folder: where its vectors are kept.
        image_size: side of the pictures that it is given, in pixels.
        resize: how they became square, a name in `images.RESIZE`.
        classes: task -> the names whose probabilities a run gives, which stand behind its vectors; a backbone's none.
        collection: what a run was trained on, NAME-DIGEST of its own store, "" where nobody knows.
        file: a run's model.
        run: a backbone, as studies name it.
    """

    name: str
    folder: Path
    image_size: int
    resize: str
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    collection: str = ""
    file: Path | None = None
    run: ClassifierRun | None = None

    def model(self, store: Store) -> keras.Model:
        """Pixels (batch, image_size, image_size, 3) -> the vector of each, and probabilities where there are any."""
        if self.run is not None:
            from keras_art.learning.weights import load_network
            from keras_art.networks.heads import feature_extractor

            return feature_extractor(load_network(store, self.run))
        from keras_art.learning import prediction

        assert self.file is not None
        return prediction.describing(prediction.read(self.file))


def of_backbone(store: Store, network: str, image_size: int, resize: str, preprocessing: str) -> Describer:
    """A network with the weights that it was released with; of a `.keras` file, those that it holds.

    Raises:
        UserError: there is no such network or file, or nobody knows which pixels it takes.
    """
    named = artefact(network)
    own = isinstance(named, Artefact)
    run = ClassifierRun(
        network=named,
        weights="own" if own else "imagenet",
        preprocessing=preprocessing,
        image_size=image_size,
        resize=resize,
    )
    folder = features_folder(store, run)
    if not (folder / "rows.bin").exists():
        terminal.start_backend()
        from keras_art.networks import backbones

        backbones.check_name(network)
        if preprocessing == "imagenet":
            backbones.own_preprocessing(network)
    store.create()
    with files_kept(store, [network]):
        return of_start(store, run)


def of_start(store: Store, run: ClassifierRun) -> Describer:
    """The network that a run begins with, of files that the store keeps.

    Raises:
        UserError: its weights can not be had.
    """
    folder = features_folder(store, run)
    if not (folder / "rows.bin").exists():
        terminal.start_backend()
        from keras_art.learning.weights import load_network
        from keras_art.networks.backbones import BadBackbone

        try:
            load_network(store, run)  # weights that can not be had are told before a picture is read
        except BadBackbone as error:
            raise UserError(
                f"{str(error).removesuffix('.')}. Here: --backbone FILE.keras, a network with its weights inside, and "
                f"--preprocessing, which pixels it takes; or --run RUN, a run that is finished."
            ) from error
    return Describer(label(run.network), folder, run.image_size, run.resize, run=run)


def of_run(store: Store, path: Path) -> Describer:
    """A finished run, or its model wherever it was copied to: the vector is what its last layer is given.

    Raises:
        BadModel: there is none, or it can not be used.
    """
    file = next((path / name for name in ("model.keras", "head.keras") if (path / name).is_file()), path)
    if not file.is_file():
        terminal.start_backend()
        from keras_art.networks.loading import model_file

        file = model_file(path)
    name = file.resolve().parent.name if file.stem in ("model", "head") else file.stem
    folder = store.root / "cache" / "features" / f"{slug(name, 80)}-{hash_of(file)[:8]}"
    try:
        about = read_json(folder / "card.json", fields=ABOUT)
    except Damaged:  # or not there yet
        terminal.start_backend()
        from keras_art.networks.trained import read_card

        card = read_card(file)
        collection = card.provenance.get("config", {}).get("collection", "")
        about = {
            "classes": {task: list(names) for task, names in card.classes.items()},
            "image_size": card.image_size,
            "resize": card.resize,
            "collection": collection if isinstance(collection, str) else "",
        }
        store.create()
        write_sealed(folder, {"card.json": json.dumps(about).encode()})
    return Describer(name, folder, file=file, **about)


@dataclass(frozen=True)
class Description:
    """What a describer sees in pictures.

    Attributes:
        vectors: (n, width) float32.
        probabilities: task -> (n, classes) float32.
        key: of these vectors, in this order.
    """

    vectors: np.ndarray
    probabilities: dict[str, np.ndarray]
    key: str


def scanned(store: Store, paths: Sequence[str], known: Sequence[str] | None, size: int, resize: str) -> pd.DataFrame:
    """Where the store has pixels of pictures, once it has decoded those that it lacks.

    Args:
        known: the content of each, of a choice that the store holds: its files may be gone, its pixels count.

    Returns:
        `row` (-1: it can not be read), `sha256`, `width`, `height` and `reason`, for each of `paths`.
    """
    images = stored_images(store, size, resize)
    with terminal.bar("reading pictures", "images") as progress:
        scan = images.scan(paths, progress)
    if wrong := images.wrong(scan["row"].to_numpy()):
        scan = images.scan(paths, wrong=set(wrong))
    if known is not None:
        rows, sizes = images.find(known), images.sizes(known)
        reasons = [
            "" if row >= 0 else reason or "another picture" for row, reason in zip(rows, scan["reason"], strict=True)
        ]
        scan = scan.assign(row=rows, sha256=list(known), width=sizes[:, 0], height=sizes[:, 1], reason=reasons)
    return scan[["path", "row", "sha256", "width", "height", "reason"]]


def described(store: Store, describer: Describer, scan: pd.DataFrame) -> Description:
    """Vectors of pictures, of which only those are computed that the store lacks.

    Args:
        scan: as `scanned` gives it at the describer's size, of pictures that can be read.
    """
    images = stored_images(store, describer.image_size, describer.resize)
    sha256 = scan["sha256"].tolist()

    def begin() -> Any:
        terminal.start_backend()
        from keras_art.learning.features import said

        model, pixels = describer.model(store), images.pixels()
        return lambda rows: said(model, pixels, rows, 32).astype(np.float32)

    rows = scan["row"].to_numpy(np.int64)
    with terminal.bar(f"features of {describer.name}", "images") as progress:
        kept, places = kept_vectors(describer.folder, np.dtype(np.float32), begin, rows, sha256, CHUNK, progress)
    values = np.asarray(kept[places])
    counts = [len(names) for names in describer.classes.values()]
    cuts = np.cumsum([values.shape[1] - sum(counts), *counts])[:-1]
    vectors, *probabilities = np.split(values, cuts, axis=1)
    if not np.isfinite(vectors).all():
        raise UserError(f"{describer.name} gives no finite numbers of some pictures: take another network or run")
    key = hashlib.sha256("\n".join([describer.folder.name, *sha256]).encode()).hexdigest()[:12]
    return Description(vectors, dict(zip(describer.classes, probabilities, strict=True)), key)
