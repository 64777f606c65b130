"""Boxes of detectors: ONNX's own NonMaxSuppression, run by ONNX Runtime, is the oracle; places by drawing them."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from onnx import TensorProto, helper

from scoring import OnnxModel
from scoring.errors import RunError
from scoring.onnx.boxes import Boxes, Layout, class_names, detections
from scoring.onnx.describe import describe
from scoring.onnx.pictures import Picture, PictureInput
from scoring.onnx.specs import TensorSpec

Reals = npt.NDArray[np.float32]


def suppressor() -> onnxruntime.InferenceSession:
    """Give ONNX's operator: boxes [1, N, 4] by their centres and scores [1, C, N] → [K, 3]: picture, class, box."""
    kinds = {"boxes": TensorProto.FLOAT, "scores": TensorProto.FLOAT, "most": TensorProto.INT64}
    kinds |= {"iou": TensorProto.FLOAT, "least": TensorProto.FLOAT}
    inputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()]
    node = helper.make_node("NonMaxSuppression", list(kinds), ["kept"], center_point_box=1)
    output = helper.make_tensor_value_info("kept", TensorProto.INT64, None)
    graph = helper.make_graph([node], "nms", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString())


def crowd(seed: int, anchors: int, classes: int) -> tuple[Reals, Reals]:
    """Give boxes [N, 4] by their centres, in clusters as a detector gives them, and scores [N, C]."""
    random = np.random.default_rng(seed)
    centres = random.uniform(50, 590, (12, 2))[random.integers(0, 12, anchors)] + random.normal(0, 12, (anchors, 2))
    sizes = random.uniform(20, 120, (anchors, 2))
    scores = random.uniform(0, 1, (anchors, classes)) ** 4
    return np.hstack([centres, sizes]).astype(np.float32), scores.astype(np.float32)


@pytest.mark.parametrize("layout", ["v8", "v5"])
@pytest.mark.parametrize(("seed", "iou", "score"), [(1, 0.45, 0.25), (2, 0.7, 0.05), (3, 0.0, 0.5), (4, 1.0, 0.6)])
def test_suppression_is_onnxs_own(layout: Layout, seed: int, iou: float, score: float) -> None:
    """The same boxes with the same scores, the best first, each class by itself; a box counts in its best class."""
    places, scores = crowd(seed, 2000, 5)
    only_best = np.where(scores == scores.max(axis=1, keepdims=True), scores, 0).astype(np.float32)
    feeds = {"boxes": places[None], "scores": only_best.T[None], "most": np.array([10_000])}
    feeds |= {"iou": np.array([iou], np.float32), "least": np.array([score], np.float32)}
    kept = suppressor().run(None, feeds)[0]
    wanted = sorted(((float(scores[box, kind]), int(kind), int(box)) for _, kind, box in kept), reverse=True)
    assert len(wanted) > 20

    if layout == "v8":
        table = np.hstack([places, scores]).T[None]
    else:
        certain = np.full((len(places), 1), 0.5, np.float32)
        table, score = np.hstack([places, certain, scores])[None], score * 0.5
    boxes = Boxes(layout=layout, iou=iou, score=score, max=10_000)
    found: Any = detections(table, boxes, [], "y", None)
    assert [each["label"] for each in found] == [kind for _, kind, _ in wanted]
    factor = 1.0 if layout == "v8" else 0.5
    assert [each["score"] for each in found] == [pytest.approx(one * factor, abs=1e-4) for one, _, _ in wanted]
    half = places[:, 2:] / 2
    corners = np.hstack([places[:, :2] - half, places[:, :2] + half])[[box for _, _, box in wanted]]
    assert np.allclose([each["box"] for each in found], corners, atol=0.01)
    some: Any = detections(table, Boxes(layout=layout, iou=iou, score=score, max=7), [], "y", None)
    assert some == found[:7]


def test_an_export_with_suppression_inside_is_only_chosen_from() -> None:
    """Corners, score and class; boxes that overlap stay."""
    rows = [[10, 20, 30, 40, 0.5, 1], [10, 20, 30, 40, 0.9, 1], [0, 0, 5, 5, 0.1, 0], [1, 1, 2, 2, 0.8, 0]]
    found = detections(np.array([rows], np.float32), Boxes(layout="v10", max=2), ["cat", "dog"], "y", None)
    assert found == [
        {"label": "dog", "score": 0.9, "box": [10, 20, 30, 40]},
        {"label": "cat", "score": 0.8, "box": [1, 1, 2, 2]},
    ]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("{1: 'dog', 0: 'cat'}", ["cat", "dog"]),
        ("{0: 'cat', 'x': 'dog'}", []),
        ("['cat']", []),
        ("__import__('os')", []),
        ("{0:", []),
        ("(" * 9999, []),
    ],
)
def test_an_export_may_name_its_classes(names: str, wanted: list[str]) -> None:
    """As Ultralytics writes them; whatever else is there under that name is none, and nothing of it is run."""
    assert class_names({"names": names}) == wanted
    assert class_names({}) == []


def test_what_is_no_number_is_no_box() -> None:
    """A NaN among the places or the scores; nothing found is an empty list."""
    table = np.array([[10, 10, 4, 4, 0.9], [np.nan, 10, 4, 4, 0.9], [9, 9, np.inf, 4, 0.9], [9, 9, 4, 4, np.nan]]).T
    assert detections(table, Boxes(), ["a"], "y", None) == [{"label": "a", "score": 0.9, "box": [8, 8, 12, 12]}]
    assert detections(table[:, 3:], Boxes(), ["a"], "y", None) == []
    assert detections(table[:, :0], Boxes(), ["a"], "y", None) == []


