"""The files of a store as they are read back: whole, or one message that names the file and what to do."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.errors import UserError
from keras_art.writing import meant

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 2**31 - 1  # letters of a cell; the csv module's own limit is 131,072
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


def read_csv(path: Path) -> pd.DataFrame:
    """Reads what `write_csv` has written, all of it as text; several columns may have one name."""
    import pandas as pd

    csv.field_size_limit(LONGEST)
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = [[meant(cell) for cell in row] for row in csv.reader(file)]
    columns = {i: pd.Series(cells, dtype=str) for i, cells in enumerate(zip(*rows, strict=True))}
    return pd.DataFrame(columns, columns=range(len(header)), dtype=str).set_axis(header, axis=1)
