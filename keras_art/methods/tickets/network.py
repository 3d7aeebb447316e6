"""A run's images, and the network that is to learn them, with theta and a mask in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_art import backend
from keras_art.data import tasks
from keras_art.learning import training
from keras_art.methods.tickets import masks
from keras_art.methods.tickets.optimizer import MaskedSGD
from keras_art.networks import backbones, heads, resnets
from keras_art.pictures.pipeline import Batches, Crops
from keras_art.store.runs import Store
from keras_art.store.tickets import BadTicket
from keras_art.study.files import network_file
from keras_art.study.kinds.tickets import TicketRun

# The learning rate falls to a tenth at the end of these epochs of 90, and in proportion where there are fewer; a step
# later than that, which finished runs have in their numbers.
ANNEALED, OF = (50, 60, 75), 90
HEAD = ("softmax/kernel", "softmax/bias")  # the paths of the classifier's own weights


def load_network(store: Store, run: TicketRun, seed: int = 0) -> backbones.Backbone:
    """A run's network without its head, its kernels drawn anew.

    "ResNet20" is ours; other names are those of keras.applications, where "ResNet50" has biases in its convolutions and
    its strides in the first of a block's.

    Args:
        store: holds the networks that are .keras files.
        seed: of the kernels.

    Raises:
        BadBackbone: there is no such network, it can not take images of this size, or it is a transformer.
        UserError: weights of it are called alike (`masks.check_paths`).
    """
    if run.network == "ResNet20":
        backbone = backbones.Backbone(resnets.resnet20(run.side, run.bn_momentum), run.preprocessing)
    else:
        backbone = backbones.load_backbone(
            network_file(store, run.network),
            image_size=run.side,
            weights=None,
            preprocessing=run.preprocessing,
            bn_momentum=run.bn_momentum,
        )
        if backbone.taps or not backbone.has_maps:  # of one that was exported only its vector is known
            raise backbones.BadBackbone(
                f"{run.network} is a transformer, and tickets are made of kernels of convolutions: take another network"
            )
    masks.check_paths(backbone.model, HEAD)
    resnets.draw_kernels(backbone.model, run.initializer, seed)
    return backbone


def values(model: keras.Model) -> dict[str, np.ndarray]:
    """Path -> every weight of a model, moving statistics included."""
    return {v.path: keras.ops.convert_to_numpy(v) for v in model.weights}


def misfit(weights: Sequence[keras.Variable], theta: Mapping[str, np.ndarray]) -> str:
    """What of a network's weights theta lacks or has in another shape, in words; "" where it fits."""
    for variable in weights:
        if variable.path not in theta:
            return f"it has no {variable.path}"
        if (there := theta[variable.path].shape) != (here := tuple(variable.shape)):
            return f"{variable.path} has the shape {there} in the ticket, {here} in the network"
    return ""


def put(model: keras.Model, theta: Mapping[str, np.ndarray], *, head: bool) -> None:
    """Gives every weight of a model its value in theta, moving statistics included.

    Args:
        head: whether the head is among them; that of a new collection is another, and stays as it is.

    Raises:
        BadTicket: theta is of another network.
    """
    weights = [v for v in model.weights if head or not v.path.startswith("softmax/")]
    if problem := misfit(weights, theta):
        raise BadTicket(f"the ticket is of another network: {problem}")
    for variable in weights:
        variable.assign(theta[variable.path])


def reset(model: keras.Model, theta: Mapping[str, np.ndarray], kept: masks.Weights, *, head: bool) -> None:
    """Late resetting: every variable back to theta, the optimizer as new, then the masks.

    Args:
        model: compiled with a built `MaskedSGD`.
        kept: the masks.
        head: as in `put`.
    """
    put(model, theta, head=head)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
    model.optimizer.set_masks(model, kept)


class Task:
    """A run's images, with the network that is to learn them."""

    def __init__(self, store: Store, run: TicketRun) -> None:
        self.run, self.store = run, store
        self.ready = tasks.load(store, run.collection, run.image_size, run.resize)
        self.classes = self.ready.task.classes
        self.labels = self.ready.task.images["label"].to_numpy()

    def batches(self, split: str, seed: int | None = None) -> Batches:
        """Of one split; random crops where there is a seed, central ones elsewhere."""
        part = self.ready.part(split)
        if split == "train" and self.run.fraction < 1:
            part = first_of_each_class(part, self.labels[part], self.run.fraction)
        what = self.ready.pixels, self.ready.rows[part], self.labels[part], self.run.batch_size, seed
        return Crops(*what, side=self.run.crop) if self.run.crop else Batches(*what)

    def classifier(self, seed: int) -> keras.Model:
        """A compiled classifier with fresh weights; the last architecture and schedule is built and traced once."""
        run, steps = self.run, len(self.batches("train"))
        boundaries = [steps * max(round(epoch * run.epochs / OF), 1) for epoch in ANNEALED]
        key = (
            run.network, run.side, run.preprocessing, run.bn_momentum, run.precision, run.learning_rate,
            run.weight_decay, run.prune_head, len(self.classes), *boundaries,
        )  # fmt: skip
        if _last and _last[0].key == key:
            _last[0].begin(run.initializer, seed)
            return _last[0].model
        if _last:  # what is built next takes the memory that it had
            _last.clear()
            backend.give_back()
        fresh = heads.softmax_classifier(load_network(self.store, run, seed), len(self.classes), seed)
        rates = [run.learning_rate / 10**times for times in range(len(boundaries) + 1)]
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
        optimizer = MaskedSGD(
            schedule, l2=run.weight_decay, masked=[v.path for v in masks.prunable(fresh, head=run.prune_head)]
        )
        constants = {v.path: keras.ops.convert_to_numpy(v) for v in fresh.variables if "kernel" not in v.name}
        training.compile_classifier(fresh, optimizer)
        optimizer.build(fresh.trainable_variables)
        # What a network draws beside its kernels another seed would draw otherwise: that one is built each time.
        alike = all(np.ptp(value) == 0 for value in constants.values() if value.size)
        _last[:] = [_Compiled(key, fresh, constants)] if alike else []
        return fresh


@dataclass(frozen=True)
class _Compiled:
    """A classifier that was compiled, and the values that all but its kernels begin with."""

    key: tuple[Any, ...]
    model: keras.Model
    constants: Mapping[str, np.ndarray]

    def begin(self, initializer: str, seed: int) -> None:
        """Gives it the weights that a fresh one of that seed would have."""
        for variable in self.model.variables:
            if variable.path in self.constants:
                variable.assign(self.constants[variable.path])
        resnets.draw_kernels(heads.backbone_of(self.model), initializer, seed)
        kernel = self.model.get_layer("softmax").kernel
        kernel.assign(keras.initializers.GlorotUniform(seed)(kernel.shape, kernel.dtype))


_last: list[_Compiled] = []


def first_of_each_class(part: np.ndarray, labels: np.ndarray, fraction: float) -> np.ndarray:
    """A share of each class of some positions, at least one image; what a smaller share has, a larger one has too."""
    order = np.random.default_rng(0).permutation(len(part))
    chosen = [
        order[labels[order] == label][: max(round(fraction * int((labels == label).sum())), 1)]
        for label in np.unique(labels)
    ]
    return part[np.sort(np.concatenate(chosen))]
