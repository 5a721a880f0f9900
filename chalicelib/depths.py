"""How many messages a queue holds, as SQS counts: roughly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from chalicelib import aws
from chalicelib.settings import settings

_COUNTS: Final = tuple(f"ApproximateNumberOfMessages{one}" for one in ("", "NotVisible", "Delayed"))  # as in `Depth`


@dataclass(frozen=True, slots=True)
class Depth:
    """Of one queue: visible, in flight (received and not deleted), delayed."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.visible + self.in_flight + self.delayed

    @property
    def untaken(self) -> int:
        """Those that nobody has received, or that have been given back."""
        return self.visible + self.delayed


def of(queue: str) -> Depth | None:
    """How deep a queue is, None where there is no such queue."""
    try:
        return told(aws.sqs().get_queue_attributes(**question(queue)))
    except Exception as error:
        if aws.error_code(error).rsplit(".", 1)[-1] in ("NonExistentQueue", "QueueDoesNotExist"):
            return None
        raise


def question(queue: str) -> dict[str, Any]:
    """What GetQueueAttributes is asked for the depth of a queue."""
    return {"QueueUrl": settings().queue_url(queue), "AttributeNames": list(_COUNTS)}


def told(answer: dict[str, Any]) -> Depth:
    """The depth in an answer of GetQueueAttributes."""
    found = answer.get("Attributes") or {}
    return Depth(*(int(found.get(name, 0)) for name in _COUNTS))
