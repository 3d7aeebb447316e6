"""Which backend Keras will take, asked before it is imported, whether there is room for it, and how it computes."""

from __future__ import annotations

import ctypes
import functools
import gc
import json
import os
import sys
import threading
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
        _keep_no_calls(threading.get_ident())


@functools.cache
def _keep_no_calls(thread: int) -> None:
    """Has TensorFlow not keep, for each operation that this thread traces, the lines of Python which called for it.

    Its graph optimizer would drop them; without it they are 350 MB beside ResNet50's step. They are for messages of
    errors within a graph, of which those of Keras's and our own files are left out.
    """
    from tensorflow.python.util import tf_stack

    class Filter(tf_stack.StackTraceFilter):
        def get_filtered_filenames(self) -> frozenset[str]:
            files = (getattr(module, "__dict__", {}).get("__file__") for module in list(sys.modules.values()))
            return frozenset(file for file in files if isinstance(file, str))

    Filter().__enter__()  # for as long as the thread lives


def give_back() -> None:
    """Gives the system the memory of what nobody refers to any more, graphs among it, which refer to themselves."""
    gc.collect()
    gc.collect()  # what a weak dictionary held for what the first one took
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)  # glibc would keep it


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
