"""What run() is given for its requests: their values, and the contexts that count how often it has seen them."""

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from ...predictions import Context, Request


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
