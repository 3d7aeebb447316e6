"""The Rijksmuseum Challenge 2014 as published: `jpg2/`, `xml2/` (Dublin Core), `rijksgt.mat`; or Sabatelli's CSV."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np

from keras_art.data import cards
from keras_art.data.collection import NO_LABEL, BadCollection, Collection, collect
from keras_art.data.readers.files import is_image, walk
from keras_art.data.readers.tables import from_table
from keras_art.data.readers.text import read_text, unescape

SETS = {1: "train", 2: "val", 3: "test"}
ALL = " | "  # between the values of a field that has several
DC = "{http://purl.org/dc/elements/1.1/}"
MOST_MEMORY = 2**33  # bytes: several times the matrices of 112,039 objects in double precision
PROGRAM = (  # arguments: the file, then where this process looks for modules
    "import sys; sys.path = sys.argv[2:]; from keras_art.data.readers.rijksmuseum import hand_over; "
    "hand_over(sys.argv[1])"
)
KEPT = ("identifier", "title", "date", "rights")  # Dublin Core that is no label


def read(card: cards.DatasetCard, folder: Path, need_images: bool) -> Collection:
    """Labels from `labels.csv` if it is there, else from the XML, else from `rijksgt.mat`, which also has the split.

    Of several materials, types or creators the first is the label; `material_all` and so on keep them all.
    """
    if (folder / "labels.csv").is_file():
        return from_table(folder / "labels.csv", card.name, card, need_images=need_images)
    place = next((folder / name for name in card.images if (folder / name).is_dir()), folder)
    images = {Path(path).stem: path for path in walk(place) if is_image(path)}
    xml = {path.stem: path for path in sorted((folder / "xml2").glob("*.xml"))}
    truth = _ground_truth(folder / "rijksgt.mat") if (folder / "rijksgt.mat").is_file() else None
    problems: list[tuple[str, str, str]] = []
    labels: dict[str, dict[str, str]] = {}
    for id_, path in xml.items():
        try:
            labels[id_] = _dublin_core(path)
        except ET.ParseError as error:
            problems.append((id_, str(path), f"its XML can not be read ({error})"))
    if truth:
        rows = _rows(truth, sorted(images or xml))
        if not xml:
            labels = {id_: truth["labels"][row] for id_, row in rows.items()}
            labels |= {f"{row + 1:07d}": truth["labels"][row] for row in set(range(truth["n"])) - set(rows.values())}
        for id_ in labels:
            labels[id_]["split"] = truth["split"][rows[id_]] if id_ in rows else ""
    problems += [(id_, path, NO_LABEL) for id_, path in images.items() if id_ not in labels]
    names = dict.fromkeys(name for fields in labels.values() for name in fields if name != "split")
    columns = {name: [fields.get(name, "") for fields in labels.values()] for name in names}
    ours = {
        "id": list(labels),
        "path": [images.get(id_, "") for id_ in labels],
        "split": [fields.get("split", "") for fields in labels.values()],
    }
    return collect(card.name, ours, columns, problems, root=folder, card=card, need_images=need_images)


def _dublin_core(path: Path) -> dict[str, str]:
    text = read_text(path)
    if "<!ENTITY" in text:  # entities that double with each level would fill the memory
        raise ET.ParseError("it defines entities, which OAI records do not")
    # The declaration goes: the text is decoded already.
    root = ET.fromstring(text.partition("?>")[2] if text.lstrip().startswith("<?xml") else text)
    found = {name: [unescape(e.text or "").strip() for e in root.iter(f"{DC}{name}")] for name in _FIELDS}
    creators = [text.partition(":")[2].strip() or text for text in found["creator"]]  # "schilder: Maris, Matthijs"
    materials = [text.partition(":")[2].strip() for text in found["format"] if text.startswith("materiaal:")]
    fields = {}
    for name, values in (("artist", creators), ("material", materials), ("type", found["type"])):
        fields[name], fields[f"{name}_all"] = (values or [""])[0], ALL.join(values)
    return fields | {f"dc:{name}": ALL.join(found[name]) for name in KEPT}


_FIELDS = ("creator", "format", "type", *KEPT)


def _ground_truth(path: Path) -> dict[str, Any]:
    """`rijksgt.mat`, one struct `gt` of N objects: creators `C`, numbered from 1; `M` and `T`, N x labels; `set`.

    SciPy reads it in a process of its own, because a damaged file ends that, and one that unpacks without end fills
    the memory.

    Raises:
        BadCollection: it is no such file.
    """
    command = [sys.executable, "-P", "-c", PROGRAM, str(path), *sys.path]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        why = told[-1][:300] if told and done.returncode == 1 else f"reading it ended the process ({done.returncode})"
        raise BadCollection(f"{path} is not the challenge's ground truth ({why}); download it anew")
    with np.load(io.BytesIO(done.stdout)) as stored:
        split, creators, names = stored["split"], stored["creators"], stored["names"].tolist()
        several = {label: (stored[label], stored[f"{label} names"].tolist()) for label in ("material", "type")}
    n = len(split)
    fits = n and len(creators) == n and creators.max() <= len(names)
    if not fits or any(matrix.shape != (n, len(texts)) for matrix, texts in several.values()):
        raise BadCollection(f"{path}: its fields speak of different numbers of objects; download it anew")
    labels = []
    for row in range(n):
        fields = {"artist": names[creators[row] - 1] if creators[row] > 0 else ""}
        for label, (matrix, texts) in several.items():
            values = [texts[i] for i in np.flatnonzero(matrix[row])]
            fields[label], fields[f"{label}_all"] = (values or [""])[0], ALL.join(values)
        labels.append(fields)
    return {"n": n, "split": [SETS.get(number, "") for number in split], "labels": labels}


def hand_over(path: str) -> None:
    """What the process that reads a ground truth does: its arrays as an `.npz` on standard output."""
    from scipy.io import loadmat

    with contextlib.suppress(ImportError):  # there is none on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    try:
        gt = loadmat(path, simplify_cells=True)["gt"]
        arrays = {
            "split": np.atleast_1d(gt["set"]).astype(int).ravel(),
            "creators": np.atleast_1d(gt["C"]).astype(int).ravel(),
            "names": _names(gt["Cnames"]),
        }
        for label, key in (("material", "M"), ("type", "T")):
            arrays[label], arrays[f"{label} names"] = _dense(gt[key]) > 0, _names(gt[f"{key}names"])
    except Exception as error:  # SciPy raises nearly anything on what is no MATLAB file, and nearly anything may lack
        sys.exit(f"{type(error).__name__}: {error}")
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    sys.stdout.buffer.write(content.getvalue())


def _names(cells: Any) -> np.ndarray:
    return np.array([str(name).strip() for name in np.atleast_1d(cells)], dtype=str)


def _dense(matrix: Any) -> np.ndarray:
    return np.atleast_2d(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


def _rows(truth: dict[str, Any], stems: list[str]) -> dict[str, int]:
    """Which row of the ground truth an object is: by the running number its file begins with, `0000001_SK-A-4878`.

    Raises:
        BadCollection: the names have no such numbers, or numbers that the ground truth does not reach to.
    """
    rows = {}
    for stem in stems:
        number = stem.partition("_")[0]
        if not number.isdigit() or not 1 <= int(number) <= truth["n"]:
            raise BadCollection(
                f"{stem} does not begin with a number from 1 to {truth['n']}, by which rijksgt.mat knows its objects: "
                f"keep the challenge's own files apart from others"
            )
        rows[stem] = int(number) - 1
    return rows
