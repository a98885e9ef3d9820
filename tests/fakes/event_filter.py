"""Event filters as the kernel takes them: `a != 1 && !(flags & 1)` made into a predicate over a record's fields."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping

Values = Mapping[str, int | bytes]
Predicate = Callable[[Values], bool]

_TOKEN = re.compile(r'\s*(?:(\|\||&&|==|!=|<=|>=|[()!<>&])|("[^"]*")|([\w.]+|-\d+))')
_INTEGER: Mapping[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "&": lambda a, b: bool(a & b),
}
_TEXT: Mapping[str, Callable[[bytes, bytes], bool]] = {"==": operator.eq, "!=": operator.ne}


class FilterError(Exception):
    """A filter that no kernel takes; its text is what the kernel writes to error_log."""


def parse_filter(text: str, fields: Collection[str]) -> Predicate:
    """The predicate of a filter on an event with these fields. Raises FilterError."""
    tokens = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise FilterError("Invalid filter")
        tokens.append(match[0].strip())
        at = match.end()
    rest = list(reversed(tokens))
    predicate = _either(rest, fields)
    if rest:
        raise FilterError("Invalid filter")
    return predicate


def _either(rest: list[str], fields: Collection[str]) -> Predicate:
    parts = [_both(rest, fields)]
    while rest and rest[-1] == "||":
        rest.pop()
        parts.append(_both(rest, fields))
    return lambda values: any(part(values) for part in parts)


def _both(rest: list[str], fields: Collection[str]) -> Predicate:
    parts = [_one(rest, fields)]
    while rest and rest[-1] == "&&":
        rest.pop()
        parts.append(_one(rest, fields))
    return lambda values: all(part(values) for part in parts)


def _one(rest: list[str], fields: Collection[str]) -> Predicate:
    word = _next(rest)
    if word == "!":
        inner = _one(rest, fields)
        return lambda values: not inner(values)
    if word == "(":
        inner = _either(rest, fields)
        if _next(rest) != ")":
            raise FilterError("Invalid filter")
        return inner
    name, _, _ = word.partition(".")
    if name not in fields:
        raise FilterError("Field not found")
    sign, wanted = _next(rest), _next(rest)
    if wanted.startswith('"'):
        text, compare_text = wanted.strip('"').encode(), _TEXT.get(sign)
        if compare_text is None:
            raise FilterError("Invalid operator")
        return lambda values: isinstance(found := values.get(name, b""), bytes) and compare_text(found, text)
    compare = _INTEGER.get(sign)
    if compare is None or not re.fullmatch(r"-?\d+|0x[0-9a-f]+", wanted):
        raise FilterError("Invalid operator")
    number = int(wanted, 0)
    return lambda values: isinstance(found := values.get(name, 0), int) and compare(found, number)


def _next(rest: list[str]) -> str:
    if not rest:
        raise FilterError("Invalid filter")
    return rest.pop()
