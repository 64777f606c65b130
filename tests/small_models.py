"""Makes small ONNX models whose answers can be worked out by hand, one for each form that a model can have."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Value = ValueInfoProto
_REAL = TensorProto.FLOAT
_KINDS = {
    "texts": TensorProto.STRING,
    "whole": TensorProto.INT64,
    "bytes": TensorProto.UINT8,
    "flags": TensorProto.BOOL,
    "half": TensorProto.FLOAT16,
    "odd": TensorProto.BFLOAT16,
}


def make_all(folder: Path) -> None:
    """Write ``{name}/model.onnx`` for each.

    - affine: x[N,3] → y[N,1], the sum and a half; fixed: the same with x[1,3] → y[1,1]
    - free: x[N,L] → y[N], the sum of each row
    - two: a[N] and k[N] (int64) → sum[N], pair[N,2]
    - texts, whole (int64), bytes (uint8), flags (bool), half (float16): x[N] → y[N], unchanged
    - conv: x[N,3,16,16] → y[N,8], heavy enough that threads and batches matter
    - trees: x[N,1] → y[N,1], one tree; odd: x[N] of a type that no message can hold
    """
    affine = [helper.make_node("MatMul", ["x", "ones"], ["s"]), helper.make_node("Add", ["s", "half"], ["y"])]
    constants = [("ones", np.ones((3, 1), np.float32)), ("half", np.full(1, 0.5, np.float32))]
    for name, size in (("affine", "N"), ("fixed", 1)):
        _save(folder / name, affine, [_value("x", (size, 3))], [_value("y", (size, 1))], constants)
    total = [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)]
    _save(folder / "free", total, [_value("x", ("N", "L"))], [_value("y", ("N",))], [("axes", np.array([1]))])
    _make_two(folder / "two")
    for name, kind in _KINDS.items():
        same = [helper.make_node("Identity", ["x"], ["y"])]
        _save(folder / name, same, [_value("x", ("N",), kind)], [_value("y", ("N",), kind)])
    _make_conv(folder / "conv")
    _save(folder / "trees", [_tree()], [_value("x", ("N", 1))], [_value("y", ("N", 1))])


def _make_two(folder: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["k"], ["r"], to=_REAL),
        helper.make_node("Add", ["a", "r"], ["sum"]),
        helper.make_node("Unsqueeze", ["a", "last"], ["a1"]),
        helper.make_node("Unsqueeze", ["r", "last"], ["r1"]),
        helper.make_node("Concat", ["a1", "r1"], ["pair"], axis=1),
    ]
    inputs = [_value("a", ("N",)), _value("k", ("N",), TensorProto.INT64)]
    _save(folder, nodes, inputs, [_value("sum", ("N",)), _value("pair", ("N", 2))], [("last", np.array([1]))])


def _make_conv(folder: Path) -> None:
    random = np.random.default_rng(5)
    nodes, constants, given, channels = [], [], "x", 3
    for layer in range(3):
        constants.append((f"w{layer}", 0.2 * random.standard_normal((8, channels, 3, 3)).astype(np.float32)))
        nodes.append(helper.make_node("Conv", [given, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        given, channels = f"r{layer}", 8
    nodes.append(helper.make_node("GlobalAveragePool", [given], ["mean"]))
    nodes.append(helper.make_node("Flatten", ["mean"], ["y"]))
    _save(folder, nodes, [_value("x", ("N", 3, 16, 16))], [_value("y", ("N", 8))], constants)


def _tree() -> NodeProto:
    """Give a tree with one split: 1 up to 0.5, then 2."""
    return helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 0],
        target_weights=[1.0, 2.0],
    )


def _value(name: str, shape: Sequence[int | str], kind: int = _REAL) -> Value:
    return helper.make_tensor_value_info(name, kind, shape)


def _save(
    folder: Path,
    nodes: list[NodeProto],
    inputs: list[Value],
    outputs: list[Value],
    constants: Sequence[tuple[str, np.ndarray]] = (),
) -> None:
    tensors = [numpy_helper.from_array(array, name) for name, array in constants]
    graph = helper.make_graph(nodes, folder.name, inputs, outputs, tensors)
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model: ModelProto = helper.make_model(graph, opset_imports=domains, ir_version=8)
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
