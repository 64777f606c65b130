"""Values and their kinds in a route's condition, and the built-in functions.

Sources: edgeHub `QueryValue.cs`, `Undefined.cs`, `ComparisonOperators.cs`, and `query/builtins/*.cs`.
"""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class Kind(Enum):
    """What is known of a value before any message is there."""

    NUMBER = auto()
    STRING = auto()
    BOOL = auto()
    NULL = auto()
    UNDEFINED = auto()
    ANY = auto()  # from the body

    def fits(self, given: "Kind") -> bool:
        """Say whether a value of kind ``given`` may stand here (`Args.Match`)."""
        return self is given or (given is Kind.ANY and self in _SCALARS) or (self is Kind.ANY and given in _SCALARS)


_SCALARS = {Kind.NUMBER, Kind.STRING, Kind.BOOL, Kind.NULL}


class Marker(Enum):
    """Values that are none; ABSENT is what the body does not have, to edgeHub a null that ``IS_NULL`` denies."""

    UNDEFINED = auto()
    NULL = auto()
    ABSENT = auto()


UNDEFINED = Marker.UNDEFINED
NULL = Marker.NULL

Value = float | str | bool | Marker


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def comparison(sign: str) -> Callable[[Value, Value], Value]:
    """Give the function for ``=``, ``<`` …; undefined as soon as one side is."""
    decide = _COMPARE[sign]

    def compare(left: Value, right: Value) -> Value:
        return UNDEFINED if UNDEFINED in (left, right) else decide(_place(left), _place(right))

    return compare


def _place(value: Value) -> tuple[int, Value]:
    """Give the place among all values: by kind, then by value; null and what is absent are one (`QueryValueType`)."""
    if isinstance(value, Marker):
        return 4, 0.0
    return 1 if isinstance(value, bool) else 2 if isinstance(value, float) else 3, value


def _on(kinds: tuple[type, ...], function: Callable[..., Value | int]) -> Callable[..., Value]:
    """Give the function that is undefined unless its arguments are of these types; not-a-number is undefined too."""

    def call(*values: Value) -> Value:
        if tuple(map(type, values)) != kinds:
            return UNDEFINED
        try:
            result = function(*values)
        except OverflowError:
            return math.inf
        except ValueError:
            return UNDEFINED
        if isinstance(result, bool | str | Marker):
            return result
        return UNDEFINED if math.isnan(result) else float(result)

    return call


def arithmetic(sign: str) -> Callable[[Value, Value], Value]:
    """Give the function for ``+ - * / %`` on numbers; undefined if a side is not a number."""

    def divide(left: float, right: float) -> float:
        if right:
            return left / right
        return math.nan if not left or math.isnan(left) else math.copysign(math.inf, left)

    def modulo(left: float, right: float) -> float:
        return math.fmod(left, right) if right and math.isfinite(left) else math.nan

    calculate = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": divide, "%": modulo}
    return _on((float, float), calculate[sign])


@dataclass(frozen=True, slots=True)
class Overload:
    """One form of a built-in function.

    Attributes:
        takes: kinds of its arguments.
        gives: kind of its result.
        call: the function; gets values that may be of another kind or undefined.
        from_body: whether values from the body are taken for any kind (`IsQueryValueSupported`).
        repeats: whether the last argument may be repeated.
    """

    takes: tuple[Kind, ...]
    gives: Kind
    call: Callable[..., Value]
    from_body: bool = True
    repeats: bool = False

    def fits(self, given: list[Kind]) -> bool:
        """Say whether these arguments are for this form."""
        takes = self.takes + self.takes[-1:] * (len(given) - len(self.takes)) if self.repeats else self.takes
        pairs = list(zip(takes, given, strict=False))
        return len(takes) == len(given) and all(a is b or (self.from_body and a.fits(b)) for a, b in pairs)


def _strings(*values: Value) -> Value:
    return "".join(map(str, values)) if all(isinstance(value, str) for value in values) else UNDEFINED


