"""What `--data` and its companions mean: a collection and what is taken of it, or a choice that a store holds."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.data.choices import Choice, choose, choose_all, with_artists
from keras_art.data.collection import Collection
from keras_art.data.sources import load_collection
from keras_art.data.splits import split
from keras_art.pictures import members
from keras_art.pictures.decoded import stored_contents
from keras_art.pictures.images import DECODER
from keras_art.pictures.srgb import COLOUR
from keras_art.store.runs import Store, StoreError
from keras_art.store.sums import Damaged
from keras_art.writing import slug

if TYPE_CHECKING:
    pass

from keras_art.data.kept import choice_of, facts_of, is_kept, table


def identified(store: Store, choice: Choice) -> Choice:
    """A choice known by what its pictures hold, and by the rules that make pixels of them.

    Where the store has not seen it yet, but one that was made in the same way of the same collection, a person is told
    what has changed since.
    """
    with terminal.bar(f"looking what is in {choice.name}", "files") as progress:
        hashes = stored_contents(store).hashes(choice.paths(), progress)
    words = "\n".join([choice.digest, str(DECODER), COLOUR, *hashes])
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    known = replace(choice, digest=digest, images=choice.images.assign(sha256=hashes))
    if not is_kept(store, known.key):
        _tell_what_changed(store, known)
    return known


def _tell_what_changed(store: Store, choice: Choice) -> None:
    how = {name: getattr(choice, name) for name in ("name", "rule", "split_seed", "class_filter", "limit")}
    alike = []
    for file in (store.root / "collections").glob(f"{slug(choice.name)}-????????/task.json"):
        with contextlib.suppress(Damaged):  # which is nothing to compare with
            facts = facts_of(store, file.parent.name)
            if how.items() <= facts.items() and facts["targets"] == list(choice.targets):
                tables = [table(store, file.parent.name, f"{name}.csv") for name in ("images", "quarantine")]
                alike.append((file.stat().st_mtime_ns, file.parent, facts, *tables))
    if not alike:
        return
    _, folder, facts, before, quarantine = max(alike, key=lambda found: found[0])
    unused = choice.images["id"].isin(quarantine["id"]) | choice.images["class"].isin(facts["dropped_classes"])
    now = choice.images.set_index("id")
    both = before[before["id"].isin(now.index)]
    same = now.loc[both["id"]]
    others = both["id"][both["sha256"].to_numpy() != same["sha256"].to_numpy()]
    names = [facts["classes"][int(label)] if int(label) >= 0 else "" for label in both["label"]]
    relabelled = both["id"][same["class"].to_numpy() != names]
    gone = before["id"][~before["id"].isin(now.index)]
    new = choice.images["id"][~choice.images["id"].isin(before["id"]) & ~unused]
    found = {"replaced by another picture": others, "labelled otherwise": relabelled, "gone": gone, "new": new}
    if said := [f"{len(ids):,} {what} (first {ids.iloc[0]})" for what, ids in found.items() if len(ids)]:
        terminal.say(
            f"{choice.name} has changed since {folder.name}, which had {len(before):,} images: {', '.join(said)}. "
            f"It is {choice.key} now, and what was computed on the other does not count for it"
        )


def held(
    store: Store,
    data: str | Path,
    targets: Sequence[str] = (),
    *,
    rule: str = "auto",
    split_seed: int = 0,
    class_filter: bool = True,
    limit: int = 0,
) -> Choice | None:
    """The choice that `--data` names where that is one of the store's: `NAME-DIGEST`, and nothing on disk.

    Args:
        targets: with the others what a command line says of it, which may leave it open: none, "auto", 0, True, 0.

    Raises:
        StoreError: the flags say something else than the choice is, or no store has it and nothing else is called so.
    """
    name = str(data)
    members.keep_in(store.root)  # if it is a collection behind an address
    if Path(name).expanduser().exists():
        return None
    if not is_kept(store, name):
        if re.fullmatch(r"[^/]+-[0-9a-f]{8}", name):
            facts_of(store, name)
        return None
    choice = choice_of(store, name)
    against = {
        "--target": bool(targets) and tuple(targets) != choice.targets,
        "--split": rule not in ("auto", choice.rule),
        "--split_seed": split_seed not in (0, choice.split_seed),
        "--class_filter": choice.class_filter and not class_filter,
        "--limit": limit > 0,
    }
    if flags := [flag for flag, contradicts in against.items() if contradicts]:
        raise StoreError(
            f"--data {name} is what the store chose before: {', '.join(choice.targets) or 'no target'}, {choice.rule} "
            f"split, seed {choice.split_seed}, {len(choice.images):,} images. Leave out {' and '.join(flags)}, or name "
            f"the collection itself, which was {choice.root}"
        )
    return choice


def open_collection(
    store: Store, data: str | Path, root: str | None, *, need_images: bool = True, sheet: str = ""
) -> Collection:
    """The collection that a word on a command line means, as every command takes it: `open_choice`'s, whole.

    A choice that the store holds is read as it was kept, with its split.

    Raises:
        BadCollection, StoreError: as `load_collection` and `held`.
    """
    if sheet or not (choice := held(store, data)):
        return load_collection(data, root, need_images=need_images, sheet=sheet)
    bad = table(store, choice.key, "quarantine.csv")
    return Collection(choice.name, choice.images.drop(columns="class"), choice.columns, bad, choice.root)


def open_choice(
    store: Store,
    data: str | Path,
    root: str | None,
    target: str | None,
    *,
    sheet: str = "",
    artist: str = "",
    **how: Any,
) -> tuple[Collection | None, Choice]:
    """What `--data` and its companions mean: a collection and what is taken of it, or a choice that the store holds.

    Args:
        data: a card's name, a table, a folder, or `NAME-DIGEST` of the store.
        sheet: as of `load_collection`.
        artist: as of `choices.with_artists`.
        how: as of `choose`: `rule`, `split_seed`, `class_filter`, `limit`.

    Returns:
        The collection, None for a choice of the store's own, which needs none; and the choice.

    Raises:
        BadCollection: as `load_collection`, `choose` and `split`.
        StoreError: as `held`, or the choice has no target.
    """
    if choice := held(store, data, [target] if target else [], **how):
        _as_it_was(data, sheet, artist)
        if len(choice.targets) != 1:
            raise StoreError(
                f"--data {data} was chosen "
                + (f"for {' and '.join(choice.targets)} at once" if choice.targets else "to be clustered")
                + f": name the collection itself, which was {choice.root}"
            )
        return None, choice
    collection = with_artists(load_collection(data, root, sheet=sheet), artist, [target])
    choice = choose(collection, target, **how)
    # What can not be split even where every picture can be read is refused now: a dry run knows that, too.
    split(choice, [True] * len(choice.images), choice.images.index.to_numpy())
    return collection, identified(store, choice)


def _as_it_was(data: str | Path, sheet: str, artist: str) -> None:
    if flags := [name for name, value in (("--sheet", sheet), ("--artist", artist not in ("", "artist"))) if value]:
        raise StoreError(f"--data {data} is what the store chose before: leave out {' and '.join(flags)}")


def open_all(
    store: Store, data: str | Path, root: str | None, *, sheet: str = "", split_seed: int = 0, limit: int = 0
) -> tuple[Collection | None, Choice]:
    """The same for a clustering, which takes every image: `choose_all`."""
    if choice := held(store, data, split_seed=split_seed, limit=limit):
        _as_it_was(data, sheet, "")
        return None, choice
    collection = load_collection(data, root, sheet=sheet)
    return collection, identified(store, choose_all(collection, limit, split_seed))
