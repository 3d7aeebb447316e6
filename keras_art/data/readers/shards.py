"""Collections as shards, each picture read in place: WebDataset's tars, and Parquet with embedded images.

A picture's id is its path with the shard as a folder: `train-000.tar/0001.jpg`, `train-000.parquet/000012`.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from keras_art.data.collection import BadCollection, Collection, collect, like_split, utf8
from keras_art.data.readers.files import IMAGE_SUFFIXES, NOT_UTF8, is_image, is_ours, walk
from keras_art.data.readers.workbooks import text_of
from keras_art.pictures import addresses, members, places
from keras_art.pictures.contents import stamp

SAID = (".json", ".cls", ".txt")  # members that say something of the picture of their stem
PATTERN = re.compile(r"[*?{\[]")
MOST_BRACES = 100_000  # shards


def is_shard(path: str | Path) -> bool:
    """Whether a file is a tar, or Parquet with embedded images and not a table of paths."""
    text = str(path).lower()
    if not text.endswith(".parquet"):
        return text.endswith(".tar")
    import pyarrow as pa

    try:
        with _parquet(str(path)) as file:
            return bool(members.embedded(file.schema_arrow))
    except (pa.ArrowException, OSError):
        return False


def shards_in(folder: Path) -> list[str]:
    """The shards in a folder or in those within it, where there is no picture beside them; sorted."""
    found = sorted(
        str(path)
        for suffix in members.SUFFIXES
        for path in (*folder.glob(f"*{suffix}"), *folder.glob(f"*/*{suffix}"))
        if path.is_file() and not is_ours(str(path.parent))
    )
    return found if found and is_shard(found[0]) and not any(map(is_image, walk(folder))) else []


def expanded(pattern: str) -> list[str]:
    """What a pattern names: `train-{000..012}.tar`, `{train,test}-*.tar`; sorted.

    Raises:
        BadCollection: nothing is called so.
    """
    parts = re.split(r"\{([^{}]*)\}", pattern)
    choices = [_choices(part) if i % 2 else [part] for i, part in enumerate(parts)]
    found: set[str] = set()
    for words in product(*choices):
        one = "".join(words)
        if not re.search(r"[*?\[]", one):
            found.add(places.whole(one))
        elif places.is_address(one):
            found.update(addresses.below(places.whole(one)))
        else:
            base = Path(one).expanduser().absolute()
            found.update(str(path) for path in Path(base.anchor).glob(str(base.relative_to(base.anchor))))
        if len(found) > MOST_BRACES:
            raise BadCollection(f"{pattern} names more than {MOST_BRACES:,} files")
    if not found:
        raise BadCollection(f"nothing is called like {pattern}")
    return sorted(found)


def _choices(braces: str) -> list[str]:
    if span := re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", braces):
        first, last = int(span[1]), int(span[2])
        if last - first > MOST_BRACES:
            raise BadCollection(f"{{{braces}}} names more than {MOST_BRACES:,} files")
        width = len(span[1]) if span[1].startswith("0") else 0
        return [f"{number:0{width}d}" for number in range(first, last + 1)]
    return braces.split(",") if "," in braces else [f"{{{braces}}}"]


def from_shards(files: Sequence[str], name: str, *, need_images: bool = True) -> Collection:
    """A collection of all pictures of some shards, with what stands beside them as label columns.

    In a tar that is the text of `.cls` and `.txt`, columns of these names, and the values of `.json`, of the same stem;
    where there is none of these, the outermost folder, the column `label`. In Parquet all columns but the images, class
    numbers by the names that the file's metadata have. Shards called by splits, `train-000.tar`, bring them.

    Args:
        files: absolute paths or addresses.

    Raises:
        BadCollection: a file is no shard, or no picture is in any.
        UserError: a server does not answer.
    """
    if wrong := [file for file in files if not file.lower().endswith(members.SUFFIXES)]:
        raise BadCollection(f"{wrong[0]} is no shard: those are called .tar or .parquet")
    root = _common(files)
    rows: list[dict[str, Any]] = []
    problems: list[tuple[str, str, str]] = []
    for file in files:
        inside = file[len(root) :].lstrip("/\\").replace("\\", "/")
        (_, reason) = stamp(file)
        if reason:
            problems.append((inside, file, reason))
            continue
        of_one = _of_tar if file.lower().endswith(".tar") else _of_parquet
        for row in of_one(file, inside, problems):
            rows.append({"split": _split(inside), **row})
    if not rows:
        first = f", first {problems[0][1]} ({problems[0][2]})" if problems else ""
        raise BadCollection(f"{name} has no picture in {len(files)} shards{first}")
    known = {row["split"] for row in rows}
    if "" in known or "train" not in known or len(known) < 2:  # a whole split or none
        for row in rows:
            row["split"] = ""
    columns = list(dict.fromkeys(column for row in rows for column in row["said"]))
    if not columns and all(row["folder"] for row in rows):
        columns = ["label"]
        for row in rows:
            row["said"] = {"label": row["folder"]}
    ours = {key: [row[key] for row in rows] for key in ("id", "path", "split", "bytes")}
    said = {column: [row["said"].get(column, "") for row in rows] for column in columns}
    return collect(name, ours, said, problems, root=Path(root), need_images=need_images)


def _common(files: Sequence[str]) -> str:
    """The folder that all of them lie below."""
    folders = [file.replace("\\", "/").split("/")[:-1] for file in files]
    same = 0
    while all(len(folder) > same and folder[same] == folders[0][same] for folder in folders):
        same += 1
    return "/".join(folders[0][:same]) or "/"


def _split(inside: str) -> str:
    """What a shard is called: `train-00001-of-00012.parquet`, `val/003.tar`."""
    parts = posixpath.splitext(inside)[0].split("/")
    return next(filter(None, map(like_split, reversed(parts))), "")


def _of_tar(file: str, inside: str, problems: list[tuple[str, str, str]]) -> Iterable[dict[str, Any]]:
    (now, _) = stamp(file)
    index = members.index(file, now, lambda: places.opened(file), SAID)
    stems: dict[str, list[str]] = {}
    for member in index.spans:
        stems.setdefault(_stem(member), []).append(member)
    for stem, together in stems.items():
        pictures = sorted(filter(is_image, together))
        plain = [member for member in pictures if member[len(stem) :].lower() in IMAGE_SUFFIXES]
        taken = plain[:1] or pictures
        for member in {*pictures} - {*taken}:
            problems.append((f"{inside}/{member}", f"{file}/{member}", f"beside it stands {taken[0]}, which is taken"))
        said = [member for member in together if member[len(stem) :].lower() in SAID]
        if said and not pictures:
            problems.append((f"{inside}/{stem}", file, "labelled, but no such image"))
            continue
        columns, fault = _said(said, stem, index.texts)
        for member in taken:
            place, id_ = f"{file}/{member}", f"{inside}/{member}"
            if fault or utf8(member) != member:
                problems.append((id_, place, fault or NOT_UTF8))
                continue
            start, end = index.spans[member]
            folder = member.split("/")[0] if "/" in member else ""
            yield {"id": id_, "path": place, "bytes": end - start, "said": columns, "folder": folder}
    problems += [(f"{inside}/{name}", file, reason) for name, reason in index.refused]
    if index.fault:
        whole = f"{len(index.spans):,} members before that" + ", which are whole and in use" * bool(index.spans)
        problems.append((inside, file, f"truncated or damaged ({index.fault}): {whole}"))


def _stem(member: str) -> str:
    """A member without all that follows the first dot of its name, as WebDataset has it."""
    folder, _, name = member.rpartition("/")
    return f"{folder}/" * bool(folder) + name.split(".")[0]


def _said(names: list[str], stem: str, texts: dict[str, bytes]) -> tuple[dict[str, str], str]:
    """Column -> text, and what is wrong with it, for people."""
    found: dict[str, str] = {}
    for member in names:
        kind = member[len(stem) :].lower()
        try:
            text = texts[member].decode("utf-8-sig")
            if kind != ".json":
                found[kind[1:]] = text.strip()
                continue
            values = json.loads(text)
            cells = values.items() if isinstance(values, dict) else [("json", values)]
            found |= {str(column): cell for column, value in cells if (cell := _cell(value)) is not None}
        except (KeyError, ValueError, RecursionError) as error:
            return found, f"its {posixpath.basename(member)} can not be read ({type(error).__name__})"
    return found, ""


def _cell(value: Any) -> str | None:
    """A value as the cell of a table; None where it is no one cell."""
    if isinstance(value, list) and all(not isinstance(part, dict | list) for part in value):
        return "; ".join(filter(None, map(text_of, value)))
    return None if isinstance(value, dict | list) else text_of(value)


def _parquet(file: str) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(places.source(file))


def _of_parquet(file: str, inside: str, problems: list[tuple[str, str, str]]) -> Iterable[dict[str, Any]]:
    import pyarrow as pa

    try:
        with _parquet(file) as opened:
            schema, count = opened.schema_arrow, opened.metadata.num_rows
            columns = [field.name for field in schema if _is_plain(field.type)]
            if twice := next((name for name in columns if schema.names.count(name) > 1), ""):
                problems.append((inside, file, f"two columns of it are called {twice}"))
                return
            table = opened.read(columns=columns)
    except (pa.ArrowException, OSError) as error:
        said = " ".join(str(error).split())[:120]
        problems.append((inside, file, f"truncated or damaged, no Parquet file that can be read ({said})"))
        return
    if not members.embedded(schema):
        problems.append((inside, file, "no column of it has images inside"))
        return
    names = class_names(schema.metadata or {})
    size = places.stamps([file])[0][0][0]
    texts = {name: [class_name(v, names.get(name)) for v in table[name].to_pylist()] for name in columns}
    for row in range(count):
        cells = {name: column[row] for name, column in texts.items()}
        number = f"{row:06d}"
        # A row's own size stands among its pixels, which are not read here; the shard's changes when one is replaced.
        yield {"id": f"{inside}/{number}", "path": f"{file}/{number}", "bytes": size, "said": cells, "folder": ""}


def _is_plain(kind: Any) -> bool:
    import pyarrow as pa

    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """The names of the classes by column, as Hugging Face writes them into a file's metadata; else none."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {name: list(map(str, feature["names"])) for name, feature in features.items() if "names" in feature}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def class_name(value: Any, names: list[str] | None) -> str:
    """A class number by its name, "" for none (-1); any other value as a cell."""
    if names and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else "" if value < 0 else str(value)
    return text_of(value)
