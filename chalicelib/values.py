"""Values: dataclasses that nobody changes.

Frozen for the type checker alone. To be so at run time too costs a call for each field of each one that is made, a
microsecond for five of them, and a message makes a dozen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def value(kind: type[T]) -> type[T]: ...
@overload
def value(*, own_repr: bool) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(kind: type[Any] | None = None, *, own_repr: bool = False) -> Any:
    """Make a class a dataclass with slots, compared and hashed by its fields, that is not changed once it is made.

    `own_repr`: it has a `__repr__`, itself or from its base.
    """
    made = dataclass(unsafe_hash=True, slots=True, repr=not own_repr)
    return made if kind is None else made(kind)
