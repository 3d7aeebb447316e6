"""The toolkit's commands: python -m keras_art VERB ...

    cards        published collections: what the papers used, and what of it is here
    fetch        a collection, or the images of an IIIF manifest
    doctor       what is wrong with a collection's images
    leaks        what could be known of its labels without looking
    curate       a balanced choice from a collection, with a split
    manifests    a collection as .csv, .xlsx or .parquet
    work         compute what studies have asked of a store, beside whoever else does
    page         a page for every study of a store, and an index of them
    predict      what a finished run says of new pictures
    export       a trained model as a folder for others, with its card; to Hugging Face
    map          a collection as a page to look through: every picture near those that it is like
    neighbours   which works look like this one
    adain        style transfer: train a decoder, stylise pictures
    tickets      lottery tickets as files: list, show, export
    store        the upkeep of a folder of runs: check, size, prune, move

`python -m keras_art VERB --help` explains each.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

from keras_art.terminal import guarded
from keras_art.version import check_environment

# Of keras_art.commands.
VERBS = {
    "cards": "cards", "fetch": "fetch", "doctor": "doctor", "leaks": "leaks", "curate": "curation",
    "manifests": "manifests", "predict": "predict", "export": "export", "page": "page", "map": "map",
    "neighbours": "neighbours", "work": "work", "adain": "adain", "tickets": "tickets", "store": "store",
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        check_environment("keras_art")
    except ImportError as error:
        print(f"python -m keras_art: {error}", file=sys.stderr)
        return 1
    return guarded(lambda: command(words), "python -m keras_art")


def command(words: list[str]) -> int:
    """Hands the words over to the verb that they begin with; without one, tells all of them."""
    if not words or words[0] in ("--help", "-h"):
        print(__doc__)
        return 0 if words else 2
    if words[0] not in VERBS:
        near = difflib.get_close_matches(words[0], VERBS, n=1)
        hint = f": did you mean {near[0]}?" if near else ""
        print(f"python -m keras_art has no command {words[0]!r}{hint}\n\n{__doc__}", file=sys.stderr)
        return 2
    return importlib.import_module(f"keras_art.commands.{VERBS[words[0]]}").main(words[1:])


if __name__ == "__main__":
    sys.exit(main())
