"""OnnxModel on models of every form: sequences, maps, optional and defaulted inputs, no inputs, odd batch axes."""

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from onnx import NodeProto, TensorProto, TypeProto, ValueInfoProto, helper, numpy_helper

from scoring import OnnxModel, RequestError
from scoring.bodies.plain_values import encode
from scoring.errors import ModelError, RunError
from scoring.execution import runner
from scoring.onnx.describe import describe
from scoring.onnx.wide_values import from_ort, to_ort

REAL, WHOLE, TEXT = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
Build = Callable[..., OnnxModel]


def tensor(name: str, *shape: int | str | None, kind: int = REAL) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def mapping(key: int, value: int = REAL) -> TypeProto:
    kind = TypeProto()
    kind.map_type.key_type = key
    kind.map_type.value_type.tensor_type.elem_type = value
    return kind


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Make and load a model of nodes, inputs, outputs and constants."""

    def make(
        nodes: Sequence[NodeProto],
        inputs: Sequence[ValueInfoProto],
        outputs: Sequence[ValueInfoProto],
        **constants: object,
    ) -> OnnxModel:
        kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
        domains = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
        graph = helper.make_graph(nodes, "test", inputs, outputs, kept)
        (tmp_path / "model.onnx").write_bytes(
            helper.make_model(graph, opset_imports=domains, ir_version=9).SerializeToString()
        )
        return OnnxModel(tmp_path / "model.onnx")

    return make


def zipmap(**classes: object) -> NodeProto:
    return helper.make_node("ZipMap", ["p"], ["scores"], domain="ai.onnx.ml", **classes)


@pytest.mark.parametrize(
    ("classes", "kind", "names"),
    [({"classlabels_strings": ["a", "b"]}, TEXT, ("a", "b")), ({"classlabels_int64s": [3, 7]}, WHOLE, ("3", "7"))],
)
def test_a_zipmap_is_an_object_for_each_row(
    build: Build, classes: dict[str, object], kind: int, names: tuple[str, str]
) -> None:
    """With texts as names, as JSON has them; rows share a call."""
    scores = helper.make_value_info("scores", helper.make_sequence_type_proto(mapping(kind)))
    model = build([zipmap(**classes)], [tensor("p", "N", 2)], [scores])
    assert model.batches
    wanted = [{"scores": dict(zip(names, row, strict=True))} for row in ([0.25, 0.75], [1.0, 0.0])]
    assert model.predict([[0.25, 0.75], {"p": [1, 0]}]) == wanted


def test_a_classifier_of_scikit_learn(build: Build, tmp_path: Path) -> None:
    """As skl2onnx writes it: a label and a ZipMap."""
    linear = pytest.importorskip("sklearn.linear_model")
    skl2onnx = pytest.importorskip("skl2onnx")
    fitted = linear.LogisticRegression().fit([[0.0, 0], [1, 1], [0, 1], [3, 3]], ["low", "high", "low", "high"])
    onx = skl2onnx.to_onnx(fitted, np.zeros((1, 2), np.float32), target_opset=17)
    (tmp_path / "classifier.onnx").write_bytes(onx.SerializeToString())
    model = OnnxModel(tmp_path / "classifier.onnx")
    assert model.batches
    first, second = model.predict([[0, 0], [3, 3]])
    assert (first["output_label"], second["output_label"]) == ("low", "high")
    scores = second["output_probability"]
    assert isinstance(scores, dict)
    assert scores["high"] == pytest.approx(fitted.predict_proba([[3, 3]])[0, 0], abs=1e-5)


@pytest.mark.parametrize(
    ("key", "vocabulary"), [(TEXT, {"string_vocabulary": ["1", "2"]}), (WHOLE, {"int64_vocabulary": [1, 2]})]
)
def test_a_map_is_an_object(build: Build, key: int, vocabulary: dict[str, object]) -> None:
    """By its input's name, or as the whole request; whole numbers are names in JSON."""
    node = helper.make_node("DictVectorizer", ["x"], ["y"], domain="ai.onnx.ml", **vocabulary)
    model = build([node], [helper.make_value_info("x", mapping(key))], [tensor("y", "N", 2)])
    assert not model.batches
    for request in ({"1": 1.5, "2": 2}, {"x": {"1": 1.5, "2": 2}}):
        assert np.array_equal(model.predict([request])[0]["y"], [[1.5, 2]])  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="the field x has at 1 no float32"):
        model.predict([{"x": {"1": "a"}}])
    with pytest.raises(RequestError, match="the field x holds no object with entries: expected an object of number"):
        model.predict([{"x": {}}])
    with pytest.raises(RequestError, match="the field x holds a number that is no float32"):
        model.predict([{"x": {"1": 1e39}}])
    for name in ("1_0", str(2**70)) if key == WHOLE else ():
        with pytest.raises(RequestError, match=f"the field x has the name {name}: expected an object of number"):
            model.predict([{"x": {name: 1}}])


