"""The version of keras_art, which names caches and stands in every run's environment; and what it needs to start."""

import importlib.util
import sys

__version__ = "0.2.0"


def check_environment(package: str) -> None:
    """Refuses a Python that is too old, or one without what the commands need, in one line with the remedy.

    Args:
        package: which asks; of an ImportError by its name `python -m` prints that line alone.

    Raises:
        ImportError: naming the remedy.
    """
    if sys.version_info < (3, 11):  # noqa: UP036
        told = f"keras_art needs Python 3.11 or newer, and this is {sys.version.split()[0]}: install a newer one"
        raise ImportError(told, name=package)
    if importlib.util.find_spec("tyro") is None:
        raise ImportError(
            f"{sys.executable} lacks what keras_art needs: activate the virtual environment that has it "
            f"(source .venv/bin/activate), or install it (pip install -e .)",
            name=package,
        )
