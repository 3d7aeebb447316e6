"""The pictures of a collection in a run store: decoded once for all runs, what can not be read told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art.data.sources import BadCollection, Collection
from keras_art.pictures.decoded import ImageStore
from keras_art.store.runs import Store, StoreError
from keras_art.writing import write

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]


def stored_images(store: Store, image_size: int, resize: str) -> ImageStore:
    """A run store's pictures of one size, those of all its collections together."""
    return ImageStore(store.root / "cache" / "images" / f"{image_size}-{resize}", image_size, resize)


def decode(
    images: ImageStore, collection: Collection, table: pd.DataFrame, folder: Path, progress: Progress
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decodes what a table of a collection names, and writes `quarantine.csv` (id, path, reason) into a folder.

    Returns:
        What `ImageStore.scan` says of each row, and the quarantine.

    Raises:
        BadCollection: no picture can be read.
    """
    import pandas as pd

    scan = images.scan(table["path"].tolist(), progress)
    unreadable = scan["row"] < 0
    reasons = scan.loc[unreadable, "reason"].to_numpy()
    quarantine = pd.concat(
        [collection.quarantine, table.loc[unreadable.to_numpy(), ["id", "path"]].assign(reason=reasons)]
    )
    write(folder / "quarantine.csv", quarantine.to_csv(index=False))
    if unreadable.all():
        raise BadCollection(
            f"none of the {len(scan)} images of {collection.name} can be read; {folder / 'quarantine.csv'} says why"
        )
    return scan, quarantine


def decoded(images: ImageStore, table: pd.DataFrame, key: str) -> pd.DataFrame:
    """What `ImageStore.scan` says of pictures that could be read before; only what has changed is decoded.

    Raises:
        StoreError: one of them is gone or can no longer be read.
    """
    scan = images.scan(table["path"].tolist())
    if (gone := scan[scan["row"] < 0]).size:
        raise StoreError(
            f"{len(gone)} image{'s' * (len(gone) > 1)} of {key} can no longer be read, first {gone['path'].iloc[0]} "
            f"({gone['reason'].iloc[0]}): put them back, or start the study anew to leave them out"
        )
    return scan
