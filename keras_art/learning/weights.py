"""The network of a run with the weights it begins with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_art.learning import training
from keras_art.networks import backbones
from keras_art.networks.loading import load_model
from keras_art.store.runs import Store
from keras_art.study.config import Artefact, RunRef
from keras_art.study.files import artefact_path
from keras_art.study.kinds.classifier import ClassifierRun


def load_network(store: Store, run: ClassifierRun, *, built_only: bool = False) -> backbones.Backbone:
    """A run's backbone with the weights it begins with: released ones, a file's, or those of an earlier run.

    Args:
        built_only: leave the weights of an earlier run out: for what needs the network and not what it learnt.

    Raises:
        BadBackbone: the network or its weights can not be used.
    """
    weights: str | Path | None = None if run.weights == "none" or isinstance(run.weights, RunRef) else str(run.weights)
    if isinstance(run.weights, Artefact):
        weights = artefact_path(store, run.weights)
    backbone = backbones.load_backbone(
        str(artefact_path(store, run.network)) if isinstance(run.network, Artefact) else run.network,
        image_size=run.image_size,
        weights=weights,
        preprocessing=run.preprocessing,
        frozen_bn=run.frozen_bn,
        bn_momentum=run.bn_momentum,
        seed=run.seed,
    )
    if isinstance(run.weights, RunRef) and not built_only:
        source = load_model(store.find(run.weights))
        backbone.model.set_weights(source.get_layer(backbone.model.name).get_weights())
    return backbone


def check(store: Store, runs: Sequence[ClassifierRun]) -> None:
    """Builds every network of some runs with the weights it begins with, once.

    Raises:
        BadBackbone: one can not be used.
        BadRun: an optimizer can not.
    """
    built = set()
    for run in runs:
        what = (run.network, run.image_size, run.weights, run.preprocessing)
        if what not in built:
            load_network(store, run, built_only=True)
            built.add(what)
    for optimizer in {run.optimizer for run in runs}:
        training.make_optimizer(optimizer)
