"""The grammar of edgeHub routes: text → syntax tree.

Sources: edgeHub `Route.g4`, `Condition.g4`, `GrammarLexer.g4`. As there the longest token wins,
and among equally long ones the first rule; so ``a-b`` and ``1+2`` are names, and ``NOT a = b`` means ``(NOT a) = b``.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer

_GRAMMAR = r"""
    route: (SELECT STAR)? FROM path (WHERE condition)? INTO sink
    condition: expr
    path: (SLASH (STAR | ID))+
    sink: SYS_PROP                          -> system_endpoint
        | ID OPEN STRING CLOSE              -> function_endpoint

    ?expr: or_expr | expr COALESCE or_expr  -> coalesce
    ?or_expr: and_expr | or_expr OR and_expr -> logical
    ?and_expr: equality | and_expr AND equality -> logical
    ?equality: comparison | equality (EQ | NE) comparison -> comparison
    ?comparison: sum | comparison (LT | LE | GT | GE) sum -> comparison
    ?sum: product | sum (PLUS | MINUS) product -> arithmetic
                  | sum CONCAT product      -> concatenation
    ?product: unary | product (STAR | SLASH | PERCENT) unary -> arithmetic
    ?unary: primary | MINUS unary           -> negate
                    | NOT unary             -> not_
    ?primary: OPEN expr CLOSE               -> nested
        | (TRUE | FALSE)                    -> boolean
        | STRING                            -> string
        | HEX                               -> hexadecimal
        | (INTEGER | REAL)                  -> number
        | NULL                              -> null
        | UNDEFINED                         -> undefined
        | SYS_PROP                          -> system_property
        | LBRACE SYS_PROP RBRACE            -> escaped_system_property
        | ID                                -> property
        | ID OPEN [expr (COMMA expr)*] CLOSE -> call
"""

_NAME = r'[^()<>@,;:\\"/[\]?={} \t\n\r]+'
_QUERY = r'[^()<>@,;:\\"/?={} \t\n\r]+'
_ESCAPE = r"""\\(?:["'\\]|u[0-9a-fA-F]{4})"""

_TOKENS = {
    "SELECT": "(?i:select)",
    "FROM": "(?i:from)",
    "WHERE": "(?i:where)",
    "INTO": "(?i:into)",
    "STRING": rf""""(?:{_ESCAPE}|[^"\\])*"|'(?:{_ESCAPE}|[^'\\])*'""",
    "UNTERMINATED": rf""""(?:{_ESCAPE}|[^"\\])*|'(?:{_ESCAPE}|[^'\\])*""",
    "INTEGER": r"-?[0-9]+",
    "HEX": r"0[Xx][0-9a-fA-F]+",
    "REAL": r"-?[0-9]*\.[0-9]+(?:[Ee][+-]?[0-9]+)?|-?[0-9]*[Ee][+-]?[0-9]+",
    "TRUE": "true",
    "FALSE": "false",
    "NULL": "null",
    "UNDEFINED": "undefined",
    "OPEN": r"\(",
    "CLOSE": r"\)",
    "LBRACE": r"\{",
    "RBRACE": r"\}",
    "COMMA": ",",
    "PLUS": r"\+",
    "MINUS": "-",
    "STAR": r"\*",
    "SLASH": "/",
    "PERCENT": "%",
    "AND": "(?i:and)",
    "OR": "(?i:or)",
    "NOT": "(?i:not)",
    "EQ": "=",
    "NE": "!=|<>",
    "LE": "<=",
    "GE": ">=",
    "GT": ">",
    "LT": "<",
    "CONCAT": r"\|\|",
    "COALESCE": r"\?\?",
    "SYS_PROP": rf"\${_QUERY}",
    "ID": _NAME,
    "QUERY": _QUERY,
}
_SPACE = r"(?:[ \t\r\n]|/\*(?s:.*?)\*/)+"
_PATTERNS = [(name, re.compile(pattern)) for name, pattern in {"SPACE": _SPACE, **_TOKENS}.items()]


class RouteSyntaxError(ValueError):
    """A route or condition that edgeHub would not take; the text says what and where."""


class _LongestMatch(Lexer):
    """Cuts text into tokens as ANTLR does."""

    def __init__(self, conf: object) -> None:
        """Take lark's configuration, of which nothing is needed."""

    def lex(self, data: str) -> Iterator[Token]:  # type: ignore[override] # lark calls a custom lexer with the text
        text = str(data)
        at = 0
        while at < len(text):
            ends = [(match.end(), name) for name, pattern in _PATTERNS if (match := pattern.match(text, at))]
            if not ends:
                raise RouteSyntaxError(f"{text[at]!r} at character {at + 1} is not understood")
            end, name = max(ends, key=lambda found: found[0])
            if name != "SPACE":
                yield Token(name, text[at:end], start_pos=at)
            at = end


@cache
def _parser() -> Lark:
    grammar = f"{_GRAMMAR}\n%declare {' '.join(_TOKENS)}"
    return Lark(grammar, parser="lalr", lexer=_LongestMatch, start="route", maybe_placeholders=False)


def syntax_tree(route: str) -> Tree[Any]:
    """Give the syntax tree of ``FROM … [WHERE …] INTO …``.

    Raises:
        RouteSyntaxError: it is not one.
    """
    try:
        return _parser().parse(route)
    except UnexpectedToken as error:
        found = error.token
        if found.type == "$END":
            raise RouteSyntaxError("it ends too early") from error
        raise RouteSyntaxError(
            f"{str(found)[:80]!r} at character {(found.start_pos or 0) + 1} is not expected"
        ) from error
