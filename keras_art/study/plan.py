"""A study as a list of runs: what it would cost, which files it needs, and carrying it out."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store.runs import Store, digest, execute
from keras_art.version import __version__
from keras_art.writing import replacing, write


@dataclass(frozen=True)
class ClassifierRun:
    """One classifier, trained once; its directory is named by these fields, of which `network` on say how."""

    paper: ClassVar[str] = ""
    words: ClassVar[tuple[str, ...]] = ("collection", "target", "network", "mode", "seed")

    collection: str = ""  # NAME-DIGEST of a choice
    target: str = ""
    network: str = "VGG19"  # a name, or a .keras file of the store's cache/weights
    mode: str = "off_the_shelf"
    seed: int = 0
    weights: str = "imagenet"  # or none, own (of a .keras file), a file of cache/weights, run:DIGEST
    preprocessing: str = "imagenet"
    image_size: int = 224
    resize: str = "squash"
    frozen_bn: str = "inference"
    head: str = "softmax"
    optimizer: str = "paper"
    learning_rate: float = 0.0
    batch_size: int = 32
    epochs: int = 100
    patience: int = 7
    keep: str = "best"
    bn_momentum: float = 0.0
    precision: str = "float32"

    @property
    def title(self) -> str:
        """What a person is told of a run while it trains."""
        return f"{self.network} {self.mode}, seed {self.seed}"


# The fields that a study gives all its runs alike: how they are trained.
TRAINING = (
    "preprocessing", "resize", "frozen_bn", "optimizer", "learning_rate", "batch_size", "epochs", "patience", "keep",
    "bn_momentum", "precision",
)  # fmt: skip

# Multiply-accumulates of one image, in 10^9, at a size in pixels, and parameters without top, in 10^6. Written down for
# the networks most asked for, because a dry run needs no Keras then; the others are built and counted.
NETWORKS = {
    "VGG19": (19.6, 224, 20.0),
    "InceptionV3": (5.7, 299, 21.8),
    "Xception": (8.4, 299, 20.9),
    "ResNet50": (3.9, 224, 23.6),
    "ResNet20": (0.12, 32, 0.27),  # 0.04 in truth, but its thin layers run at a third of the speed
    "ViTB16": (16.9, 224, 85.8),
    "ViTTi16": (1.1, 224, 5.5),
}
GIGAMACS_PER_CPU_SECOND = 50.0  # what two cores of 2024 did; a store with finished runs says better


def named(file: str) -> str:
    """A network or weights file as a run and its store call it, `STEM-SHA8.SUFFIX`; a name that is no file as it is.

    Raises:
        UserError: the file does not exist.
    """
    path = Path(file).expanduser()
    if not ("/" in file or path.suffix in (".keras", ".h5")):
        return file
    if not path.is_file():
        raise UserError(f"the file {file} does not exist")
    # Keras goes by the whole of `.weights.h5`.
    suffix = ".weights.h5" if path.name.endswith(".weights.h5") else path.suffix
    return f"{path.name.removesuffix(suffix)}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}{suffix}"


def split_weights(networks: Sequence[str], weights: Sequence[str]) -> tuple[dict[str, str], str]:
    """What `--weights` says: the files of single networks, and what holds for the others.

    Raises:
        UserError: two of them hold for the others, or a network is named that is not asked for.
    """
    files = dict(item.split("=", 1) for item in weights if "=" in item)
    plain = [item for item in weights if "=" not in item]
    if len(plain) > 1:
        raise UserError(f"--weights takes one of {' '.join(plain)}, and NETWORK=FILE for single networks")
    if unknown := set(files) - set(networks):
        raise UserError(f"--weights names {', '.join(sorted(unknown))}, which --networks does not")
    return files, plain[0] if plain else "imagenet"


def starting_weights(network: str, networks: Sequence[str], weights: Sequence[str]) -> str:
    """What `--weights` says of one network, in the store's names.

    Raises:
        UserError: as `split_weights`, or a file does not exist.
    """
    files, plain = split_weights(networks, weights)
    if network in files:
        return named(files[network])
    if network.endswith(".keras") and plain in ("imagenet", "demo"):
        return "own"
    return plain if plain in ("imagenet", "none", "demo") else named(plain)


def keep_files(store: Store, files: Iterable[str]) -> None:
    """Copies the user's network and weights files into the store, so that a run needs nothing else."""
    folder = store.root / "cache" / "weights"
    for file in files:
        if (name := named(file)) != file and not (folder / name).exists():
            with replacing(folder / name) as part:
                shutil.copyfile(Path(file).expanduser(), part)