def test_a_map_that_python_cannot_give_is_refused_at_start(build: Build) -> None:
    """ONNX Runtime makes every dict one of float32."""
    node = helper.make_node("DictVectorizer", ["x"], ["y"], domain="ai.onnx.ml", string_vocabulary=["a"])
    given = helper.make_value_info("x", mapping(TEXT, TensorProto.DOUBLE))
    with pytest.raises(ModelError, match="the model's x is a map of float64: ONNX Runtime takes from Python"):
        build([node], [given], [tensor("y", 1, 1, kind=TensorProto.DOUBLE)])


def test_a_list_of_any_length_stays_a_list(build: Build, tmp_path: Path) -> None:
    """Also where it has one number; a single one that never is more stays a number."""
    (tmp_path / "scoring.json").write_text('{"batch": false}')
    nodes = [helper.make_node("Abs", ["x"], ["y"]), helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=1)]
    model = build(nodes, [tensor("x", "T")], [tensor("y", "T"), tensor("sum", 1)])
    for values in ([5.0], [5.0, 6.0], []):
        (prediction,) = model.predict([values])
        assert np.array_equal(prediction["y"], values)  # type: ignore[arg-type]
        assert prediction["sum"] == sum(values)


@pytest.mark.parametrize(("batch", "size", "of_one"), [("N", "t", [3.0]), (1, "t", [[3.0]]), ("N", 1, 3.0)])
def test_whether_an_answer_is_a_list_follows_from_the_model(
    build: Build, batch: int | str, size: int | str, of_one: object
) -> None:
    """And not from how long the request is."""
    double = [helper.make_node("Add", ["x", "x"], ["y"])]
    model = build(double, [tensor("x", batch, size)], [tensor("y", batch, size)])
    assert model.batches == (batch == "N")
    assert msgspec.json.decode(encode(model.predict([{"x": [1.5]}])[0]["y"])) == of_one
    if size == "t":
        assert np.shape(model.predict([{"x": [1.5, 2]}])[0]["y"]) == (*np.shape(of_one)[:-1], 2)


def test_a_sequence_is_a_list_of_arrays(build: Build) -> None:
    """Of any shapes, also none."""
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(REAL, None))
    same = helper.make_node("Identity", ["x"], ["y"])
    model = build([same], [helper.make_value_info("x", kind)], [helper.make_value_info("y", kind)])
    for request in ([[1.0, 2.0], [[3.0]]], [[1.5, 2.5]]):
        given = model.predict([request])[0]["y"]
        assert isinstance(given, list)
        assert [each.tolist() for each in given] == request
    assert model.predict([{"x": []}]) == [{"y": []}]
    with pytest.raises(RequestError, match="the field x holds no list: expected a list of arrays of number"):
        model.predict([{"x": 1}])


def test_an_optional_input_may_be_left_out(build: Build) -> None:
    """Missing or null."""
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(REAL, None))
    node = helper.make_node("OptionalHasElement", ["x"], ["y"])
    model = build([node], [helper.make_value_info("x", kind)], [tensor("y", kind=TensorProto.BOOL)])
    assert model.predict([{}, {"x": None}, {"x": [1]}]) == [{"y": False}, {"y": False}, {"y": True}]


def test_an_input_with_a_value_of_its_own_may_be_given(build: Build) -> None:
    """A request that gives it is a call of its own; the others share one."""
    inputs = [tensor("x", "N", 2), tensor("w", 1)]
    model = build([helper.make_node("Mul", ["x", "w"], ["y"])], inputs, [tensor("y", "N", 2)], w=np.ones(1, np.float32))
    given = model.predict([[1, 2], {"x": [1, 2], "w": [3]}, {"x": [5, 6]}])
    assert [np.asarray(each["y"]).tolist() for each in given] == [[1, 2], [3, 6], [5, 6]]
    assert "optional: field 'w', array 1 of number (float32)" in describe(model)


