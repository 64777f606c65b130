"""Compiles the condition of an edgeHub route once, into one function (edgeHub `ConditionVisitor.cs`).

Kinds are checked while compiling, as edgeHub does: comparing an application property (text) with a number is refused.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from lark import Token, Tree

from .grammar import RouteSyntaxError
from .values import FUNCTIONS, NULL, UNDEFINED, Kind, Marker, Value, arithmetic, comparison

_DEEPEST = 200
"""Operators, functions and brackets inside one another at most: each is a call or two as a message comes."""

_BODY_PREFIX = "$body."
_BODY_STEP = re.compile(r"([^.\[\]]+)(?:\[(\d+)\])?")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")

CONDITION_NAMES = {
    "messageid": "message_id",
    "cid": "correlation_id",
    "userid": "user_id",
    "contenttype": "content_type",
    "contentencoding": "content_encoding",
    "creationtime": "creation_time",
    "absolute-expiry-time": "expiry_time",
    "to": "to",
    "messageschema": "message_schema",
    "iothub-interface-id": "interface_id",
    "dt-subject": "component_name",
    "outputname": "output_name",
    "ack": "ack",
    "operation": "operation",
    "connectiondeviceid": "device_id",
    "connectionmoduleid": "module_id",
}
"""What a condition calls a system property, without ``$`` and in small letters → our name.

edgeHub keeps the correlation id as ``cid``: ``$correlationId`` is undefined in its conditions.
"""


class Message(Protocol):
    """What a condition reads of a message: properties, system properties by our long names, the JSON in its body."""

    @property
    def properties(self) -> Mapping[str, str]: ...  # noqa: D102 - the class says it

    @property
    def system(self) -> Mapping[str, str]: ...  # noqa: D102

    @property
    def document(self) -> Mapping[str, object] | None: ...  # noqa: D102


class Term(NamedTuple):
    """A compiled part of a condition: the kind of its value, and how to get it from a message."""

    kind: Kind
    of: Callable[[Message], Value]


def compile_condition(tree: Tree[Any] | None) -> Callable[[Message], bool]:
    """Give the function that says whether a message passes; only true passes, undefined does not; None: all pass.

    Raises:
        RouteSyntaxError: kinds do not fit, a function is unknown, or a part lies too deep.
    """
    if tree is None:
        return lambda _: True
    of = _term(tree.children[0], 0).of
    return lambda message: of(message) is True


def _term(tree: Tree[Any], depth: int) -> Term:
    """Compile a part of the tree; its compiler gets the tokens as they are and the parts below it compiled."""
    if depth > _DEEPEST:
        raise RouteSyntaxError(f"its condition has more than {_DEEPEST} parts inside one another, shorten it")
    below = [_term(child, depth + 1) if isinstance(child, Tree) else child for child in tree.children]
    return _COMPILERS[tree.data](*below)


def _constant(kind: Kind, value: Value) -> Term:
    return Term(kind, lambda _: value)


def _apply(kind: Kind, function: Callable[..., Value], *terms: Term) -> Term:
    parts = [term.of for term in terms]
    return Term(kind, lambda message: function(*[part(message) for part in parts]))


def _first_defined(left: Value, right: Value) -> Value:
    return right if left is UNDEFINED else left


def _refuse(token: Token, *terms: Term) -> RouteSyntaxError:
    kinds = " and ".join(term.kind.name.lower() for term in terms)
    hint = ", use AS_NUMBER() for a property" if {term.kind for term in terms} == {Kind.STRING, Kind.NUMBER} else ""
    return RouteSyntaxError(f"{str(token)!r} at character {(token.start_pos or 0) + 1} cannot take {kinds}{hint}")


# Literals -------------------------------------------------------------------------------------------------------------


def _number(token: Token) -> Term:
    try:
        return _constant(Kind.NUMBER, float(token))
    except ValueError:  # such as "e5", which the lexer takes for a number
        return _constant(Kind.UNDEFINED, UNDEFINED)


def _hexadecimal(token: Token) -> Term:
    try:
        return _constant(Kind.NUMBER, float(int(token, 16)))
    except OverflowError as error:
        raise RouteSyntaxError(f"the number at character {(token.start_pos or 0) + 1} is too large") from error


def _string(token: Token) -> Term:
    text = re.sub(r"\\[uU]([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), token[1:-1])
    return _constant(Kind.STRING, re.sub(r"""\\(["'\\])""", r"\1", text))


# Properties -----------------------------------------------------------------------------------------------------------


def _property(token: Token) -> Term:
    """Names of application properties are compared without regard to case (`Message`)."""
    name, folded = str(token), token.lower()

    def get(message: Message) -> Value:
        properties = message.properties
        if name in properties:
            return properties[name]
        return next((value for key, value in properties.items() if key.lower() == folded), UNDEFINED)

    return Term(Kind.STRING, get)


def _system_property(token: Token) -> Term:
    """An application property of the whole name, ``$`` included, goes first."""
    other = _system_or_body(token)
    return other if "[" in token or "]" in token else _apply(other.kind, _first_defined, _property(token), other)


def _system_or_body(token: Token) -> Term:
    if token.lower().startswith(_BODY_PREFIX):
        return Term(Kind.ANY, _body_query(token))
    ours = CONDITION_NAMES.get(token[1:].lower(), "")
    return Term(Kind.STRING, lambda message: message.system.get(ours, UNDEFINED))