class Estimate:
    """What runs cost, by the store's own experience of this machine where it has any.

    Args:
        kind: whose finished runs are the experience.
        images: how many of each collection, by its key.
    """

    def __init__(self, store: Store, kind: type[ClassifierRun], images: dict[str, int]) -> None:
        self.store, self.kind, self.images = store, kind, images
        self.counted = dict(NETWORKS)

    @functools.cached_property
    def experience(self) -> list[tuple[float, float]]:
        """10^9 multiply-accumulates and seconds of the finished runs that trained a whole network."""
        return [
            (self.gigamacs(run, found["n_images"], found["epochs"]), found["seconds"])
            for run, found in self.store.finished(self.kind)
            if run.mode != "off_the_shelf" and found["status"] == "ok"
        ]

    @property
    def speed(self) -> float:
        """10^9 multiply-accumulates a second."""
        if not self.experience:
            return GIGAMACS_PER_CPU_SECOND * (os.cpu_count() or 1)
        return sum(work for work, _ in self.experience) / sum(seconds for _, seconds in self.experience)

    @property
    def basis(self) -> str:
        """How the speed is known, for people."""
        n = len(self.experience)
        return f"by {n} finished run{'s' * (n > 1)} of this store" if n else "no run of this store to go by: a guess"

    def network(self, run: ClassifierRun) -> tuple[float, int, float]:
        """A row of `NETWORKS`.

        Raises:
            BadBackbone: the network can not be used.
        """
        if run.network not in self.counted:
            terminal.start_backend()
            from keras_art.networks import backbones

            file = self.store.root / "cache" / "weights" / run.network
            network = str(file) if run.network.endswith(".keras") else run.network
            model = backbones.load_backbone(
                network, image_size=run.image_size, weights=None, preprocessing="none"
            ).model
            self.counted[run.network] = backbones.gigamacs(model), run.image_size, model.count_params() / 1e6
        return self.counted[run.network]

    def gigamacs(self, run: ClassifierRun, images: int, epochs: int) -> float:
        """10^9 multiply-accumulates of a run: three passes per training image, one per image elsewhere."""
        per_image, size, _ = self.network(run)
        once = per_image * (run.image_size / size) ** 2 * images
        if run.mode == "off_the_shelf":
            return once if run.frozen_bn == "inference" else once * (0.9 * epochs + 0.1)
        return once * (2.5 * epochs + 0.1)

    def seconds(self, run: ClassifierRun) -> float:
        """At most, early stopping aside."""
        steps = run.epochs * self.images[run.collection] / run.batch_size
        head = 0.0015 * steps if run.mode == "off_the_shelf" else 15.0  # tracing, and what surrounds training
        return self.gigamacs(run, self.images[run.collection], run.epochs) / self.speed + head + 3

    def bytes(self, run: ClassifierRun) -> int:
        """On disk when the run is done; while it trains, four times as much."""
        parameters = self.network(run)[2]
        return int(4e6 * parameters) if run.mode != "off_the_shelf" else 4 * 2048 * self.images[run.collection]


class Cost(Protocol):
    """What a list of runs costs: `Estimate`, or a method's own."""

    @property
    def images(self) -> Mapping[str, int]:
        """How many of each collection, by its key."""

    @property
    def basis(self) -> str:
        """How the speed is known, for people."""

    def seconds(self, run: Any, /) -> float:
        """At most."""

    def bytes(self, run: Any, /) -> int:
        """On disk."""


def plan(store: Store, configs: Sequence[Any], estimate: Cost) -> str:
    """The list of runs, done or to do, with the time and the disk they take."""
    lines, seconds, size = [], 0.0, 0
    for config in configs:
        done = store.metrics(config) is not None
        begun = any((store.directory(config) / "checkpoint").glob("*"))
        state = "done" if done else "begun" if begun else "to do"
        if not done:
            seconds, size = seconds + estimate.seconds(config), size + estimate.bytes(config)
        cost = "" if done else f"at most {terminal.duration(estimate.seconds(config))}"
        lines.append(f"{state:6} {cost:18} {store.directory(config)}")
    missing = sum(not line.startswith("done") for line in lines)
    pixels = {(c.collection, c.image_size): 3 * c.image_size**2 * estimate.images[c.collection] for c in configs}
    lines.append(
        f"{len(configs)} runs, {missing} to do: at most {terminal.duration(seconds)} ({estimate.basis}), "
        f"about {size / 1e9:.2f} GB for models and features, {sum(pixels.values()) / 1e9:.2f} GB for decoded images"
    )
    return "\n".join(lines)


def carry_out(
    store: Store,
    configs: Sequence[ClassifierRun],
    estimate: Estimate,
    run: Callable[[ClassifierRun, Path, Callable[[str, float], None]], dict[str, Any]],
) -> int:
    """Runs what is missing, telling how far the study is; returns how many it ran."""
    missing = [config for config in configs if store.metrics(config) is None]
    clock = terminal.Clock([estimate.seconds(config) for config in missing])

    def one(config: ClassifierRun, folder: Path) -> dict[str, Any]:
        metrics = run(config, folder, lambda line, share: clock.tell(f"{config.title}: {line}", share))
        accuracy = metrics["test_accuracy"]
        clock.next(f"{config.title}: {'diverged' if accuracy is None else f'test accuracy {accuracy:.1%}'}")
        return metrics

    return execute(store, missing, one, lambda config: terminal.say(f"waiting for another process: {config}"))


def draw_once(store: Store, configs: Sequence[Any], draw: Callable[[], object]) -> None:
    """Draws the figures of finished runs, unless the last ones drawn in their paper's `figures/` are of the same runs.

    So runs that came of several commands have figures in common, and a study asked for again is answered at once.
    """
    drawn = store.root / configs[0].paper / "figures" / ".drawn"
    what = "\n".join([__version__, *sorted(digest(config) for config in configs)])
    if not drawn.exists() or drawn.read_text() != what:
        draw()
        write(drawn, what)
