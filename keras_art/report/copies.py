"""Copies and look-alikes in words: how many there are, and what one of a pair has otherwise than the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

BRIGHTER, SOFTER = 0.05, 0.7  # of white; of how sharp the other is


def copies_told(images: pd.DataFrame, columns: pd.DataFrame) -> list[str]:
    """How many copies and look-alikes there are.

    Args:
        images: `alike` being the group of look-alikes; behind those of `columns` what no row names.
    """
    same = images[images.duplicated("sha256", keep=False)]
    alike = images[images.duplicated("alike", keep=False)]
    lines = [
        f"{len(same):,} files are copies of another, byte for byte, in {_groups(same['sha256'].nunique())}",
        f"{len(alike):,} images look like another (these among them), in {_groups(alike['alike'].nunique())}",
    ]
    if without := int((alike.index >= len(columns)).sum()):
        lines.append(f"{without:,} of these {'is a file' if without == 1 else 'are files'} that no row names")
    own = same[same.index < len(columns)]
    for target in columns:
        if differing := int((columns[target][own.index].groupby(own["sha256"]).nunique() > 1).sum()):
            are = "is" if differing == 1 else "are"
            lines.append(f"{_groups(differing)} of copies {are} labelled differently as to {target}")
    return lines


def versions_told(how: dict[tuple[int, int], str], thorough: bool) -> list[str]:
    """How many versions of another there are, by what was done."""
    if not thorough:
        return ["mirrored, turned, cut and framed ones were not looked for: --versions yes does"]
    counts = Counter(how.values()).most_common()
    return (
        [f"of these by what a hash does not see: {', '.join(f'{n:,} x {what}' for what, n in counts)}"] if how else []
    )


def differing(one: Mapping[str, Any], other: Mapping[str, Any], how: str, targets: Sequence[str]) -> str:
    """What the second of two look-alikes has otherwise than the first, in words.

    Args:
        one, other: the facts of both, `bright` and `sharp` as of `quality.faults`, and their labels.
        how: what was done to the one to make the other, or to the other, in words, or "".
        targets: the label columns.
    """
    said = [how] if how else []
    if one["sha256"] == other["sha256"]:
        said.append("the same file, byte for byte")
    if (one["width"], one["height"]) != (other["width"], other["height"]):
        said.append(f"{other['width']} x {other['height']} pixels, the first {one['width']} x {one['height']}")
    if one["format"] != other["format"]:
        said.append(f"{other['format']}, the first {one['format']}")
    grey = [facts["mode"] in ("1", "L", "LA", "I;16") for facts in (one, other)]
    if grey[0] != grey[1]:
        said.append("without colour" if grey[1] else "in colour")
    if abs(lighter := other["bright"] - one["bright"]) > BRIGHTER:
        said.append(f"{'brighter' if lighter > 0 else 'darker'} by {abs(lighter):.0%} of white")
    if other["sharp"] < SOFTER * one["sharp"]:
        said.append("less sharp")
    said += [
        f"{target} {str(other[target]) or 'nothing'!r}, the first {str(one[target]) or 'nothing'!r}"
        for target in targets
        if other[target] != one[target]
    ]
    return "; ".join(said) or f"{other['bytes']:,} bytes, the first {one['bytes']:,}"


def look_alikes(
    images: pd.DataFrame, columns: pd.DataFrame, how: dict[tuple[int, int], str], targets: Sequence[str]
) -> list[tuple[int, list[tuple[int, str]]]]:
    """Of each group the place of its largest image, and of each other its place and what it has otherwise, in words.

    Args:
        columns: labels of the first of `images`; what stands behind those has no row.
    """
    twins = images[images.duplicated("alike", keep=False)]
    # A column that says something else of nearly every image, as a title does, is no label.
    labels_of = [name for name in targets if name not in images and 2 * columns[name].nunique() <= len(columns)]
    found = []
    for _, group in twins.assign(pixels=-twins["width"] * twins["height"]).groupby("alike"):
        first, *others = group.sort_values(["pixels", "id"]).index
        words = []
        for other in others:
            facts = [images.loc[i].to_dict() for i in (first, other)]
            rows = [columns.loc[i].to_dict() for i in (first, other) if i < len(columns)]
            labels = rows if len(rows) == 2 else [{}, {}]
            done = how.get((first, other), "") or (
                f"the first is this one {how[other, first]}" if (other, first) in how else ""
            )
            one, two = ({**labels[i], **facts[i]} for i in (0, 1))
            said = differing(one, two, done, labels_of if len(rows) == 2 else ())
            missing = [which for which, i in (("it", other), ("the first", first)) if i >= len(columns)]
            words.append((other, "; ".join([said, *([f"no row names {' or '.join(missing)}"] if missing else [])])))
        found.append((first, words))
    return found


def listed(images: pd.DataFrame, groups: Sequence[tuple[int, Sequence[tuple[int, str]]]]) -> pd.DataFrame:
    """The look-alikes as a table, the largest of each group before the others."""
    rows = [(i, words) for first, others in groups for i, words in [(first, ""), *others]]
    return images.loc[[i for i, _ in rows]].assign(differs=[words for _, words in rows])


def _groups(count: int) -> str:
    return f"{count:,} group{'s' * (count != 1)}"
