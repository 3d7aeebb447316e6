"""WikiArt: ArtGAN's lists of style, genre and artist joined to its tree of images, and what is chosen from them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from keras_art.data import cards
from keras_art.data.collection import NO_LABEL, BadCollection, Collection, collect
from keras_art.data.readers.files import join_names
from keras_art.data.readers.parquet import read as read_parquet
from keras_art.data.readers.text import mend, read_text

# A task of ArtGAN's and our column: `artist` is the artist of every image, by its name; the task knows 23 of them.
TASKS = {"style": "style", "genre": "genre", "artist": "artist_23"}
SPLITS = {"train": "train", "val": "test"}  # there is no other test set, and scores are published on it


def read(card: cards.DatasetCard, folder: Path, need_images: bool) -> Collection:
    """The lists with the images, or the Parquet shards, whichever is there."""
    sign = card.sign(folder)
    if sign and sign.suffix == ".parquet":
        return read_parquet(card, folder, need_images)
    labels: dict[str, dict[str, str]] = {}
    splits: dict[str, dict[str, str]] = {}  # of each task
    problems: list[tuple[str, str, str]] = []
    for task, column in TASKS.items():
        classes = _classes(_list_file(folder, task, "class"))
        for part, split in SPLITS.items():
            listed, twice = _read_list(_list_file(folder, task, part))
            problems += [(path, path, f"stands twice in ArtGAN's list of {task}: the first counts") for path in twice]
            for path, index in listed.items():
                row = labels.setdefault(path, {})
                if splits.setdefault(column, {}).setdefault(path, split) != split:
                    raise BadCollection(f"{path} stands in both of ArtGAN's {task} lists: download them anew")
                if index not in classes:
                    raise BadCollection(f"{path} is of {task} {index}, which {task}_class does not name")
                row[column] = classes[index]
    tree = next((folder / name for name in card.images if _is_tree(folder / name, labels)), None)
    found, extra = join_names(labels, tree) if tree else ({}, [])
    if need_images and not found:
        raise BadCollection(
            f"{folder} holds ArtGAN's lists and none of their images: unpack wikiart.zip there, so that "
            f"{card.images[0]}/{next(iter(labels))} exists"
        )
    ours = {"id": list(labels), "path": [found.get(path, "") for path in labels]}
    columns = {"artist": [mend(path.rpartition("/")[2].partition("_")[0]) for path in labels]}
    columns |= {column: [row.get(column, "") for row in labels.values()] for column in TASKS.values()}
    own = {column: [of_task.get(path, "") for path in labels] for column, of_task in splits.items()}
    problems += [(path.rpartition("/")[2], path, NO_LABEL) for path in extra]
    return collect(card.name, ours, columns, problems, root=folder, splits=own, card=card, need_images=need_images)


def choose(card: cards.DatasetCard, folder: Path, need_images: bool) -> Collection:
    """A reconstruction: the classes of `column` with most images, from rank `first` on, `total` images in `classes`.

    Classes are ranked by size, then name; of each as many images as of the others (the first ones one more where the
    total asks for it) in the order of the SHA-256 of their ids, which anybody can compute. Images taken in turn from
    the classes make `test` images the test set, as many the validation set, and the rest the training set.
    """
    options, source = card.options, cards.load_card(card.options["from"])
    if (sign := source.sign(folder)) and sign.suffix == ".parquet":
        raise BadCollection(f"{card.name} is chosen from ArtGAN's lists, and {folder} holds Parquet files")
    lists = read(source, folder, need_images=False)
    table = lists.columns.assign(id=lists.images["id"], path=lists.paths())
    column, first, classes = options["column"], options["first"], options["classes"]
    sizes = table[column][table[column] != ""].value_counts()
    ranked = sorted(sizes.index, key=lambda name: (-sizes[name], name))[first - 1 : first - 1 + classes]
    chosen: dict[str, tuple[int, int, str]] = {}
    for rank, name in enumerate(ranked):
        ids = sorted(table["id"][table[column] == name], key=lambda id_: hashlib.sha256(id_.encode()).hexdigest())
        quota = options["total"] // classes + (rank < options["total"] % classes)
        if len(ids) < quota:
            raise BadCollection(f"{card.name} needs {quota} images of {name}, and the lists have {len(ids)}")
        chosen |= {id_: (turn, rank, name) for turn, id_ in enumerate(ids[:quota])}
    taken = sorted(chosen, key=lambda id_: chosen[id_])
    test = options["test"]
    rows = table.set_index("id").loc[taken]
    ours = {
        "id": taken,
        "path": rows["path"].tolist(),
        "split": ["test"] * test + ["val"] * test + ["train"] * (len(taken) - 2 * test),
    }
    columns = {column: [chosen[id_][2] for id_ in taken]}
    if column != "artist":
        columns["artist"] = rows["artist"].tolist()
    return collect(card.name, ours, columns, root=folder, card=card, need_images=need_images)


def _list_file(folder: Path, task: str, part: str) -> Path:
    """`style_train.csv`, `artist_train`, `style_class.txt`...: three of the nine are called otherwise than announced.

    Raises:
        BadCollection: it is neither in the folder nor in one of the task's name, nor one further down.
    """
    for pattern in ("", f"{task.title()}/", "*/", f"*/{task.title()}/"):
        for suffix in (".csv", ".txt", ""):
            if found := next(iter(sorted(folder.glob(f"{pattern}{task}_{part}{suffix}"))), None):
                return found
    raise BadCollection(
        f"{folder} lacks {task}_{part} of ArtGAN's lists: take all nine files of Style, Genre and Artist"
    )


def _classes(path: Path) -> dict[str, str]:
    return {index: name.strip() for index, _, name in (line.partition(" ") for line in _lines(path))}


def _read_list(path: Path) -> tuple[dict[str, str], list[str]]:
    """`path,label`, or `path,,label` below a header, in the artist's case; paths hold commas.

    Returns:
        Image -> number of its class, and the images that stand there again with another one.

    Raises:
        BadCollection: naming a line that is neither.
    """
    found: dict[str, str] = {}
    twice = []
    for line in _lines(path):
        image, _, label = line.rpartition(",")
        image, label = image.rstrip(","), label.strip()
        if not image or not label.isdigit():
            raise BadCollection(f"{path}: {line[:80]!r} is not an image, a comma and the number of a class")
        if found.setdefault(image, label) != label:
            twice.append(image)
    return found, twice


def _lines(path: Path) -> list[str]:
    lines = read_text(path).split("\n")  # not splitlines: mojibake may hold U+0085, which that takes for a line's end
    return [line.strip("\r ") for line in lines if line.strip() and not line.startswith("(")]


def _is_tree(folder: Path, labels: dict[str, dict[str, str]]) -> bool:
    return any((folder / style).is_dir() for style in {path.partition("/")[0] for path in labels})
