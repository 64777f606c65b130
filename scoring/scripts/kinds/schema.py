"""The schema kind, a run() with @input_schema: the fields of a JSON object are its arguments by name."""

import inspect
import json
import traceback

from ...bodies.codecs import Body, decode_json, decode_text
from ...compat.decorators import schema_sample
from ...errors import RequestError, ScoringError
from .one_at_a_time import OneAtATime
from .run_function import RunFunction


class Schema(OneAtATime):
    """A script whose decorators convert the arguments: every name is a field's.

    Only a ``context`` that neither a decorator names nor a default stands for, and that the body has not, is ours.
    """

    kind = "schema"

    def decode(self, body: Body) -> object:
        """Give the arguments: the fields of an object, by name, else their defaults.

        Raises:
            RequestError: the body is no JSON object, or a field is missing that has no default.
        """
        text = decode_text(body)
        try:
            fields = json.loads(text)  # as those images do: NaN and Infinity are values here
        except (ValueError, RecursionError):
            fields = decode_json(body)  # says which byte is wrong
        if not isinstance(fields, dict):
            raise RequestError("the body must be a JSON object with run()'s parameters as fields")
        arguments: dict[str, object] = {}
        for parameter in self.run.parameters:
            value = fields.get(parameter.name, parameter.default)
            if value is parameter.empty:
                there = ", ".join(sorted(str(name)[:40] for name in fields)[:8]) or "none"
                raise RequestError(f"the field {parameter.name} is missing (there: {there})")
            arguments[parameter.name] = value
        context = self.run.context
        return {**arguments, context: fields[context]} if context and context in fields else arguments

    def _filled(self, run: RunFunction) -> RunFunction:
        is_ours = any(each.name == "context" and each.default is each.empty for each in run.parameters)
        return (
            run.taking_context("context") if is_ours and "context" not in (schema_sample(run.function) or ()) else run
        )

    def error(self, raised: BaseException) -> ScoringError:
        """Give what a call raised; what the decorators raise on the way to run() is the body's fault."""
        code = getattr(inspect.unwrap(self.run.function), "__code__", None)
        has_entered = any(frame.f_code is code for frame, _ in traceback.walk_tb(raised.__traceback__))
        is_before = isinstance(raised, Exception) and code is not None and not has_entered
        return self.answering.error(raised, misfit=is_before)