def _body_query(token: Token) -> Callable[[Message], Value]:
    steps: list[str | int] = []
    for part in token[len(_BODY_PREFIX) :].split("."):
        found = _BODY_STEP.fullmatch(part)
        if not found:
            raise RouteSyntaxError(f"{str(token)!r} must look like $body.name.name[0].name")
        steps += [found[1]] if found[2] is None else [found[1], int(found[2])]

    def get(message: Message) -> Value:
        place: object = message.document
        if place is None:
            return UNDEFINED
        for step in steps:
            if isinstance(step, str):
                place = place.get(step, Marker.ABSENT) if isinstance(place, dict) else Marker.ABSENT
            else:
                place = place[step] if isinstance(place, list) and step < len(place) else Marker.ABSENT
        return Marker.ABSENT if place is Marker.ABSENT else _from_json(place)

    return get


def _from_json(value: object) -> Value:
    """Objects, arrays and texts that look like a date are undefined (`QueryValue.Create`; Newtonsoft reads dates)."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    return value if isinstance(value, str) and not _DATE.fullmatch(value) else UNDEFINED


# Operators ------------------------------------------------------------------------------------------------------------


def _negate(sign: Token, term: Term) -> Term:
    if term.kind is not Kind.NUMBER:
        raise _refuse(sign, term)
    return _apply(Kind.NUMBER, arithmetic("-"), _constant(Kind.NUMBER, 0.0), term)


def _not(sign: Token, term: Term) -> Term:
    if term.kind not in {Kind.BOOL, Kind.NULL, Kind.ANY}:
        raise _refuse(sign, term)
    if term.kind is Kind.NULL:
        return _constant(Kind.BOOL, True)
    return _apply(Kind.BOOL, lambda value: not value if isinstance(value, bool) else UNDEFINED, term)


def _arithmetic(left: Term, sign: Token, right: Term) -> Term:
    any_kind = Kind.ANY in {left.kind, right.kind}
    if sign == "%" and any_kind:
        raise _refuse(sign, left, right)
    return _both(left, sign, right, arithmetic(sign), takes=Kind.NUMBER, gives=Kind.ANY if any_kind else Kind.NUMBER)


def _both(
    left: Term, sign: Token, right: Term, function: Callable[..., Value], *, takes: Kind | None, gives: Kind | None
) -> Term:
    """Give the function of left and right; None: they take the left one's kind, or give it (`CheckOperands`)."""
    expected = takes or left.kind
    if not (expected.fits(left.kind) and expected.fits(right.kind)):
        raise _refuse(sign, left, right)
    return _apply(gives or left.kind, function, left, right)


def _logical(left: Term, sign: Token, right: Term) -> Term:
    """Three-valued AND and OR (`CheckBooleanOperands`, which takes the body on the right only if it is on the left)."""
    plain = {Kind.NULL, Kind.BOOL, Kind.UNDEFINED}
    if not (left.kind is Kind.ANY or (left.kind in plain and right.kind in plain)):
        raise _refuse(sign, left, right)
    others = [term for term in (left, right) if term.kind is not Kind.NULL]
    stops_at: bool = sign.upper() == "OR"
    strict = left.kind is Kind.ANY
    if not others or (len(others) == 1 and not stops_at):
        return _constant(Kind.NULL, NULL)
    if len(others) == 1:
        return others[0]

    def decide(left: Value, right: Value) -> Value:
        """AND stops at false, OR at true; strict: undefined unless both sides are true or false."""
        both = isinstance(left, bool) and isinstance(right, bool)
        if (both or not strict) and stops_at in (left, right):
            return stops_at
        return not stops_at if both else UNDEFINED

    return _apply(Kind.BOOL, decide, left, right)


def _call(name: Token, *arguments: Token | Term) -> Term:
    terms = [each for each in arguments if isinstance(each, Term)]
    forms = FUNCTIONS.get(name.lower())
    if forms is None:
        raise RouteSyntaxError(f"there is no function {name}()")
    form = next((form for form in forms if form.fits([term.kind for term in terms])), None)
    if form is None:
        raise RouteSyntaxError(f"{name}() cannot take ({', '.join(term.kind.name.lower() for term in terms)})")
    return _apply(form.gives, form.call, *terms)


_COMPILERS: dict[str, Callable[..., Term]] = {
    "nested": lambda _open, term, _close: term,
    "boolean": lambda word: _constant(Kind.BOOL, word == "true"),
    "string": _string,
    "number": _number,
    "hexadecimal": _hexadecimal,
    "null": lambda _: _constant(Kind.NULL, NULL),
    "undefined": lambda _: _constant(Kind.UNDEFINED, UNDEFINED),
    "property": _property,
    "system_property": _system_property,
    "escaped_system_property": lambda _open, token, _close: _system_or_body(token),
    "call": _call,
    "negate": _negate,
    "not_": _not,
    "arithmetic": _arithmetic,
    "concatenation": partial(_both, function=FUNCTIONS["concat"][0].call, takes=Kind.STRING, gives=Kind.STRING),
    "comparison": lambda left, sign, right: _both(left, sign, right, comparison(sign), takes=None, gives=Kind.BOOL),
    "coalesce": partial(_both, function=_first_defined, takes=None, gives=None),
    "logical": _logical,
}
