"""A model as an ONNX file, written in a few times the memory that its weights take."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np

PIXELS = "pixels"
LARGE = 1 << 16  # bytes of a weight that is kept out of the graph while it is converted


def write_onnx(model: keras.Model, path: Path) -> None:
    """Writes a functional model that has been called; its outputs are one after the other.

    On TensorFlow, tf2onnx copies a graph with every constant in it a dozen times and more: large weights are inputs of
    the graph that it is given, and become constants of what it returns. Other backends have converters of their own.

    Raises:
        ImportError: what writes or asks such files is not installed.
    """
    import onnx
    import onnxruntime  # noqa: F401

    if keras.config.backend() != "tensorflow":
        model.export(path, format="onnx", verbose=False)
        return
    said, constants = _converted(model)
    used = {name for node in said.graph.node for name in node.input}
    for given in [given for given in said.graph.input if given.name != PIXELS]:
        said.graph.input.remove(given)
        if given.name in used:
            value = keras.ops.convert_to_numpy(constants[given.name])
            said.graph.initializer.append(onnx.numpy_helper.from_array(value, given.name))
    path.write_bytes(said.SerializeToString())


def size_of(model: keras.Model) -> int:
    """Bytes of a model's weights."""
    return sum(map(_bytes, model.variables))


def _bytes(variable: Any) -> int:
    return int(np.prod(variable.shape)) * np.dtype(keras.backend.standardize_dtype(variable.dtype)).itemsize


def _converted(model: keras.Model) -> tuple[Any, dict[str, Any]]:
    """The graph of a model in ONNX, and what its inputs besides the pixels are: input -> its value."""
    import tensorflow as tf
    import tf2onnx

    with contextlib.suppress(ImportError):  # Keras's own mend of tf2onnx for NumPy 2, where it still has one
        from keras.src.export.tf2onnx_lib import patch_tf2onnx

        patch_tf2onnx()
    _know_erfc()

    large = {f"weight_{i}": variable for i, variable in enumerate(model.variables) if _bytes(variable) > LARGE}

    def said(pixels: Any, *weights: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(large.values(), weights, strict=True))):
            return model(pixels, training=False)

    given = [tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype, name=PIXELS)]
    given += [tf.TensorSpec(variable.shape, variable.dtype, name=name) for name, variable in large.items()]
    function = tf.function(said)
    # tf2onnx takes tensors that layers have made beforehand, such as a table of positions, for inputs, too.
    made = function.get_concrete_function(*given).graph.captures
    constants = {inner.name: value for value, inner in made if value.dtype != tf.resource}
    return tf2onnx.convert.from_function(function, given)[0], large | constants


@functools.cache
def _know_erfc() -> None:
    """Teaches tf2onnx the operation by which TensorFlow says a transformer's GELU; ONNX has its complement alone."""
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, graph: Any, node: Any, **_: Any) -> None:
            (given,), (name,) = node.input, node.output
            shape, kind = graph.get_shape(name), graph.get_dtype(name)
            one = graph.make_const(f"{node.name}/one", np.array(1, "float32")).output[0]
            graph.remove_node(node.name)
            erf = graph.make_node("Erf", [given], dtypes=[kind], shapes=[shape]).output[0]
            graph.make_node("Sub", [one, erf], name=node.name, outputs=[name], dtypes=[kind], shapes=[shape])
