"""What a detector gives → the boxes that it found: scores, classes, non-maximum suppression, pixels of the picture.

The layouts are those of YOLO's exports, in pixels of the input:

- ``v8`` (v8, v9, v11): ``[4 + classes, anchors]``, x y width height of a box by its centre, then each class's score
- ``v5`` (v5, v6, v7): ``[anchors, 5 + classes]``, the same with the certainty of an object before its classes
- ``v10`` (v10, and any export that has the suppression inside): ``[boxes, 6]``, x1 y1 x2 y2, score, class
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from ..errors import RunError
from .pictures import View
from .tensors import Shape

Layout = Literal["v5", "v8", "v10"]
Share = Annotated[float, Meta(ge=0, le=1)]
_MOST_CLASSES = 2**31
_Reals = npt.NDArray[np.float64]


class Boxes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How boxes are read from an output and chosen; a text alone is the layout.

    Attributes:
        layout: what the output holds, see above.
        score: that a box reaches at least, in its best class.
        iou: of two boxes of a class, the share of their union that they have in common, beyond which only the better
            one is kept; ``v10`` has none such.
        max: boxes of a picture at most, the best.
    """

    layout: Layout = "v8"
    score: Share = 0.25
    iou: Share = 0.45
    max: Annotated[int, Meta(ge=1, le=1000)] = 100

    def misfit(self, shape: Shape, labels: Sequence[str]) -> str:
        """Say why an output of a shape has no such boxes, with those labels; empty if it has."""
        if not shape:
            return ""  # the model does not say
        rows = shape[-2:][:: -1 if self.layout == "v8" else 1]
        fixed = {"v5": 5, "v8": 4, "v10": 6}[self.layout]
        classes = 0 if self.layout == "v10" else len(labels)
        if len(rows) == 2 and (
            rows[1] is None or rows[1] == fixed + classes or (not classes and self.layout != "v10" and rows[1] > fixed)
        ):
            return ""
        each = f"({fixed} + {classes or 'any'} labels)" if self.layout != "v10" else "6"
        wanted = f"{each} × any" if self.layout == "v8" else f"any × {each}"
        return f"{'×'.join('any' if size is None else str(size) for size in shape)}, and {self.layout} is {wanted}"


def class_names(metadata: Mapping[str, str]) -> list[str]:
    """Give the names of the classes that a model's metadata has as Ultralytics writes them, ``{0: 'person', …}``."""
    try:
        names = ast.literal_eval(metadata.get("names", "[]"))
        return [str(name) for _, name in sorted(names.items())] if isinstance(names, dict) else []
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return []


def detections(value: object, boxes: Boxes, labels: Sequence[str], of: str, view: View | None) -> list[object]:
    """Give what was found, the best first: ``[{"label", "score", "box": [x1, y1, x2, y2]}, …]``.

    Args:
        value: the output of one request.
        boxes: how to read it.
        labels: names of the classes; without them a label is the class's number.
        of: the output's name, for errors.
        view: of the picture, in whose pixels the boxes are given; without one in those of the input.

    Raises:
        RunError: the output holds no such boxes.
    """
    table = np.asarray(value)
    if table.ndim < 2 or table.size != table.shape[-2] * table.shape[-1] or boxes.misfit(table.shape, labels):
        shape = "×".join(map(str, table.shape))
        raise RunError(
            f"scoring.json asks for boxes of {of}, which is {shape}: mend layout ({boxes.layout}) and labels"
        )
    corners, scores, classes = _candidates(table.reshape(table.shape[-2:]), boxes)
    kept = _kept(corners, scores, classes, boxes)
    places = corners[kept] if view is None else view.undo(corners[kept])
    if labels and classes[kept].size and not 0 <= classes[kept].min() <= classes[kept].max() < len(labels):
        raise RunError(f"scoring.json has {len(labels)} labels for {of}: the model gave a class beyond them")
    return [
        {"label": labels[each] if labels else each, "score": round(score, 4), "box": [round(edge, 2) for edge in box]}
        for each, score, box in zip(classes[kept].tolist(), scores[kept].tolist(), places.tolist(), strict=True)
    ]


def _candidates(table: Any, boxes: Boxes) -> tuple[_Reals, _Reals, npt.NDArray[np.int64]]:
    """Give corners, score and class of the boxes that reach the score; one that is no number or negative is none."""
    rows, certain = (table.T, table[4:].max(axis=0)) if boxes.layout == "v8" else (table, table[:, 4])
    rows = rows[certain >= boxes.score].astype(np.float64)
    if boxes.layout == "v10":
        rows = rows[(rows[:, 5] >= 0) & (rows[:, 5] < _MOST_CLASSES)]
        corners, scores, classes = rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64)
    else:
        chances = rows[:, 4:] if boxes.layout == "v8" else rows[:, 5:] * rows[:, 4:5]
        classes = chances.argmax(axis=1)
        scores = np.take_along_axis(chances, classes[:, np.newaxis], axis=1)[:, 0]
        half = rows[:, 2:4] / 2
        corners = np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)
    good = (scores >= boxes.score) & np.isfinite(corners).all(axis=1)
    good &= (corners[:, 2:] >= corners[:, :2]).all(axis=1)
    return corners[good], scores[good], classes[good]


def _kept(corners: _Reals, scores: _Reals, classes: npt.NDArray[np.int64], boxes: Boxes) -> list[int]:
    """Give the places of the boxes that stay, the best first."""
    order = np.argsort(-scores, kind="stable")
    if boxes.layout == "v10":
        return [*order[: boxes.max]]
    areas = np.prod(corners[:, 2:] - corners[:, :2], axis=1)
    kept: list[int] = []
    while order.size and len(kept) < boxes.max:
        best, order = order[0], order[1:]
        kept.append(best)
        inner = np.minimum(corners[order, 2:], corners[best, 2:]) - np.maximum(corners[order, :2], corners[best, :2])
        common = inner.clip(0).prod(axis=1)
        hidden = common > boxes.iou * (areas[best] + areas[order] - common)
        order = order[~(hidden & (classes[order] == classes[best]))]
    return kept
