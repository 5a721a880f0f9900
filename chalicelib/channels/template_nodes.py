"""The pieces that a template is made of once it has been read (templates.py): what each does when it is rendered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.channels.template_functions import FUNCTIONS, Safe, TemplateError, shown

MAX_STEPS: Final = 100_000  # of one rendering: lists from outside may be long, and ranges may be in ranges
MAX_OUTPUT: Final = 1_048_576  # characters

_LAZY: Final = {"and": False, "or": True}  # the functions that stop at the first argument of this truth


@dataclass
class Run:
    """One rendering. `scopes` map variables to values, the innermost last."""

    escape: Callable[[str], str]
    scopes: list[dict[str, Any]]
    pieces: list[str] = field(default_factory=list)
    steps: int = 0
    size: int = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TemplateError(f"more than {MAX_STEPS} steps")

    def put(self, text: str) -> None:
        self.size += len(text)
        if self.size > MAX_OUTPUT:
            raise TemplateError(f"more than {MAX_OUTPUT} characters")
        self.pieces.append(text)

    def scope_of(self, name: str) -> dict[str, Any]:
        return next(scope for scope in reversed(self.scopes) if name in scope)


Expression = Callable[[Run, Any], Any]  # of the run and the value of "."
Node = Callable[[Run, Any], None]


class Break(Exception):  # noqa: N818 - no errors
    pass


class Continue(Exception):  # noqa: N818
    pass


def _fields(value: Any, names: list[str]) -> Any:
    for name in names:
        if not isinstance(value, dict):
            raise TemplateError(f".{name} of what is no object")
        value = value.get(name)
    return value


def text_node(text: str) -> Node:
    """What is between actions, as it is."""
    return lambda run, dot: run.put(text)


def action_node(pipeline: Expression) -> Node:
    """A pipeline whose value is put out."""

    def node(run: Run, dot: Any) -> None:
        run.step()
        value = pipeline(run, dot)
        text = shown(value, "<no value>")
        run.put(text if isinstance(value, Safe) else run.escape(text))

    return node


def body(nodes: list[Node]) -> Node:
    """What is inside a block, where variables of its own may be declared."""

    def node(run: Run, dot: Any) -> None:
        run.scopes.append({})
        try:
            for one in nodes:
                one(run, dot)
        finally:
            run.scopes.pop()

    return node


def declare(name: str, pipeline: Expression, *, anew: bool) -> Node:
    """`:=`, or `=` for a variable that is there already."""

    def node(run: Run, dot: Any) -> None:
        value = pipeline(run, dot)
        (run.scopes[-1] if anew else run.scope_of(name))[name] = value

    return node


def branch(names: list[str], pipeline: Expression, yes: Node, no: Node, *, rebind: bool) -> Node:
    """`if`, and `with`, which makes the value "."."""

    def node(run: Run, dot: Any) -> None:
        value = pipeline(run, dot)
        run.scopes.append(dict.fromkeys(names, value))
        try:
            (yes if value else no)(run, value if value and rebind else dot)
        finally:
            run.scopes.pop()

    return node


def range_over(names: list[str], pipeline: Expression, each: Node, none: Node) -> Node:
    """`range` over a list, an object in the order of its keys, or the numbers below an integer."""

    def node(run: Run, dot: Any) -> None:
        value = pipeline(run, dot)
        if isinstance(value, dict):
            items = [(key, value[key]) for key in sorted(value)]
        elif isinstance(value, int) and not isinstance(value, bool):
            items = [(number, number) for number in range(min(value, MAX_STEPS + 1))]
        elif value is None or isinstance(value, list | tuple):
            items = list(enumerate(value or ()))
        else:
            raise TemplateError("range over what is no list, object or integer")
        if not items:
            none(run, dot)
        for key, item in items:
            run.step()
            run.scopes.append(dict(zip(names, (key, item) if len(names) == 2 else (item,), strict=False)))
            try:
                each(run, item)
            except Continue:
                pass
            except Break:
                break
            finally:
                run.scopes.pop()

    return node


def raising(kind: type[Exception]) -> Node:
    """`break` and `continue`."""

    def node(run: Run, dot: Any) -> None:
        raise kind

    return node


def dot_value(run: Run, dot: Any) -> Any:
    """`.`"""
    return dot


def field_of(value: Expression, chain: str) -> Expression:
    """`.a.b` of a value."""
    names = chain[1:].split(".")
    return lambda run, dot: _fields(value(run, dot), names)


def call(name: str, arguments: list[Expression]) -> Expression:
    """A function with its arguments.

    Raises:
        TemplateError: there is none of that name.
    """
    if name in _LAZY and arguments:
        return _first(arguments, truth=_LAZY[name])
    if name not in FUNCTIONS:
        raise TemplateError(f"unknown function {name!r}; there are {', '.join(sorted({*FUNCTIONS, *_LAZY}))}")
    function = FUNCTIONS[name]

    def value_of(run: Run, dot: Any) -> Any:
        run.step()
        values = [argument(run, dot) for argument in arguments]
        try:
            return function(*values)
        except (TypeError, AttributeError):
            raise TemplateError(f"{name}: wrong number or kind of arguments") from None

    return value_of


def _first(arguments: list[Expression], *, truth: bool) -> Expression:
    """The first argument of this truth, else the last; what comes after it is not evaluated."""

    def value_of(run: Run, dot: Any) -> Any:
        value: Any = None
        for argument in arguments:
            run.step()
            value = argument(run, dot)
            if bool(value) is truth:
                break
        return value

    return value_of