_NUMBER_TEXT = re.compile(r"[+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def _as_number(value: Value) -> Value:
    if isinstance(value, str):
        text = value.strip()
        return float(text.replace(",", "")) if _NUMBER_TEXT.fullmatch(text) else UNDEFINED
    return value if isinstance(value, float) else UNDEFINED


def _substring(text: str, start: float, length: float | None = None) -> Value:
    if not 0 <= start <= len(text) or (length is not None and start == len(text)):
        return UNDEFINED
    if length is None:
        return text[int(start) :]
    return text[int(start) : int(start) + int(length)] if 0 <= length <= len(text) - start else UNDEFINED


def _is_null(value: Value) -> Value:
    """As edgeHub, which compares references: of the body's values only an absent one is no null (`IsNull.cs`)."""
    return value if value is UNDEFINED else value is not Marker.ABSENT


_N, _S, _B = Kind.NUMBER, Kind.STRING, Kind.BOOL


def _form(takes: tuple[Kind, ...], gives: Kind, function: Callable[..., Value | int]) -> Overload:
    """The form that is undefined unless its arguments are really of these kinds, numbers or strings."""
    return Overload(takes, gives, _on(tuple(float if kind is _N else str for kind in takes), function))


def _check(takes: Kind, call: Callable[[Value], Value]) -> list[Overload]:
    """A check of kind: the form for its own kind and for the body, and ``false`` for all others (`AnyArgs`)."""
    others = [kind for kind in Kind if kind is not Kind.ANY and kind is not takes]
    return [Overload((takes,), _B, call), *(Overload((kind,), _B, lambda _: False, from_body=False) for kind in others)]


FUNCTIONS: dict[str, list[Overload]] = {
    "abs": [_form((_N,), _N, abs)],
    "ceiling": [_form((_N,), _N, math.ceil)],
    "exp": [_form((_N,), _N, math.exp)],
    "floor": [_form((_N,), _N, math.floor)],
    "power": [_form((_N, _N), _N, math.pow)],
    "sign": [_form((_N,), _N, lambda value: (value > 0) - (value < 0))],
    "sqrt": [_form((_N,), _N, math.sqrt)],
    "square": [_form((_N,), _N, lambda value: value * value)],
    "as_number": [Overload((_S,), _N, _as_number), Overload((_N,), _N, _as_number)],
    "is_bool": _check(_B, lambda value: value if value is UNDEFINED else isinstance(value, bool)),
    "is_defined": [Overload((kind,), _B, lambda value: value is not UNDEFINED, from_body=False) for kind in Kind],
    "is_null": [
        Overload((Kind.ANY,), _B, _is_null, from_body=False),
        Overload((Kind.NULL,), _B, lambda _: True, from_body=False),
        *(Overload((kind,), _B, lambda _: False, from_body=False) for kind in (_S, _N, _B, Kind.UNDEFINED)),
    ],
    "is_number": _check(_N, lambda value: isinstance(value, float) and math.isfinite(value)),
    "is_string": _check(_S, lambda value: isinstance(value, str)),
    "concat": [Overload((_S, _S), _S, _strings, repeats=True)],
    "contains": [_form((_S, _S), _B, lambda text, part: part in text)],
    "ends_with": [_form((_S, _S), _B, str.endswith)],
    "index_of": [_form((_S, _S), _N, str.find)],
    "length": [_form((_S,), _N, len)],
    "lower": [_form((_S,), _S, str.lower)],
    "starts_with": [_form((_S, _S), _B, str.startswith)],
    "substring": [_form((_S, _N), _S, _substring), _form((_S, _N, _N), _S, _substring)],
    "upper": [_form((_S,), _S, str.upper)],
    # Never true here: the simulator routes no twin changes.
    "twin_change_includes": [Overload((_S,), _B, lambda _: UNDEFINED)],
}
"""Name in small letters → its forms, tried in this order."""
