"""A study that is stopped amid a training, its store pruned, moved and checked, then gone on with: the same results.

`pytest -m slow tests/faults/test_moving.py`
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from keras_art.commands import store as upkeep
from keras_art.learning.keeping import Keeper
from reproductions import __main__ as tables
from reproductions.sabatelli2018 import REPRODUCTION

pytestmark = pytest.mark.slow

WORDS = [
    "--data", "museum", "--target", "artist", "--networks", "n.keras", "--preprocessing", "unit", "--modes",
    "off_the_shelf", "fine_tuning", "--image_size", "32", "--epochs", "3", "--seeds", "0", "1",
]  # fmt: skip
SAME = ("config.json", "history.csv", "predictions.csv")


@pytest.fixture(scope="module")
def place(painted_place: Path) -> Path:
    """Pictures and a network, and the store of a study that nothing stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(painted_place)
        assert REPRODUCTION.main([*WORDS, "--store", "whole"]) == 0
    return painted_place


def said(store: Path) -> dict[str, object]:
    """What the runs of a store say, without seconds."""
    found: dict[str, object] = {}
    for folder in sorted(path for path in (store / "classifier").iterdir() if path.is_dir()):
        metrics = json.loads((folder / "metrics.json").read_text())
        found[folder.name] = {name: value for name, value in metrics.items() if "seconds" not in name}
        found |= {f"{folder.name}/{name}": (folder / name).read_bytes() for name in SAME}
    return found


def table(store: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert tables.main(["--store", str(store), "--format", "csv"]) == 0
    return capsys.readouterr().out


def stopped_in(epoch: int) -> Callable[..., None]:
    """Ctrl-C behind so many epochs, of whichever trainings."""
    left, ended = [epoch], Keeper.on_epoch_end

    def end(self: Keeper, *given: object, **more: object) -> None:
        ended(self, *given, **more)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    return end


@pytest.mark.parametrize("another_disk", [False, True], ids=["a disk", "another disk"])
def test_a_training_goes_on_in_a_store_that_was_pruned_and_moved(
    place, another_disk, tmp_path, monkeypatch, every_epoch_kept, capsys
):
    shutil.copytree(place, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "on_epoch_end", stopped_in(8))
        assert REPRODUCTION.main([*WORDS, "--store", "runs"]) == 130
    (begun,) = Path("runs").glob("classifier/*/checkpoint/epoch.npz")
    done = [path.parent for path in Path("runs").glob("classifier/*/metrics.json")]
    assert done
    # A kill between the last file of a run and the end of its checkpoint leaves this.
    shutil.copytree(begun.parent, done[0] / "checkpoint")
    assert upkeep.main(["prune", "runs"]) == 0
    assert begun.exists()
    assert not (done[0] / "checkpoint").exists()
    assert not list(Path("runs/cache/features").glob("*/rows.bin"))
    with monkeypatch.context() as patch:
        if another_disk:
            rename = Path.rename

            def refused(self: Path, target: Path) -> Path:
                if self.name == "runs" and target.parent.name == "far":
                    raise OSError(errno.EXDEV, "Invalid cross-device link")
                return rename(self, target)

            patch.setattr(Path, "rename", refused)
        assert upkeep.main(["move", "runs", "far/runs"]) == 0
    assert not Path("runs").exists()
    assert upkeep.main(["check", "far/runs"]) == 0, capsys.readouterr()
    assert REPRODUCTION.main([*WORDS, "--store", "far/runs"]) == 0
    assert said(Path("far/runs")) == said(Path("whole"))
    assert table(Path("far/runs"), capsys) == table(Path("whole"), capsys)
    assert upkeep.main(["check", "far/runs"]) == 0, capsys.readouterr()
