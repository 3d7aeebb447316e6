"""Which backend Keras will take, asked before it is imported, whether there is room for it, and how it computes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keras_art.errors import UserError

LEAST = 3_000_000_000  # bytes of addresses: with fewer, importing, asking or converting a tiny model failed


def named() -> str:
    """`tensorflow`, `jax` or `torch`: what `KERAS_BACKEND` says, else Keras's own `keras.json`, else its default."""
    if said := os.environ.get("KERAS_BACKEND"):
        return said
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return str(json.loads((home / "keras.json").read_text())["backend"])
    except (OSError, RecursionError, ValueError, TypeError, KeyError):  # it is not there, or says nothing of it
        return "tensorflow"


def make_repeatable() -> None:
    """Has TensorFlow compute by operations that repeat bit for bit; on other backends there is nothing to ask for.

    Keras then leaves XLA out, too, which on CPUs takes half as long again for a step of ResNet50. Whatever computes for
    a store does so: what one process caches, another reads.
    """
    import keras

    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        # The graph optimizer orders its rewrites by hashes that differ from process to process: InceptionV3's second
        # loss took five values in ten runs. Without it steps are as fast and graphs are traced sooner.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def check_addresses() -> None:
    """Refuses a process that is to compute with TensorFlow in fewer addresses than its library needs, which aborts it.

    Raises:
        UserError: saying how many it may have.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if 0 <= most < LEAST and named() == "tensorflow":
        raise UserError(
            f"there is not enough memory: TensorFlow needs {LEAST / 1e9:.0f} GB of addresses at least, and this "
            f"process may have {most / 1e9:.1f}: raise the limit (ulimit -v)"
        )
