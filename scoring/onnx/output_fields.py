"""The value of one output → a field of the prediction: labels, the best few, a threshold."""

import math
from typing import Annotated

import msgspec
import numpy as np

from ..errors import RunError
from .boxes import Boxes, detections
from .pictures import View


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field that ``scoring.json`` makes of an output; a text alone stands for an Output of that name.

    Attributes:
        name: the field's, by default the output's.
        labels: names of the classes, in order: a whole number becomes its label, a list of scores an object by label.
        top: of a list of scores the best so many, ``[{"label", "score"}, …]``.
        threshold: a number becomes true from it on, or one of two labels; of a list of scores the labels that reach it.
            What is no number (NaN) is null, and the last of all.
        boxes: of a detector's output the boxes that it found.
    """

    name: str = ""
    labels: list[str] = []
    top: Annotated[int, msgspec.Meta(ge=1)] | None = None
    threshold: float | None = None
    boxes: Boxes | None = None


def shown(value: object, output: Output, of: str, view: View | None = None) -> object:
    """Give an output's value as the field shows it.

    Args:
        value: a number, a text, an array, or a dict of scores by label.
        output: what the field is.
        of: the output's name, for errors.
        view: of the picture, if the request has one.

    Raises:
        RunError: labels, top, threshold or boxes do not fit the value.
    """
    if output.boxes is not None:
        return detections(value, output.boxes, output.labels, of, view)
    if not output.labels and output.top is None and output.threshold is None:
        return value
    if isinstance(value, np.ndarray) and value.ndim and value.size == value.shape[-1]:
        labels: list[str] | range = output.labels or range(value.size)
        if len(labels) != value.size:
            raise RunError(f"scoring.json has {len(labels)} labels for {of}, which has {value.size} scores: name each")
        value = dict(zip(labels, value.reshape(-1).tolist(), strict=True))
    elif isinstance(value, dict) and output.labels:
        value = {_label(key, output.labels, of): score for key, score in value.items()}
    if isinstance(value, dict):
        return _scores(value, output)
    if isinstance(value, int | float | np.generic) and output.top is None:
        return _number(value.item() if isinstance(value, np.generic) else value, output, of)
    raise RunError(f"scoring.json asks for labels, top or threshold of {of}, which is no number and no list of numbers")


def _label(key: object, labels: list[str], of: str) -> str:
    """Give the label of a map's entry, whose key is a class's number as text."""
    if not str(key).isdecimal() or int(str(key)) >= len(labels):
        reason = f"the model gave a score for {str(key)[:40]}"
        raise RunError(f"scoring.json has labels for {of} from 0 to {len(labels) - 1}: {reason}")
    return labels[int(str(key))]


def _scores(scores: dict[object, object], output: Output) -> object:
    pairs: list[tuple[object, float]] = [(label, float(score)) for label, score in scores.items()]  # type: ignore[arg-type]
    if output.threshold is not None:
        pairs = [(label, score) for label, score in pairs if score >= output.threshold]
    if output.top is not None:
        best = sorted(pairs, key=lambda pair: (math.isnan(pair[1]), -pair[1]))[: output.top]
        return [{"label": label, "score": score} for label, score in best]
    return scores if output.threshold is None else [label for label, _ in pairs]


def _number(value: float, output: Output, of: str) -> object:
    if output.threshold is not None:
        if math.isnan(value):
            return None
        value = value >= output.threshold
        if not output.labels:
            return value
    if not isinstance(value, int) or not 0 <= value < len(output.labels):
        raise RunError(f"scoring.json has labels for {of} from 0 to {len(output.labels) - 1}: the model gave {value}")
    return output.labels[value]
