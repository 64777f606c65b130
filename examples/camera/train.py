"""Make a small detector of loose parts on a conveyor belt, and the frames of a camera that looks at it.

    python examples/camera/train.py

Written beside this file: ``model.onnx``, ``telemetry.jsonl.gz`` (a frame a message, JPEG in base64), ``sample.json``
(the first of them) and ``truth.json`` (what lies where in them). The scenes are drawn from a seed: the same library
versions give the same bytes.
"""

import argparse
import gzip
import io
import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw, ImageFilter
from sklearn.neural_network import MLPClassifier, MLPRegressor

LABELS = ("bolt", "nut", "washer")
WIDTH, HEIGHT = 320, 240
"""Of a frame, in pixels."""

SIDE, PATCH, STRIDE = 128, 22, 4
"""Of the model's square input; of the part of it that one anchor sees; from anchor to anchor. In its pixels."""

FRAMES = 30

Real = NDArray[np.float32]
Boxes = list[tuple[int, float, float, float, float]]
"""Class and corners x1 y1 x2 y2 in pixels of the frame, one for each part."""


def scene(random: np.random.Generator) -> tuple[Image.Image, Boxes]:
    """Draw a belt with up to eight parts that do not touch; gives the frame and what is in it."""
    belt = np.linspace(70, 95, WIDTH) + 6 * np.sin(np.arange(HEIGHT)[:, None] / random.uniform(5, 9))
    frame = Image.fromarray(np.stack([belt, belt * 1.02, belt * 1.08], axis=-1).astype(np.uint8))
    boxes: Boxes = []
    for _ in range(random.integers(4, 9)):
        x, y = random.uniform(30, WIDTH - 30), random.uniform(30, HEIGHT - 30)
        if all(np.hypot(x - (a + c) / 2, y - (b + d) / 2) > 55 for _, a, b, c, d in boxes):
            label = int(random.integers(len(LABELS)))
            boxes.append((label, *draw_part(frame, label, x, y, random)))
    noise = random.normal(0, 3, (HEIGHT, WIDTH, 1))
    soft = np.asarray(frame.filter(ImageFilter.GaussianBlur(0.8))) + noise
    return Image.fromarray(soft.clip(0, 255).astype(np.uint8)), boxes


def draw_part(
    frame: Image.Image, label: int, x: float, y: float, random: np.random.Generator
) -> tuple[float, float, float, float]:
    """Draw one part around a place, turned by chance; gives its corners."""
    draw, steel = ImageDraw.Draw(frame), int(random.integers(165, 225))
    size, angle = random.uniform(14, 19), random.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if label == LABELS.index("bolt"):
        head, shaft = (-1.3, -0.6, -0.7, 0.6), (-0.7, -0.28, 1.3, 0.28)
        corners = [[(a, b), (c, b), (c, d), (a, d)] for a, b, c, d in (head, shaft)]
    elif label == LABELS.index("nut"):
        corners = [[(np.cos(turn), np.sin(turn)) for turn in np.arange(6) * np.pi / 3]]
    else:
        corners = [[(0.95 * np.cos(turn), 0.95 * np.sin(turn)) for turn in np.arange(36) * np.pi / 18]]
    outlines = [np.array(each) @ turn.T * size + (x, y) for each in corners]
    for outline in outlines:
        draw.polygon([tuple(point) for point in outline], fill=(steel, steel, min(255, steel + 8)))
    hole = {"bolt": 0.0, "nut": 0.42, "washer": 0.66}[LABELS[label]] * size
    if hole:
        draw.ellipse((x - hole, y - hole, x + hole, y + hole), fill=(74, 76, 80))
    points = np.concatenate(outlines)
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def jpeg(frame: Image.Image) -> bytes:
    """Give a frame as the camera sends it."""
    file = io.BytesIO()
    frame.save(file, "JPEG", quality=80)
    return file.getvalue()


