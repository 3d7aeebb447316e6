"""Writes a notebook for every reproduction: `python notebooks/write.py`.

A notebook is made of the reproduction's own docstring and of what every reproduction can do; nothing in it is typed by
hand, and its outputs are those of whoever runs it.
"""

from __future__ import annotations

from pathlib import Path

import jupytext

from keras_art.commands import papers
from keras_art.commands.machine import Reproduction
from keras_art.writing import write

HERE = Path(__file__).resolve().parent
SCRIPT = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
{said}

# %% [markdown]
# ## What the paper prints
# Its tables, and what is printed there and can not be meant.

# %%
from reproductions.{name} import REPRODUCTION

assert not REPRODUCTION.main(["paper"])

# %%
assert not REPRODUCTION.main(["audit"])

# %% [markdown]
# ## What is to be computed
# The demonstration, on the embedded collection, in minutes. For your own pictures put
# `--data FOLDER_OR_CSV --target COLUMN` into `flags`, for a smaller or a larger study any other flag:
# `REPRODUCTION.main(["--help"])` explains them. What has been computed is not computed again.

# %%
flags = []

# %%
assert not REPRODUCTION.main(["--dry_run", *flags])

# %% [markdown]
# ## The table

# %%
assert not REPRODUCTION.main(flags)

# %% [markdown]
# ## The figures

# %%
from pathlib import Path

from IPython.display import Image, display

for path in sorted(Path("runs/studies").glob("{name}-*/figures/**/*.png")):
    print(path)
    display(Image(str(path)))
"""


def notebook(paper: Reproduction) -> str:
    """The notebook of a reproduction, as JSON."""
    title, *parts = paper.doc.strip().split("\n\n")
    told = [f"# {title.removesuffix('.')}", *(part for part in parts if not part.startswith("    "))]
    said = "\n".join(f"# {line}".rstrip() for part in told for line in [*part.splitlines(), ""]).rstrip("\n# ")
    made = jupytext.reads(SCRIPT.format(said=said, name=paper.name), "py:percent")
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"  # the same whenever it is written
    made.metadata.pop("jupytext", None)
    return jupytext.writes(made, "ipynb")


if __name__ == "__main__":
    for paper in papers.reproductions():
        write(HERE / f"{paper.name}.ipynb", notebook(paper))