def test_a_model_without_inputs_answers_every_request(build: Build) -> None:
    """A constant."""
    model = build([helper.make_node("Identity", ["c"], ["y"])], [], [tensor("y", "N")], c=np.ones(2, np.float32))
    assert [each["y"].tolist() for each in model.predict([{}, 7])] == [[1, 1], [1, 1]]  # type: ignore[attr-defined]


def test_a_batch_axis_that_is_none_is_said(build: Build) -> None:
    """Both dimensions are free, but the output's first one is not the input's."""
    model = build([helper.make_node("Transpose", ["x"], ["y"])], [tensor("x", "N", "M")], [tensor("y", "M", "N")])
    with pytest.raises(RunError, match=r'3 rows of y for 1 requests: write \{"batch": false\} into scoring\.json'):
        model.predict([[1, 2, 3]])


def test_what_the_model_refuses_is_the_requests_error(build: Build) -> None:
    """With what ONNX Runtime says of it."""
    inputs = [tensor("x", 3), tensor("i", 1, kind=WHOLE)]
    model = build([helper.make_node("Gather", ["x", "i"], ["y"])], inputs, [tensor("y", 1)])
    assert model.predict([{"x": [1, 2, 3], "i": [2]}]) == [{"y": 3.0}]
    with pytest.raises(RequestError, match=r"the model refuses the request: .* out of data bounds"):
        model.predict([{"x": [1, 2, 3], "i": [5]}])


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4", "int2", "uint2"])
@pytest.mark.parametrize("size", [0, 1, 5, 8])
def test_types_that_numpy_lacks_are_packed_as_onnx_packs_them(name: str, size: int) -> None:
    """Compared with the ONNX project's own bytes; and they come back."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1, 0, -1, 1, 0, 1, -2, 1][:size]).astype(getattr(ml_dtypes, name))
    value = to_ort(array)
    given = from_ort(value, array.dtype)
    assert given.tolist() == array.tolist()
    assert encode(given) == encode(array.tolist())
    packed = numpy_helper.from_array(array).raw_data
    assert ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes()) == packed


def test_a_missing_field_says_how_to_gather_it(build: Build) -> None:
    """The commonest first mistake: one field per sensor, one input for all."""
    model = build([helper.make_node("Abs", ["x"], ["y"])], [tensor("x", "N", 3)], [tensor("y", "N", 3)])
    with pytest.raises(RequestError) as raised:
        model.predict([{"temperature": 1.5, "speed": 2, "load": 3, "id": "m1"}])
    assert str(raised.value) == (
        "the field x is missing (there: id, load, speed, temperature): send it, or gather 3 fields in scoring.json, "
        '{"inputs": {"x": ["temperature", "speed", …]}}'
    )
    assert describe(model)[:2] == [
        "input x: field 'x' or the bare value, array 3 of number (float32)",
        "output y: field 'y', array 3 of number (float32)",
    ]


def test_a_column_of_a_data_frame_takes_a_value_alone(build: Build) -> None:
    """skl2onnx declares each as [None, 1]; what comes as a row of one stays one, beside others."""
    inputs = [tensor("age", None, 1), tensor("city", None, 1, kind=TEXT)]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in ("age", "city")]
    model = build(nodes, inputs, [tensor("age_out", None, 1), tensor("city_out", None, 1, kind=TEXT)])
    requests = [{"age": 4, "city": "a"}, {"age": [5.5], "city": ["b"]}, {"age": True, "city": ""}]
    given = [{"age_out": 4.0, "city_out": "a"}, {"age_out": 5.5, "city_out": "b"}, {"age_out": 1.0, "city_out": ""}]
    assert model.predict(requests) == given
    assert describe(model)[:2] == [
        "input age: field 'age', number (float32)",
        "input city: field 'city', text (str)",
    ]
    with pytest.raises(RequestError, match=r"the field age is missing \(there: b\)$"):
        model.predict([{"b": 1}])


@pytest.mark.parametrize("with_maps", [True, False])
def test_a_label_that_is_declared_as_one_has_a_batch_axis(
    build: Build, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, *, with_maps: bool
) -> None:
    """As onnxmltools declares LightGBM's; ONNX Runtime's warning about it, a line a call, is not written."""
    classes = {"classlabels_strings": ["a", "b"], "coefficients": [1.0, 0, 0, 1], "intercepts": [0.0, 0]}
    linear = {"domain": "ai.onnx.ml", "multi_class": 1, "post_transform": "NONE", **classes}
    nodes = [helper.make_node("LinearClassifier", ["x"], ["label", "p"], **linear)]
    scores = tensor("p", "N", 2)
    if with_maps:
        nodes.append(zipmap(classlabels_strings=["a", "b"]))
        scores = helper.make_value_info("scores", helper.make_sequence_type_proto(mapping(TEXT)))
    model = build(nodes, [tensor("x", "N", 2)], [tensor("label", 1, kind=TEXT), scores])
    given = model.predict([[0.25, 0.75], [1, 0], [0, 3]])
    assert [each["label"] for each in given] == ["b", "a", "b"]
    if with_maps:
        assert given[1] == {"label": "a", "scores": {"a": 1.0, "b": 0.0}}
    assert "onnxruntime" not in capfd.readouterr().err
    with caplog.at_level("DEBUG"):
        OnnxModel(model.path).predict([[0.25, 0.75], [1, 0]])
    assert "Expected shape from model of {1}" in capfd.readouterr().err
    OnnxModel(model.path)


def test_a_single_value_beside_rows_is_not_shared(build: Build) -> None:
    """In a model of ONNX ML an output of [1] may be a real one: each request gets its own."""
    nodes = [
        helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml", scale=[2.0], offset=[0.0]),
        helper.make_node("ReduceSum", ["y"], ["all"], keepdims=0),
        helper.make_node("Unsqueeze", ["all", "first"], ["total"]),
    ]
    model = build(nodes, [tensor("x", "N", 2)], [tensor("y", "N", 2), tensor("total", 1)], first=np.array([0]))
    assert [each["total"] for each in model.predict([[1, 2], [3, 4]])] == [6.0, 14.0]


def axis_models() -> list[object]:
    make = helper.make_node
    sized = [make("Shape", ["x"], ["s"]), make("ReduceProd", ["s"], ["n"], keepdims=1), make("Sub", ["n", "n"], ["o"])]
    baked = [*sized, make("Add", ["o", "shape"], ["to"]), make("Reshape", ["x", "to"], ["y"])]
    return [
        pytest.param([make("CumSum", ["x", "zero"], ["y"])], {"zero": np.array(0)}, id="a running sum"),
        pytest.param([make("CumSum", ["x", "zero"], ["y"], reverse=1)], {"zero": np.array(0)}, id="and backwards"),
        pytest.param([make("Softmax", ["x"], ["y"], axis=0)], {}, id="a share of all"),
        pytest.param(baked, {"shape": np.array([1, 2])}, id="a shape written down for one"),
    ]


@pytest.mark.parametrize(("nodes", "constants"), axis_models())
def test_requests_that_change_each_other_share_no_call(
    build: Build, caplog: pytest.LogCaptureFixture, nodes: list[NodeProto], constants: dict[str, object]
) -> None:
    """The first dimension is free, and may be time: seen by running requests together and alone, said once."""
    model = build(nodes, [tensor("x", "T", 2)], [tensor("y", "T", 2)], **constants)
    requests: list[object] = [[1, 2], [3, 4], [5, 0.5]]
    alone = [model.predict([request])[0]["y"] for request in requests]
    for _ in range(2):
        assert np.array_equal([each["y"] for each in model.predict(requests)], alone)  # type: ignore[arg-type]
    assert not model.shares
    assert (
        len([line for line in caplog.messages if "changes what it gives for a request by those beside it" in line]) == 1
    )
    assert "batch: each request is a call of its own: in one call they change each other's outputs" in describe(model)
    with pytest.raises(RequestError, match=r'3×2: expected 2 \(if that is one request, write \{"batch": false\} into'):
        model.predict([requests])


def label_models() -> list[object]:
    make = helper.make_node
    centred = [make("ReduceMean", ["x", "zero"], ["mean"]), make("Sub", ["x", "mean"], ["z"])]
    spread = [make("Mul", ["z", "z"], ["zz"]), make("ReduceMean", ["zz", "zero"], ["v"]), make("Sqrt", ["v"], ["s"])]
    far = [*centred, *spread, make("Div", ["z", "s"], ["d"]), make("ReduceMax", ["d", "one"], ["m"], keepdims=0)]
    best = [*centred, make("ArgMax", ["z"], ["y"], axis=1, keepdims=0)]
    above = [*centred, make("ReduceMax", ["z", "one"], ["m"], keepdims=0), make("Greater", ["m", "three"], ["y"])]
    return [
        pytest.param(best, WHOLE, id="the best"),
        pytest.param(above, TensorProto.BOOL, id="beyond a limit"),
        pytest.param([*far, make("Greater", ["m", "three"], ["y"])], TensorProto.BOOL, id="beyond three deviations"),
    ]


@pytest.mark.parametrize(("nodes", "kind"), label_models())
def test_labels_do_not_hide_that_requests_change_each_other(build: Build, nodes: list[NodeProto], kind: int) -> None:
    """Found at the start, with made-up rows: the first real ones may have the same label by luck, or be all equal."""
    constants = {"zero": np.array([0]), "one": np.array([1]), "three": np.float32(3)}
    model = build(nodes, [tensor("x", "N", 3)], [tensor("y", "N", kind=kind)], **constants)
    assert not model.shares


def test_equal_requests_prove_nothing(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, those that differ are still tried."""
    monkeypatch.setattr(runner, "mixes_made_up", lambda *_: False)
    nodes = [helper.make_node("Softmax", ["x"], ["p"], axis=0), helper.make_node("ReduceMax", ["p", "one"], ["y"])]
    model = build(nodes, [tensor("x", "N", 1)], [tensor("y", "N", 1)], one=np.array([1]))
    monkeypatch.setattr(model._runner, "shares", True)
    proved: list[object] = []
    monkeypatch.setattr(model._runner, "prove", proved.append)
    for _ in range(20):
        model.predict([[1], [1]])
    assert not proved
    for _ in range(20):
        model.predict([[1], [2]])
    assert len(proved) == 8


