"""The models and bodies of the benchmarks: always the same bytes for the same versions of the libraries.

- mlp: 32-64-1, sensor telemetry as 345 bytes of JSON
- gbr: 100 trees from scikit-learn, the same bodies
- cnn: 5 layers over a picture of 1×16×16, as JSON
- wide: an MLP with 21 MB of weights, the same bodies as mlp: a call is bound by reading them
- resnet50: the shape of ResNet-50 with random weights, pictures of 3×224×224 bytes
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from .processes import BUILD

SMALL = ("mlp", "gbr", "cnn", "wide")
ALL = (*SMALL, "resnet50")
_SHAPES = {"cnn": (1, 16, 16), "resnet50": (3, 224, 224)}


def rows(name: str, count: int) -> NDArray[Any]:
    """Give the inputs of so many requests, batch axis first."""
    random = np.random.default_rng(7)
    shape = (count, *_SHAPES.get(name, (32,)))
    if name == "resnet50":
        return random.integers(0, 256, shape, np.uint8)
    return random.normal(size=shape).round(6).astype(np.float32)


def bodies(name: str, count: int) -> list[bytes]:
    """Give their bodies: JSON with a blank after each comma, for ResNet-50 the bytes themselves."""
    if name == "resnet50":
        return [row.tobytes() for row in rows(name, count)]
    plain = [orjson.dumps({"x": row}, option=orjson.OPT_SERIALIZE_NUMPY) for row in rows(name, count)]
    return [body.replace(b",", b", ") for body in plain]


def path(name: str) -> Path:
    """Give the file of a model; made if it is not there yet."""
    file = BUILD / "models" / name / "model.onnx"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        makers = {"mlp": _mlp, "gbr": _trees, "cnn": _cnn, "wide": _wide, "resnet50": _resnet50}
        file.write_bytes(makers[name]())
    return file


class _Graph:
    """Nodes in a row, each with random weights; the last one's output is ``at``."""

    def __init__(self, shape: Sequence[int], kind: int = TensorProto.FLOAT) -> None:
        self.at = "x"
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []
        self._random = np.random.default_rng(11)
        self._input = helper.make_tensor_value_info("x", kind, ("N", *shape))

    def node(self, kind: str, *more: str, **attributes: Any) -> None:
        """Add a node that takes the last one's output first."""
        name = f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, [self.at, *more], [name], **attributes))
        self.at = name

    def weight(self, *shape: int) -> str:
        """Add weights, of a size that keeps values in range from layer to layer."""
        name = f"w{len(self._weights)}"
        values = self._random.normal(0, (2 / np.prod(shape[1:] or shape)) ** 0.5, shape).astype(np.float32)
        self._weights.append(numpy_helper.from_array(values, name))
        return name

    def dense(self, inputs: int, outputs: int) -> None:
        self.node("Gemm", self.weight(outputs, inputs), self.weight(outputs), transB=1)

    def convolve(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        weights, pads = self.weight(outputs, inputs, size, size), [size // 2] * 4
        self.node("Conv", weights, self.weight(outputs), kernel_shape=[size] * 2, pads=pads, strides=[stride] * 2)

    def finished(self, pooled: int = 0) -> bytes:
        """Give the model, its output ``y`` with one number a row; first pool so many channels, if any."""
        if pooled:
            self.node("GlobalAveragePool")
            self.node("Flatten")
            self.dense(pooled, 1)
        self._nodes[-1].output[0] = "y"
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("N", 1))
        graph = helper.make_graph(self._nodes, "benchmark", [self._input], [output], self._weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return bytes(made.SerializeToString())


def _dense(*sizes: int) -> bytes:
    graph = _Graph(sizes[:1])
    for inputs, outputs in pairwise(sizes[:-1]):
        graph.dense(inputs, outputs)
        graph.node("Relu")
    graph.dense(sizes[-2], sizes[-1])
    return graph.finished()


def _mlp() -> bytes:
    return _dense(32, 64, 1)


def _wide() -> bytes:
    return _dense(32, 2048, 2048, 512, 1)


def _cnn() -> bytes:
    graph = _Graph(_SHAPES["cnn"])
    for inputs, outputs, stride in ((1, 32, 1), (32, 64, 1), (64, 64, 2), (64, 128, 2)):
        graph.convolve(inputs, outputs, stride=stride)
        graph.node("Relu")
    return graph.finished(pooled=128)


def _resnet50() -> bytes:
    graph = _Graph(_SHAPES["resnet50"], TensorProto.UINT8)
    graph.node("Cast", to=TensorProto.FLOAT)
    graph.convolve(3, 64, 7, 2)
    graph.node("Relu")
    graph.node("MaxPool", kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    inputs = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            _bottleneck(graph, inputs, width, stride if block == 0 else 1)
            inputs = 4 * width
    return graph.finished(pooled=inputs)


def _bottleneck(graph: _Graph, inputs: int, width: int, stride: int) -> None:
    start = short = graph.at
    if inputs != 4 * width:
        graph.convolve(inputs, 4 * width, 1, stride)
        short, graph.at = graph.at, start
    for taken, given, size, step in ((inputs, width, 1, 1), (width, width, 3, stride)):
        graph.convolve(taken, given, size, step)
        graph.node("Relu")
    graph.convolve(width, 4 * width, 1)
    graph.node("Add", short)
    graph.node("Relu")


def _trees() -> bytes:
    from skl2onnx import to_onnx  # type: ignore[import-untyped]  # noqa: PLC0415 - takes a second
    from skl2onnx.common.data_types import FloatTensorType  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.ensemble import GradientBoostingRegressor  # type: ignore[import-untyped]  # noqa: PLC0415

    random = np.random.default_rng(5)
    inputs = random.normal(size=(2000, 32)).astype(np.float32)
    targets = inputs[:, 0] * inputs[:, 1] + np.sin(inputs[:, 2]) + random.normal(0, 0.1, 2000)
    trees = GradientBoostingRegressor(n_estimators=100, max_depth=3, random_state=1).fit(inputs, targets)
    made = to_onnx(trees, initial_types=[("x", FloatTensorType([None, 32]))], target_opset={"": 17, "ai.onnx.ml": 3})
    given = made.graph.output[0]
    for node in made.graph.node:
        node.output[:] = ["y" if name == given.name else name for name in node.output]
    given.name = "y"
    return bytes(made.SerializeToString())
