"""Text templates in Go's language, as far as messages need it: https://pkg.go.dev/text/template

Actions, pipelines, variables, comments and trimming are Go's, and so are most of the functions (template_functions.py).
Methods, `call` and templates with names are not there.
What an action puts out is escaped by the caller's rule, unless a function has made it safe (`json`, `js`, `urlquery`):
a text with a quotation mark in it must not end the string that it is put into.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

from chalicelib.channels.template_functions import TemplateError
from chalicelib.channels.template_nodes import (
    Break,
    Continue,
    Expression,
    Node,
    Run,
    action_node,
    body,
    branch,
    call,
    declare,
    dot_value,
    field_of,
    raising,
    range_over,
    text_node,
)

_TOKEN: Final = re.compile(
    r"""(?P<trim>\s+-\}\})|(?P<close>\}\})|(?P<space>\s+)
    |(?P<string>"(?:[^"\\\n]|\\(?:[abfnrtv\\"']|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}))*")
    |(?P<raw>`[^`]*`)
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))
    |(?P<field>(?:\.[^\W\d]\w*)+)|(?P<variable>\$\w*)|(?P<name>[^\W\d]\w*)|(?P<dot>\.)|(?P<sign>:=|[=|(),])""",
    re.VERBOSE,
)
_COMMENT: Final = re.compile(r"\s*/\*.*?\*/(\s+-)?\}\}", re.DOTALL)
_BLANK: Final = " \t\r\n"
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "nil": None}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    glued: bool = False  # nothing but the token before it is on its left

    def is_sign(self, *signs: str) -> bool:
        return self.kind == "sign" and self.text in signs


_END: Final = _Token("end", "")


def _items(source: str) -> Iterator[str | list[_Token]]:
    """The texts and the actions of a template in turn."""
    at, trim = 0, False
    while True:
        start = source.find("{{", at)
        text = source[at : start if start >= 0 else len(source)]
        text = text.lstrip(_BLANK) if trim else text
        if start < 0:
            yield text
            return
        at = start + 2
        if source.startswith("-", at) and source[at + 1 : at + 2] in tuple(_BLANK):
            text, at = text.rstrip(_BLANK), at + 1
        yield text
        comment = _COMMENT.match(source, at)
        if comment:
            at, trim = comment.end(), bool(comment[1])
            continue
        tokens: list[_Token] = []
        glued = False
        while True:
            match = _TOKEN.match(source, at)
            if match is None:
                raise TemplateError(f"line {source.count(chr(10), 0, at) + 1}: unexpected {source[at : at + 1]!r}")
            at, kind = match.end(), match.lastgroup or ""
            if kind in ("trim", "close"):
                trim = kind == "trim"
                break
            if kind != "space":
                tokens.append(_Token(kind, match[0], glued))
            glued = kind != "space"
        yield tokens


class _Parser:
    """Recursive descent over the items of a template; `known` holds the variables in sight."""

    def __init__(self, source: str) -> None:
        self.items = _items(source)
        self.known: list[set[str]] = [{"$"}]
        self.ranges = 0
        self.tokens: list[_Token] = []
        self.at = 0

    # tokens of the action that is being read

    def peek(self) -> _Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else _END

    def next(self) -> _Token:
        token = self.peek()
        self.at += 1
        return token

    def done(self) -> None:
        if self.peek() is not _END:
            raise TemplateError(f"unexpected {self.peek().text!r} in an action")

    # blocks

    def block(self, *, inner: bool = True) -> tuple[list[Node], str]:
        """Nodes up to the `else` or `end` (which is returned), or the end of the template ("")."""
        nodes: list[Node] = []
        for item in self.items:
            if isinstance(item, str):
                nodes.append(text_node(item))
                continue
            self.tokens, self.at = item, 0
            word = self.peek().text if self.peek().kind == "name" else ""
            if word in ("else", "end"):
                if not inner:
                    raise TemplateError(f"{{{{{word}}}}} without a beginning")
                self.next()
                return nodes, word
            nodes.append(self.action(word))
        if inner:
            raise TemplateError("{{end}} is missing")
        return nodes, ""

    def action(self, word: str) -> Node:
        if word in ("if", "with", "range"):
            self.next()
            return self.control(word)
        if word in ("break", "continue"):
            if not self.ranges:
                raise TemplateError(f"{{{{{word}}}}} outside of a range")
            self.next()
            self.done()
            return raising(Break if word == "break" else Continue)
        names, sign = self.declaration()
        if len(names) > 1:
            raise TemplateError("two variables outside of a range")
        pipeline = self.pipeline()
        self.done()
        if not names:
            return action_node(pipeline)
        if sign == ":=":
            self.known[-1].add(names[0])
        return declare(names[0], pipeline, anew=sign == ":=")

    def control(self, word: str) -> Node:
        names, sign = self.declaration()
        if (len(names) > 1 and word != "range") or sign == "=":
            raise TemplateError(f"{{{{{word}}}}} cannot take these variables")
        pipeline = self.pipeline()
        self.done()
        self.ranges += word == "range"
        yes, ended = self.scope(names)
        self.ranges -= word == "range"
        no: Node = text_node("")
        if ended == "else":
            further = self.peek().text
            if further in ("if", "with") and word != "range":
                self.next()
                self.known.append(set(names))
                no = self.control(further)
                self.known.pop()
            else:
                self.done()
                no, ended = self.scope(names)
                if ended == "else":
                    raise TemplateError("a second {{else}}")
        self.done()
        if word == "range":
            return range_over(names, pipeline, yes, no)
        return branch(names, pipeline, yes, no, rebind=word == "with")

    def scope(self, names: list[str]) -> tuple[Node, str]:
        self.known.append(set(names))
        nodes, ended = self.block()
        self.known.pop()
        return body(nodes), ended

    # expressions

    def declaration(self) -> tuple[list[str], str]:
        """The variables before := or =, and which it is; none where there is no such sign."""
        head = self.tokens[self.at : self.at + 4]
        for count in (1, 2):
            if len(head) >= 2 * count and head[2 * count - 1].is_sign(":=", "="):
                names = [token.text for token in head[: 2 * count : 2]]
                sign = head[2 * count - 1].text
                if any(token.kind != "variable" for token in head[: 2 * count : 2]) or "$" in names:
                    raise TemplateError(f"{sign} after what is no variable")
                if count == 2 and not head[1].is_sign(","):
                    raise TemplateError("two variables need a comma between them")
                if sign == "=" and not all(any(name in scope for scope in self.known) for name in names):
                    raise TemplateError(f"undefined variable {names[0]}")
                self.at += 2 * count
                return names, sign
        return [], ""

    def pipeline(self) -> Expression:
        value = self.command(None)
        while self.peek().is_sign("|"):
            self.next()
            value = self.command(value)
        return value

    def command(self, piped: Expression | None) -> Expression:
        token = self.peek()
        if token.kind == "name" and token.text not in _WORDS:
            self.next()
            arguments = []
            while self.peek() is not _END and not self.peek().is_sign("|", ")"):
                arguments.append(self.operand())
            return call(token.text, [*arguments, *([piped] if piped else [])])
        if piped:
            raise TemplateError("what follows | must be a function")
        value = self.operand()
        if self.peek() is not _END and not self.peek().is_sign("|", ")"):
            raise TemplateError("only functions take arguments")
        return value

    def operand(self) -> Expression:
        value = self.simple(self.next())
        while self.peek().kind == "field" and self.peek().glued:
            value = field_of(value, self.next().text)
        return value

    def simple(self, token: _Token) -> Expression:
        constant: Any
        if token.kind == "field":
            return field_of(dot_value, token.text)
        if token.kind == "dot":
            return dot_value
        if token.kind == "variable":
            name = token.text
            if not any(name in scope for scope in self.known):
                raise TemplateError(f"undefined variable {name}")
            return lambda run, dot: run.scope_of(name)[name]
        if token.is_sign("("):
            value = self.pipeline()
            if not self.next().is_sign(")"):
                raise TemplateError("a closing bracket is missing")
            return value
        if token.kind == "name" and token.text not in _WORDS:
            return call(token.text, [])
        if token.kind == "name":
            constant = _WORDS[token.text]
        elif token.kind == "raw":
            constant = token.text[1:-1]
        elif token.kind in ("string", "number"):
            constant = _constant(token)
        else:
            raise TemplateError(f"unexpected {token.text or 'end of an action'!r}")
        return lambda run, dot: constant


def _constant(token: _Token) -> Any:
    import ast

    text = token.text.lstrip("+")
    try:
        return ast.literal_eval(text if token.kind == "string" or "x" in text.lower() else _decimal(text))
    except (ValueError, SyntaxError):
        raise TemplateError(f"bad constant {token.text!r}") from None


def _decimal(text: str) -> str:
    """Without the leading zeros that Python does not take."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    return sign + (digits.lstrip("0") if digits.lstrip("0")[:1].isdigit() else "0" + digits.lstrip("0"))


class Template:
    """A template that has been read.

    Raises:
        TemplateError: it cannot be.
    """

    def __init__(self, source: str) -> None:
        try:
            nodes, _ = _Parser(source).block(inner=False)
        except RecursionError:
            raise TemplateError("the template is nested too deeply") from None
        self._body = body(nodes)

    def render(self, data: dict[str, Any], escape: Callable[[str], str]) -> str:
        """The template filled from `data`: texts, numbers, bools, None, lists and dicts of such.

        Raises:
            TemplateError: it asks for what the data has not, or would become too long.
        """
        run = Run(escape, [{"$": data}])
        try:
            self._body(run, data)
        except RecursionError:
            raise TemplateError("the data is nested too deeply") from None
        return "".join(run.pieces)


read = functools.lru_cache(maxsize=64)(Template)


def json_escape(text: str) -> str:
    """Text as it stands between the quotation marks of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def url_escape(text: str) -> str:
    """Text as it stands in a URL's query or path."""
    return quote_plus(text, safe="-_.~", errors="replace")
