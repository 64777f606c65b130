"""run() of a script: what its signature asks for, what it is given, and how its result is awaited."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType
from typing import Any, Literal

from msgspec import structs

from ...compat.main_thread import current_loop
from ...errors import ScriptError
from ...predictions import Context, Request

Kind = Literal["batched", "classic", "schema", "rawhttp", "onnx", "mlflow"]

HEADERS = "request_headers"
"""The parameter that gets what the sender said besides the body."""


def settle(result: Any) -> object:
    """Give the result of what has to be awaited; anything else as it is."""
    return current_loop().run_until_complete(result) if hasattr(type(result), "__await__") else result


@dataclass(frozen=True, slots=True)
class RunFunction:
    """run() of a script, and how it wants to be called.

    Attributes:
        function: as the script has it.
        where: its file and line, with which the sentence of an error begins.
        parameters: those that a request fills: without ``request_headers`` and the context.
        headers: whether it has the parameter ``request_headers``.
        context: the name of the parameter for the context; empty if it has none.
    """

    function: Callable[..., object]
    where: str
    parameters: tuple[inspect.Parameter, ...]
    headers: bool
    context: str = ""

    @property
    def name(self) -> str:
        """The parameter that gets the request."""
        return self.parameters[0].name

    @property
    def wants_context(self) -> bool:
        """Whether it gets anything of what a request came with."""
        return self.headers or bool(self.context)

    def taking_context(self, name: str) -> "RunFunction":
        """Give the same, with the parameter of that name, other than the first, as the one for the context."""
        first, *others = self.parameters
        left = [parameter for parameter in others if parameter.name != name]
        return replace(self, parameters=(first, *left), context=name if len(left) < len(others) else "")

    def filled_by_one(self) -> "RunFunction":
        """Give the same, if a request and what it came with are all that it needs.

        Raises:
            ScriptError: it has another parameter, which no message fills.
        """
        for parameter in self.parameters[1:]:
            if parameter.default is parameter.empty:
                raise ScriptError(
                    f"{self.where} has the parameter {parameter.name}, which no message fills: give it a default"
                )
        return self

    def told(self, contexts: Sequence[Context]) -> dict[str, list[Any]]:
        """Give the arguments besides the requests, by name: of each request in order."""
        headers = {HEADERS: [each.headers() for each in contexts]} if self.headers else {}
        return {**headers, **({self.context: list(contexts)} if self.context else {})}


def read_run(function: Callable[..., object], path: Path) -> RunFunction:
    """Read the signature of run(); the path is the script's.

    Raises:
        ScriptError: it has parameters that cannot be filled by name, or none for the message.
    """
    inner = inspect.unwrap(function)
    code = inner.__code__ if isinstance(inner, FunctionType) else None
    where = f"{Path(code.co_filename).name} line {code.co_firstlineno}: run()" if code else f"{path.name}: run()"
    try:
        everything = tuple(inspect.signature(function).parameters.values())
    except ValueError:  # some of C's functions
        raise ScriptError(f"{where} does not say what its parameters are: write def run(raw_data) around it") from None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in everything):
        raise ScriptError(f"{where} must name its parameters: *args and **kwargs cannot be filled from a message")
    if any(p.kind is p.POSITIONAL_ONLY for p in everything):
        raise ScriptError(f"{where} must take its parameters by name: remove the / from its parameters")
    parameters = tuple(parameter for parameter in everything if parameter.name != HEADERS)
    if not parameters:
        raise ScriptError(f"{where} takes no parameter: add one for the message, as in def run(raw_data)")
    return RunFunction(function, where, parameters, headers=len(parameters) < len(everything))


def values_of(requests: Sequence[Request]) -> list[Any]:
    """Give what run() gets: of a request that it has had before the body decoded anew, since it may have changed it."""
    decoded: dict[int, Any] = {}
    values: list[Any] = []
    for request in requests:
        if request.calls == 0 or request.decode is None:
            values.append(request.value)
            continue
        body = id(request.decode)
        if body not in decoded:
            decoded[body] = request.decode()
        values.append(decoded[body][request.row] if request.is_row else decoded[body])
    return values


def contexts_of(requests: Sequence[Request]) -> list[Context]:
    """Count a call with each request, and give the contexts of those that have one."""
    contexts = []
    for request in requests:
        if request.context is not None:
            contexts.append(structs.replace(request.context, attempt=request.context.attempt + request.calls))
        request.calls += 1
    return contexts