@pytest.mark.parametrize("said", [False, True])
def test_what_is_quantised_dynamically_shares_no_call(build: Build, tmp_path: Path, said: bool) -> None:
    """A call has one scale, which an outlier beside changes; unless scoring.json says that this does no harm."""
    if said:
        (tmp_path / "scoring.json").write_text('{"batch": true}')
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    model = build(nodes, [tensor("x", "N", 2)], [tensor("y", "N", 2)])
    assert model.shares == said
    if not said:
        first, _ = model.predict([[0.1, 0.2], [1000, 0]])
        assert np.array_equal(first["y"], model.predict([[0.1, 0.2]])[0]["y"])  # type: ignore[arg-type]


@pytest.mark.parametrize("last", ["Softmax", "Sigmoid", "LayerNormalization"])
def test_rounding_is_no_change(build: Build, last: str) -> None:
    """Values far out meet saturation and cancellation, and still requests share a call."""
    weights = np.random.default_rng(4).standard_normal((6, 64, 64)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w0"], ["h0"])]
    for layer in range(1, 6):
        nodes += [
            helper.make_node("Relu", [f"h{layer - 1}"], [f"r{layer}"]),
            helper.make_node("MatMul", [f"r{layer}", f"w{layer}"], [f"h{layer}"]),
        ]
    constants = {f"w{layer}": each for layer, each in enumerate(weights)} | {"scale": np.ones(64, np.float32)}
    nodes.append(helper.make_node(last, ["h5", "scale"][: 2 if last == "LayerNormalization" else 1], ["p"]))
    nodes.append(helper.make_node("ArgMax", ["p"], ["y"], axis=1, keepdims=0))
    model = build(nodes, [tensor("x", "N", 64)], [tensor("y", "N", kind=WHOLE), tensor("p", "N", 64)], **constants)
    assert model.shares


def test_scoring_json_may_say_that_requests_share_a_call(build: Build, tmp_path: Path) -> None:
    """Who says so knows: nothing is tried."""
    (tmp_path / "scoring.json").write_text('{"batch": true}')
    model = build([helper.make_node("Softmax", ["x"], ["y"], axis=0)], [tensor("x", "T", 1)], [tensor("y", "T", 1)])
    assert model.predict([[0], [0]]) == [{"y": 0.5}, {"y": 0.5}]
    assert model.shares


def test_a_model_is_measured_without_a_sample(build: Build) -> None:
    """Where only the batch dimension is free, also beside a dimension of one and an input with a value of its own."""
    inputs = [tensor("x", "N", 3), tensor("k", "N", 1), tensor("w", 1)]
    nodes = [helper.make_node("Mul", ["x", "w"], ["xw"]), helper.make_node("Add", ["xw", "k"], ["y"])]
    model = build(nodes, inputs, [tensor("y", "N", 3)], w=np.ones(1, np.float32))
    assert model.loaded.plan.size > 1
