"""Which message fields become a model's inputs, which fields of the prediction its outputs become."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .input_fields import MISSING, Field, field_value, lookup
from .output_fields import Output, shown
from .pictures import PictureInput, View, several

Score = Callable[[Sequence[object]], list[dict[str, object]]]
"""Scores requests that have the model's inputs as fields."""


@dataclass(frozen=True, slots=True)
class FieldMap:
    """What ``scoring.json`` says.

    Attributes:
        batch: whether several requests share a call; None: as the model's shapes say.
        inputs: by input name one field, whose value the input gets, a list of fields, which it gets as a vector, or a
            picture; an input that is not named takes the field of its own name.
        outputs: by output name the fields that it becomes; if any is named, only those leave.
        keep: message fields copied into the prediction: all of them, those at some paths, or new names by path.
    """

    batch: bool | None = None
    inputs: Mapping[str, Field | list[Field] | PictureInput] = field(default_factory=dict)
    outputs: Mapping[str, list[Output]] = field(default_factory=dict)
    keep: bool | list[str] | dict[str, str] = False

    @property
    def pictures(self) -> list[PictureInput]:
        """The inputs that are made of pictures."""
        return [entry for entry in self.inputs.values() if isinstance(entry, PictureInput)]

    def outputs_of(self, name: str) -> list[Output]:
        """Give the fields that an output becomes; none if it is left out."""
        return self.outputs.get(name, [] if self.outputs else [Output()])

    def predict(self, requests: Sequence[object], score: Score) -> list[dict[str, object]]:
        """Score requests by the fields that they have; pictures only so many at a time as memory is meant for them.

        Raises:
            RequestError: a field is missing or cannot be converted.
            RunError: an output does not fit what scoring.json says of it.
        """
        step = min([each.at_once for each in self.pictures], default=len(requests))
        predictions: list[dict[str, object]] = []
        for start in range(0, len(requests), step or 1):
            some = requests[start : start + step]
            made = self._requests(some)
            scored = score([request for request, _ in made])
            predictions += self._predictions(some, scored, [view for _, view in made])
        return predictions

    def _requests(self, requests: Sequence[object]) -> list[tuple[object, View | None]]:
        if not self.inputs:
            return [(request, None) for request in requests]
        return several(self._request, requests) if self.pictures else [self._request(each) for each in requests]

    def _request(self, request: object) -> tuple[object, View | None]:
        """Give the request that the model takes, and where the picture lies that was made of it."""
        made, view = dict(request) if isinstance(request, dict) else {}, None
        for name, entry in self.inputs.items():
            if isinstance(entry, PictureInput):
                made[name], view = entry(request)
            elif isinstance(entry, Field):
                made[name] = field_value(request, entry)
            else:
                made[name] = [field_value(request, each) for each in entry]
        return made, view

    def _predictions(
        self, requests: Sequence[object], scored: Sequence[dict[str, object]], views: Sequence[View | None]
    ) -> Iterator[dict[str, object]]:
        """Give for each prediction of the model the one that leaves, with what is kept of its request."""
        named = [(name, output) for name, outputs in self.outputs.items() for output in outputs]
        for request, one, view in zip(requests, scored, views, strict=True):
            left = {each.name or of: shown(one[of], each, of, view) for of, each in named} if named else one
            yield self._kept(request) | left

    def _kept(self, request: object) -> dict[str, object]:
        if isinstance(self.keep, bool):
            return dict(request) if self.keep and isinstance(request, dict) else {}
        paths = self.keep if isinstance(self.keep, dict) else {path: path for path in self.keep}
        found = {name: lookup(request, path) for name, path in paths.items()}
        return {name: value for name, value in found.items() if value is not MISSING}