def test_a_box_that_cannot_be_is_none() -> None:
    """A negative width hides no other box; a class that is no number, or none that there is, has no label."""
    table = np.array([[100, 100, -50, 50, 0.9], [10, 10, 4, 4, 0.8], [300, 300, 10, 10, 0.7]], np.float32)
    found: Any = detections(table.T, Boxes(), [], "y", None)
    assert [each["score"] for each in found] == [0.8, 0.7]
    rows = [[0, 0, 5, 5, 0.9, kind] for kind in (np.nan, 1e30, -1, np.inf, 3)] + [[5, 5, 0, 0, 0.9, 1]]
    found = detections(np.array(rows, np.float32), Boxes(layout="v10"), [], "y", None)
    assert [each["label"] for each in found] == [3]


@pytest.mark.parametrize(
    ("shape", "boxes", "labels", "sentence"),
    [
        ((84, 8400), Boxes(), ["a"], r"boxes of y, which is 84×8400: mend layout \(v8\) and labels"),
        ((8400, 84), Boxes(layout="v5"), ["a"] * 80, "which is 8400×84"),
        ((2, 84, 8400), Boxes(), [], "which is 2×84×8400"),
        ((4,), Boxes(), [], "which is 4"),
    ],
)
def test_what_holds_no_such_boxes_is_said(shape: Any, boxes: Boxes, labels: list[str], sentence: str) -> None:
    """The layout or the labels do not fit."""
    with pytest.raises(RunError, match=sentence):
        detections(np.zeros(shape), boxes, labels, "y", None)
    with pytest.raises(RunError, match="1 labels for y: the model gave a class beyond them"):
        detections(np.array([[0, 0, 1, 1, 0.9, 3]]), Boxes(layout="v10"), ["a"], "y", None)


@pytest.mark.parametrize("resize", ["stretch", "fit", "crop"])
@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1920, 1080), (64, 64), (50, 200)])
def test_boxes_are_in_pixels_of_the_picture(resize: Any, width: int, height: int) -> None:
    """A white square is drawn into a picture; where it lies in the tensor is given back as where it was drawn."""
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra [images]")
    left, top = round(0.45 * width), round(0.45 * height)
    right, bottom = left + 8 * width // 64, top + 8 * height // 64
    drawn = np.zeros((height, width, 3), np.uint8)
    drawn[top:bottom, left:right] = 255
    file = io.BytesIO()
    pillow.fromarray(drawn).save(file, "PNG")
    take = PictureInput(
        Picture(decode="image", size=(192, 256), channels="L", resize=resize),
        TensorSpec("x", np.dtype("float32"), (None, 1, None, None)),
    )
    tensor, view = take(file.getvalue())
    rows, columns = np.nonzero(np.asarray(tensor)[0] > 0.75)
    x1, y1, x2, y2 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    table = np.array([[(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, 1.0]]).T
    (found,) = detections(table, Boxes(), ["square"], "y", view)
    assert isinstance(found, dict)
    slack = 1 / min(view.zoom) + 0.5
    assert np.allclose(found["box"], [left, top, right, bottom], atol=slack)
    beyond = detections(np.array([[128, 96, 9999, 9999, 1.0]]).T, Boxes(), [], "y", view)
    assert beyond == [{"label": 0, "score": 1.0, "box": [0, 0, width, height]}]


@pytest.mark.parametrize("batch", ["N", 1])
def test_an_export_of_yolo_runs_without_a_script(tmp_path: Path, batch: int | str) -> None:
    """Pictures of several sizes in, boxes in their pixels out; with a batch axis and with the usual fixed one."""
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra [images]")
    table = np.zeros((1, 84, 8400), np.float32)
    table[0, :4, 7], table[0, 4 + 2, 7] = (320, 320, 64, 32), 0.875
    constant = helper.make_tensor("table", TensorProto.FLOAT, table.shape, table.tobytes(), raw=True)
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["mean", "last"], ["m"]),
        helper.make_node("Mul", ["m", "zero"], ["z"]),
        helper.make_node("Add", ["table", "z"], ["output0"]),
    ]
    constants = [
        constant,
        helper.make_tensor("last", TensorProto.INT64, [1], [3]),
        helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
    ]
    size = ["H", "W"] if batch == "N" else [640, 640]
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, *size])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [batch, 84, 8400])
    graph = helper.make_graph(nodes, "yolo", [given], [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": str({number: f"class{number}" for number in range(80)})})
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    scoring = {
        "inputs": {"images": {"decode": "image", "size": [640, 640], "resize": "fit"}},
        "outputs": {"output0": {"name": "objects", "boxes": "v8"}},
    }
    (tmp_path / "scoring.json").write_text(json.dumps(scoring))
    yolo = OnnxModel(tmp_path / "model.onnx")
    assert yolo.batches == (batch == "N")
    assert yolo._runner.is_ready  # measured with a picture of one pixel
    assert describe(yolo)[0] == (
        "input images: the picture (JPEG, PNG) in the field 'images' or the body itself, fit, array "
        f"{'3×640×640' if yolo.batches else '1×3×640×640'} of number (float32)"
    )
    pictures = []
    for width, height in ((1280, 960), (320, 640), (640, 640)):
        file = io.BytesIO()
        pillow.new("RGB", (width, height), (255, 128, 0)).save(file, "JPEG")
        pictures.append(file.getvalue())
    assert yolo.predict(pictures) == [
        {"objects": [{"label": "class2", "score": 0.875, "box": box}]}
        for box in ([576, 448, 704, 512], [128, 304, 192, 336], [288, 304, 352, 336])
    ]
