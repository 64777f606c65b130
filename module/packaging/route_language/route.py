"""A route of edgeHub, understood: text → source, condition and endpoint (edgeHub `EndpointFactory.cs`)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from lark import Tree

from .conditions import Message, compile_condition
from .grammar import RouteSyntaxError, syntax_tree


class Endpoint(NamedTuple):
    """Where a route leads: an input of a module; both empty: $upstream."""

    module: str = ""
    input: str = ""


UPSTREAM = Endpoint()


class ParsedRoute(NamedTuple):
    """A route as edgeHub understands it: the path after FROM, the condition compiled, and where it leads."""

    source: str
    passes: Callable[[Message], bool]
    endpoint: Endpoint

    @property
    def prefix(self) -> str:
        """What the source of a message must begin with, in small letters and ending in ``/``.

        Only stars at the end are left out; one in the middle is a plain character (`CustomMessageSource`).
        """
        return self.source.rstrip("*").rstrip("/").lower() + "/"

    @property
    def source_module(self) -> str:
        """The one module that the route takes messages from; empty if it takes those of several or of devices."""
        _, *names = self.source.split("/")
        is_module = len(names) > 2 and [name.lower() for name in names[:2]] == ["messages", "modules"]
        return names[2] if is_module and names[2] != "*" else ""

    def is_from(self, module: str) -> bool:
        """Say whether it takes messages from this one module: edgeHub compares sources without regard to case."""
        return self.source_module.lower() == module.lower()


def parse(route: str) -> ParsedRoute:
    """Understand ``FROM … [WHERE …] INTO …``.

    Raises:
        RouteSyntaxError: it is not one, its condition does not fit, or it leads to what is no place.
    """
    tree = syntax_tree(route)
    source = "".join(map(str, next(tree.find_data("path")).children))
    passes = compile_condition(next(tree.find_data("condition"), None))
    return ParsedRoute(source, passes, _endpoint(tree.children[-1]))


def _endpoint(sink: Tree[Any]) -> Endpoint:
    if sink.data == "system_endpoint":
        if str(sink.children[0]).lower() != "$upstream":
            raise RouteSyntaxError(f"{sink.children[0]} is not a place, only $upstream and BrokeredEndpoint() are")
        return UPSTREAM
    name, address = str(sink.children[0]), str(sink.children[2])[1:-1].strip()
    parts = address.removeprefix("/").removesuffix("/").split("/")
    words = [name, *parts[::2]]
    has_form = [word.lower() for word in words] == ["brokeredendpoint", "modules", "inputs"]
    if len(parts) != 4 or not all(parts) or not has_form:
        raise RouteSyntaxError(
            f'{name}("{address[:80]}") is not a place: write BrokeredEndpoint("/modules/NAME/inputs/INPUT")'
        )
    return Endpoint(parts[1], parts[3])
