"""The example of scoring.json in docs/onnx.md: its message gives its answer, with a model that sees what it says."""

import json
from itertools import dropwhile
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from pages import blocks, code_words

from scoring import OnnxModel

PAGE = "docs/onnx.md"
FEATURES, PROBABILITIES, RISK = [71.5, 1.013, 12, 3], [0.2, 0.7, 0.1], [0.5]
"""What the page says that the model gets, and what it lets it answer."""


def save(file: Path) -> None:
    """Write a model whose every output is off by as much as its inputs are."""
    nodes = [
        helper.make_node("Sub", ["features", "expected"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("ReduceSum", ["distance", "last"], ["off"], keepdims=1),
        helper.make_node("Cast", ["mode"], ["m"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["m", "last"], ["column"]),
        helper.make_node("Add", ["off", "column"], ["wrong"]),
        helper.make_node("Add", ["wrong", "p"], ["probabilities"]),
        helper.make_node("Add", ["wrong", "r"], ["risk2"]),
        helper.make_node("Squeeze", ["risk2", "last"], ["risk"]),
    ]
    real = helper.make_tensor_value_info
    inputs = [real("features", TensorProto.FLOAT, ["N", 4]), real("mode", TensorProto.INT64, ["N"])]
    outputs = [real("probabilities", TensorProto.FLOAT, ["N", 3]), real("risk", TensorProto.FLOAT, ["N"])]
    constants = {"expected": FEATURES, "p": PROBABILITIES, "r": RISK}
    initial = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()]
    initial.append(numpy_helper.from_array(np.array([1]), "last"))
    graph = helper.make_graph(nodes, "example", inputs, outputs, initial)
    file.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )


def test_the_example_of_scoring_json_answers_as_the_page_shows(tmp_path: Path) -> None:
    """Fields, a scaled one, a text made a number, a default; labels, the best two, a threshold, kept fields."""
    example, answer, *_ = dropwhile(lambda block: '"keep"' not in block.text, blocks(PAGE, "json"))
    message = next(json.loads(word) for word in code_words(PAGE) if word.startswith('{"deviceId"'))
    assert str(FEATURES) in code_words(PAGE)
    save(tmp_path / "model.onnx")
    (tmp_path / "scoring.json").write_text(example.text)
    (given,) = OnnxModel(tmp_path / "model.onnx").predict([message])
    rounded = json.loads(json.dumps(given), parse_float=lambda number: round(float(number), 3))
    assert rounded == json.loads(answer.text)