def tensor(data: bytes) -> Real:
    """Give a JPEG as the model gets it by scoring.json, [SIDE, SIDE]: grey, fitted into the square, 0 to 1."""
    grey = Image.open(io.BytesIO(data)).convert("L").resize((SIDE, SIDE * HEIGHT // WIDTH), Image.Resampling.BILINEAR)
    square = Image.new("L", (SIDE, SIDE), 114)
    square.paste(grey, (0, (SIDE - grey.height) // 2))
    return np.asarray(square, np.float32) / 255


def patches(image: Real, stride: int) -> tuple[Real, Real]:
    """Give what each anchor sees, [anchors, PATCH²], and where its middle is, [anchors, 2], in the input's pixels."""
    seen = np.lib.stride_tricks.sliding_window_view(image, (PATCH, PATCH))[::stride, ::stride]
    rows, columns = np.indices(seen.shape[:2]) * stride + PATCH / 2
    return seen.reshape(-1, PATCH * PATCH), np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float32)


def examples(random: np.random.Generator, scenes: int) -> tuple[Real, NDArray[np.int64], Real]:
    """Give what anchors see, the class that is in their middle (the last: nothing), and its box beside the middle."""
    found: list[tuple[Real, NDArray[np.int64], Real]] = []
    zoom, top = SIDE / WIDTH, (SIDE - SIDE * HEIGHT // WIDTH) // 2
    for _ in range(scenes):
        frame, boxes = scene(random)
        seen, middles = patches(tensor(jpeg(frame)), STRIDE // 2)
        corners = np.array([box[1:] for box in boxes]) * zoom + (0, top, 0, top)
        centres, sizes = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
        away = np.linalg.norm(middles[:, None] - centres[None], axis=-1)
        nearest, far = away.argmin(axis=1), away.min(axis=1)
        classes = np.where(far < 3, np.array([box[0] for box in boxes])[nearest], len(LABELS))
        chosen = (far < 3) | (random.random(len(far)) < np.where(far < 4, 0, np.where(far < 16, 0.4, 0.04)))
        places = np.hstack([centres[nearest] - middles, sizes[nearest]])
        found.append((seen[chosen], classes[chosen], places[chosen].astype(np.float32)))
    seen, classes, places = (np.concatenate(each) for each in zip(*found, strict=True))
    return seen, classes, places


def detector(seen: Real, classes: NDArray[np.int64], places: Real) -> ModelProto:
    """Train two small networks and give them as convolutions: images [N, 1, SIDE, SIDE] → parts [N, 4 + 3, anchors].

    The output is what YOLO v8 gives: x y width height by the centre in pixels of the input, then a score a class.
    """
    classify = MLPClassifier(hidden_layer_sizes=32, max_iter=60, random_state=1, early_stopping=True).fit(seen, classes)
    is_part = classes < len(LABELS)
    locate = MLPRegressor(hidden_layer_sizes=32, max_iter=150, random_state=1, early_stopping=True).fit(
        seen[is_part], places[is_part]
    )
    nodes, constants = [], []
    for name, network in (("kind", classify), ("place", locate)):
        given = "images"
        for layer, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
            side = PATCH if layer == 0 else 1
            kernel = weights.T.reshape(weights.shape[1], -1, side, side).astype(np.float32)
            constants += [numpy_helper.from_array(kernel, f"{name}.w{layer}")]
            constants += [numpy_helper.from_array(bias.astype(np.float32), f"{name}.b{layer}")]
            strides = [STRIDE, STRIDE] if layer == 0 else [1, 1]
            conv = [given, f"{name}.w{layer}", f"{name}.b{layer}"]
            nodes.append(helper.make_node("Conv", conv, [f"{name}.c{layer}"], strides=strides))
            nodes.append(helper.make_node("Relu", [f"{name}.c{layer}"], [f"{name}.r{layer}"]))
            given = f"{name}.r{layer}"
    count = (SIDE - PATCH) // STRIDE + 1
    _, middles = patches(np.zeros((SIDE, SIDE), np.float32), STRIDE)
    beside = np.hstack([middles, np.zeros_like(middles)]).T[None]
    constants += [numpy_helper.from_array(beside, "middles")]
    constants += [numpy_helper.from_array(np.array([0, -1, count * count]), "flat")]
    constants += [numpy_helper.from_array(np.array([value]), f"at{value}") for value in (0, 1, len(LABELS))]
    nodes += [
        helper.make_node("Softmax", ["kind.c1"], ["shares"], axis=1),
        helper.make_node("Slice", ["shares", "at0", f"at{len(LABELS)}", "at1"], ["classes"]),
        helper.make_node("Reshape", ["classes", "flat"], ["scores"]),
        helper.make_node("Reshape", ["place.c1", "flat"], ["offsets"]),
        helper.make_node("Add", ["offsets", "middles"], ["places"]),
        helper.make_node("Concat", ["places", "scores"], ["parts"], axis=1),
    ]
    used = [node for node in nodes if node.output[0] not in ("kind.r1", "place.r1")]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 1, SIDE, SIDE])]
    outputs = [helper.make_tensor_value_info("parts", TensorProto.FLOAT, ["N", 4 + len(LABELS), count * count])]
    graph = helper.make_graph(used, "parts", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def messages(frames: list[bytes]) -> Iterator[bytes]:
    """Give each frame as the message that the camera sends, a JSON line."""
    for number, data in enumerate(frames, 1):
        message = {"camera": "belt-2", "frame": number, "image": b64encode(data).decode()}
        yield json.dumps(message, separators=(",", ":")).encode() + b"\n"


def main() -> None:
    """Write what the example needs."""
    parser = argparse.ArgumentParser(description="Make the camera example's detector and frames.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="default: beside this script")
    output = parser.parse_args().output
    model = detector(*examples(np.random.default_rng(1), 300))
    (output / "model.onnx").write_bytes(model.SerializeToString())
    shown = [scene(np.random.default_rng(1000 + number)) for number in range(FRAMES)]  # not trained with
    lines = b"".join(messages([jpeg(frame) for frame, _ in shown]))
    (output / "telemetry.jsonl.gz").write_bytes(gzip.compress(lines, mtime=0))
    (output / "sample.json").write_bytes(lines.partition(b"\n")[0] + b"\n")
    truth = [
        [{"label": LABELS[label], "box": [round(edge, 1) for edge in box]} for label, *box in boxes]
        for _, boxes in shown
    ]
    (output / "truth.json").write_text("[\n" + ",\n".join(map(json.dumps, truth)) + "\n]\n")


if __name__ == "__main__":
    main()
