"""Values: dataclasses that nobody changes.

Frozen for the type checker alone. To be so at run time too costs a call for each field of each one that is made, a
microsecond for five of them, and a message makes a dozen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(kind: type[T]) -> type[T]:
    """Make a class a dataclass with slots, compared and hashed by its fields, that is not changed once it is made."""
    return dataclass(unsafe_hash=True, slots=True)(kind)
