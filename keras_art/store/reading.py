"""The files of a store as they are read back: whole, or one message that names the file and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "move its directory away, and the same command makes it anew"


class Damaged(UserError):
    """A file of a store is not as it was written; the message names it and the remedy."""


def read_json(path: Path, remedy: str = REMEDY) -> Any:
    """A JSON file.

    Raises:
        Damaged: it is absent, cut off, or something else.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Damaged(f"{path} is absent: {remedy}") from error
    except (ValueError, RecursionError, OSError) as error:
        raise Damaged(f"{path} is damaged ({error}): {remedy}") from error


def read_table(path: Path, remedy: str = REMEDY, **options: Any) -> pd.DataFrame:
    """A CSV file; options as of `pandas.read_csv`.

    Raises:
        Damaged: it is absent, cut off, or something else.
    """
    import pandas as pd

    try:
        return pd.read_csv(path, **options)
    except FileNotFoundError as error:
        raise Damaged(f"{path} is absent: {remedy}") from error
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors
        raise Damaged(f"{path} is damaged ({error}): {remedy}") from error
