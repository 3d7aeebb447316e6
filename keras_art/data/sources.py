"""A collection of images and what is said about them, whatever it was read from.

Labels join images on ids or file names, never by position.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from keras_art.data import cards, croissant
from keras_art.data.collection import BadCollection as BadCollection
from keras_art.data.collection import Collection as Collection
from keras_art.data.collection import utf8
from keras_art.data.readers import best_artworks, kaokore, keras_arrays, remote, rijksmuseum, wikiart
from keras_art.data.readers.files import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from keras_art.data.readers.files import is_image, is_ours
from keras_art.data.readers.files import list_images as list_images
from keras_art.data.readers.folders import from_folders, labels_in, wrapped
from keras_art.data.readers.shards import PATTERN, expanded, from_shards, is_shard, shards_in
from keras_art.data.readers.spreadsheets import TABLES
from keras_art.data.readers.tables import beside_or_below, from_table
from keras_art.errors import meant
from keras_art.pictures.places import is_address, whole

ARCHIVES = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def load_collection(
    data: str | Path, root: str | Path | None = None, *, need_images: bool = True, sheet: str = ""
) -> Collection:
    """Reads a collection from a card's name, a CSV, XLSX, ODS or Parquet file, a folder with one, or one of images.

    Or from a Croissant file beside its images; from shards (`readers.shards`), one, a folder of them, or a pattern; or
    from any of these but cards behind an address: `s3://museum/train-{000..099}.tar`.

    A folder whose class folders stand in `train/`, `val/` (or `dev/`) and `test/`, or in `training_set/` and the like,
    brings its split along. A CSV may be separated by `,` `;` `|` or tabs; the column that names the images is found by
    looking for the files (absolute paths, paths relative to the table, or file names with or without suffix anywhere
    below it). A column called split, set, subset or partition gives the split, or else the folders of the images.

    Args:
        root: folder that holds the cards' collections, without it `$KERAS_ART_DATA`; or the pictures that a table names
            and that are not beside it.
        need_images: False keeps rows whose image is not there, for what looks at labels only.
        sheet: of a spreadsheet; "": the first one whose rows name images.

    Raises:
        BadCollection: nothing usable is there; the message names what was found and the remedy.
        cards.DatasetNotFound: a card's collection whose files are absent.
        UserError: a server does not answer, or its client is not installed.

    >>> import tempfile
    >>> from keras_art.atelier import make_atelier
    >>> folder = make_atelier(Path(tempfile.mkdtemp()) / "atelier", images=100, image_size=32)
    >>> collection = load_collection(folder)
    >>> len(collection.images), list(collection.columns)
    (100, ['artist', 'style', 'type', 'material'])
    """
    if is_address(data):
        return remote.read(whole(data), need_images=need_images, sheet=sheet)
    path = Path(data).expanduser()
    if utf8(str(path.absolute())) != str(path.absolute()):
        raise BadCollection(f"{utf8(str(path))} is not called in UTF-8: rename it")
    if path.is_dir():
        name, path = path.resolve().name, path.resolve()
        if (path / "store.json").is_file() and is_ours(str(path)):
            raise BadCollection(
                f"{path} is a store of runs: name the folder of images, and keep runs elsewhere with --store"
            )
        path = wrapped(path)
        if table := labels_in(path):
            return beside_or_below(from_table, table, name, root, need_images=need_images, sheet=sheet)
        _no_sheet(data, sheet)
        if shards := shards_in(path):
            return from_shards(shards, name, need_images=need_images)
        return from_folders(path, name)
    if path.is_file():
        if path.suffix.lower() == ".json":
            _no_sheet(data, sheet)
            if (said := croissant.read(path)) is not None:
                return _from_croissant(path, said, need_images)
            raise BadCollection(
                f"{path}: if that is an IIIF manifest, python -m keras_art fetch {path} --root FOLDER takes its images "
                f"and makes a folder that can be given here"
            )
        if is_shard(path):
            _no_sheet(data, sheet)
            return from_shards([str(path.absolute())], path.stem, need_images=need_images)
        if is_image(path.name) or path.suffix.lower() in ARCHIVES:
            what = "a picture: name its folder" if is_image(path.name) else "an archive: unpack it and name the folder"
            raise BadCollection(f"{path} is {what}, or a table of pictures")
        return beside_or_below(from_table, path, path.stem, root, need_images=need_images, sheet=sheet)
    if PATTERN.search(str(data)) and not path.is_symlink():
        _no_sheet(data, sheet)
        name = PATTERN.split(path.name)[0].rstrip("-_.") or path.absolute().parent.name
        return from_shards(expanded(str(path)), name, need_images=need_images)
    try:
        card = cards.load_card(str(data))
    except cards.CardNotFound as error:
        near = meant(path)
        is_path = len(path.parts) > 1 or is_image(path.name) or path.suffix.lower() in TABLES  # no card is called so
        cards_say = str(error) if "there are" not in str(error) else "no card is called so (python -m keras_art cards)"
        more = "" if near or is_path else f", and {cards_say}"
        raise BadCollection(f"{str(data)!r} is neither a folder nor a file{near}{more}") from None
    _no_sheet(data, sheet)
    return read_card(card, card.find(root), need_images=need_images)


def _no_sheet(data: str | Path, sheet: str) -> None:
    if sheet:
        raise BadCollection(f"--sheet {sheet} names a sheet of a spreadsheet, and {data} is none: leave it out")


def _from_croissant(path: Path, said: croissant.Node, need_images: bool) -> Collection:
    folder = path.parent.resolve()
    card = croissant.card_of(said, folder)
    if not card.sign(folder):
        raise BadCollection(
            f"{path} describes {', '.join(card.signs) or 'no table and no images'}, and none of that lies beside it. "
            f"{card.obtain}"
        )
    return replace(read_card(card, folder, need_images=need_images), card=None)


def read_card(card: cards.DatasetCard, folder: Path, *, need_images: bool = True) -> Collection:
    """Reads a card's collection from its own folder, by the reader of its official layout."""
    return READERS[card.reader](card, folder, need_images)


def _table_or_folders(card: cards.DatasetCard, folder: Path, need_images: bool) -> Collection:
    sign = card.sign(folder)
    if sign and sign.suffix.lower() in TABLES:
        return from_table(sign, card.name, card, base=folder, need_images=need_images)
    place = next((folder / name for name in card.images if (folder / name).is_dir()), folder)
    return from_folders(place, card.name, card)


READERS = {
    "table": _table_or_folders,  # a table if one of the card's signs is there, else the folder of images alone
    "rijksmuseum": rijksmuseum.read,
    "wikiart": wikiart.read,
    "recipe": wikiart.choose,
    "kaokore": kaokore.read,
    "best_artworks": best_artworks.read,
    "keras": keras_arrays.read,
}
