"""What Go's text/template works with: values as `%v` shows them, and functions (https://pkg.go.dev/text/template).

Those from `split` on, and `json`, are about messages.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote_plus

_VERB: Final = re.compile(r"%([-+# 0]*)(\d*)((?:\.\d+)?)([a-zA-Z%])")
_HARMLESS: Final = frozenset("qdxXfeEgt%")  # verbs whose output ends no string that it is put into


class TemplateError(ValueError):
    """The template cannot be read, or not with this data. The text holds nothing of the data."""


class Safe(str):
    """Text that is not escaped again."""

    __slots__ = ()


def shown(value: Any, nil: str = "<nil>") -> str:
    """A value as Go's `%v` writes it."""
    if isinstance(value, str):
        return value
    if value is None:
        return nil
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(shown, value)) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{shown(value[key])}" for key in sorted(value)) + "]"
    return str(value)


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TemplateError("an integer is expected")
    return value


def _same(one: Any, *others: Any) -> bool:
    if not others:
        raise TemplateError("eq: missing argument for comparison")
    return any(type(left) is type(right) and left == right for left, right in (_pair(one, other) for other in others))


def _pair(one: Any, other: Any) -> tuple[Any, Any]:
    """Two values as one type, where they can be compared."""
    if isinstance(one, str) and isinstance(other, str):
        return str(one), str(other)  # safe or not
    if {type(one), type(other)} == {int, float}:
        return float(one), float(other)
    return one, other


def _less(one: Any, other: Any) -> bool:
    left, right = _pair(one, other)
    if type(left) is not type(right) or not isinstance(left, int | float | str):
        raise TemplateError("lt, le, gt, ge: incompatible types for comparison")
    return bool(left < right)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(shown(key))
        elif isinstance(value, list | tuple):
            number = _integer(key)
            if not 0 <= number < len(value):
                raise TemplateError(f"index out of range: {number}")
            value = value[number]
        else:
            raise TemplateError("index of what is neither a list nor an object")
    return value


def _slice(value: Any, *bounds: Any) -> Any:
    if not isinstance(value, str | list | tuple):
        raise TemplateError("slice of what is neither a list nor a text")
    numbers = [_integer(bound) for bound in bounds]
    if len(numbers) > 2 or numbers != sorted(numbers) or any(not 0 <= number <= len(value) for number in numbers):
        raise TemplateError("slice: bounds out of range")
    return value[slice(*numbers)] if len(numbers) == 2 else value[numbers[0] if numbers else 0 :]


def _length(value: Any) -> int:
    if not isinstance(value, str | list | tuple | dict):
        raise TemplateError("len of what has no length")
    return len(value.encode("utf-8", "replace")) if isinstance(value, str) else len(value)


def _print(*values: Any) -> str:
    """A space between two values of which neither is a text."""
    text = ""
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            text += " "
        text += shown(value)
    return text


def _printf(pattern: str, *values: Any) -> str:
    verbs = [match.groups() for match in _VERB.finditer(pattern)]
    if any(len(width) > 3 or len(precision) > 3 for _, width, precision, _ in verbs):
        raise TemplateError("printf: a width or precision is too large")
    remaining = iter(values)

    def one(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb == "%":
            return "%"
        try:
            value = next(remaining)
        except StopIteration:
            return f"%!{verb}(MISSING)"
        convert = {"v": shown, "s": shown, "t": shown, "q": _quoted}.get(verb)
        try:
            made = convert(value) if convert else value
            return f"%{flags}{width}{precision}{'s' if convert else verb}" % (made,)
        except (TypeError, ValueError, OverflowError):
            raise TemplateError(f"printf: %{verb} does not fit its value") from None

    text = _VERB.sub(one, pattern)
    return Safe(text) if {verb for *_, verb in verbs} <= _HARMLESS else text


def _quoted(value: Any) -> str:
    return json.dumps(shown(value), ensure_ascii=False)


def _json(value: Any) -> str:
    """A value as JSON, a text with its quotation marks."""
    return Safe(json.dumps(value, ensure_ascii=False))


def _js(*values: Any) -> str:
    """JSON's escapes, and those of <, >, &, = and the apostrophe, all of them valid in JSON too."""
    text = json.dumps(_print(*values), ensure_ascii=False)[1:-1]
    return Safe(re.sub("[<>&='\x7f-\x9f\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04X}", text))


def _split(text: Any, separator: Any) -> list[str]:
    text, separator = shown(text), shown(separator)
    return text.split(separator) if separator else list(text)


def _text_of(number: Any) -> str:
    return str(_integer(number))


def attachment_type(attachment: Any) -> str:
    """What is before the first colon, "" where there is none."""
    kind, colon, _ = shown(attachment).partition(":")
    return kind if colon else ""


def attachment_url(attachment: Any) -> str:
    """What is after the first colon, all of it where there is none."""
    kind, colon, url = shown(attachment).partition(":")
    return url if colon else kind


# `and` and `or` are not here: they do not evaluate all of their arguments
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "not": lambda value: not value,
    "eq": _same,
    "ne": lambda one, other: not _same(one, other),
    "lt": _less,
    "ge": lambda one, other: not _less(one, other),
    "gt": lambda one, other: _less(other, one),
    "le": lambda one, other: not _less(other, one),
    "index": _index,
    "slice": _slice,
    "len": _length,
    "print": _print,
    "println": lambda *values: " ".join(map(shown, values)) + "\n",
    "printf": _printf,
    "html": lambda *values: html.escape(_print(*values)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    "js": _js,
    "urlquery": lambda *values: Safe(quote_plus(_print(*values), safe="-_.~", errors="replace")),
    "json": _json,
    "split": _split,
    "attType": attachment_type,
    "attURL": attachment_url,
    "toString": _text_of,
    "int64ToString": _text_of,
}
