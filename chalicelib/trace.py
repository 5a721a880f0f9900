"""The trace: every hop of every message, for the engineer who must find out why it did not arrive.

Items are append-only: `pk` = our id of the message, `sk` = time, number of the item in its process and a random tail,
`d` = the hops of one flush as JSON, gzipped where that saves a write unit, at most 16 KB, kept 7 days. Texts and full
numbers live only here. Writing is best effort and comes after the conclusion: a trace never endangers a message, so
nothing here raises.
"""

from __future__ import annotations

import gzip
import itertools
import json
import secrets
import threading
from typing import Any, Final

from chalicelib import aws
from chalicelib.clock import now_ms
from chalicelib.settings import settings

KEEP: Final = 7 * 86_400  # seconds
MAX_OCTETS: Final = 16_384
MAX_SUBJECT: Final = 500  # characters: DynamoDB's keys have 2,048 octets, and one that is too long loses its batch
_PLAIN: Final = 800  # octets: with its key and ttl such an item is within one write unit of DynamoDB, 1 KB
_BATCH: Final = 25  # items of a BatchWriteItem

_lock = threading.Lock()
_waiting: list[tuple[str, dict[str, Any]]] = []  # subject, hop
_number = itertools.count()  # keeps the items of one moment in their order


def hop(subject: str, name: str, *, channel: str = "", **fields: Any) -> None:
    """Note that the message `subject` has made the hop `name`; kept until `flush`. `fields` must be JSON."""
    at = now_ms()
    item = {"at": at, "hop": name, "channel": channel, **{k: v for k, v in fields.items() if v not in ("", None)}}
    with _lock:
        _waiting.append((subject[:MAX_SUBJECT], item))


def external(aggregator: str, external_id: str) -> str:
    """The subject that lists the MOs which an aggregator gave this id: their event ids are ours, and nobody knows."""
    return f"x#{aggregator}#{external_id}"


def flush() -> None:
    """Write what has been noted. Never raises: what cannot be written is dropped, and logged once."""
    with _lock:
        items, _waiting[:] = list(_waiting), []
    by_subject: dict[str, list[dict[str, Any]]] = {}
    for subject, item in items:
        by_subject.setdefault(subject, []).append(item)
    rows = [row for subject, hops in by_subject.items() for row in _rows(subject, hops)]
    for start in range(0, len(rows), _BATCH):
        try:
            _write(rows[start : start + _BATCH])
        except Exception as error:
            from chalicelib import telemetry

            telemetry.logger().warning("trace_lost", extra={"items": len(rows) - start, "error": type(error).__name__})
            return


def _write(rows: list[dict[str, Any]]) -> None:
    table = settings().table("trace")
    request = {table: [{"PutRequest": {"Item": row}} for row in rows]}
    for _ in range(3):
        request = aws.dynamodb().batch_write_item(RequestItems=request).get("UnprocessedItems") or {}
        if not request:
            return


def _rows(subject: str, hops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The hops of one subject as one item, since each item costs a write; each as its own where that is too large."""
    if len(hops) > 1:
        data = _data(hops)
        if len(data) <= MAX_OCTETS:
            return [_row(subject, hops[0]["at"], data)]
    return [_row(subject, item["at"], _packed(item)) for item in hops]


def _row(subject: str, at: int, data: bytes) -> dict[str, Any]:
    return {
        "pk": {"S": subject or "-"},
        "sk": {"S": f"{at:013d}#{next(_number) % 1_000_000:06d}#{secrets.token_hex(4)}"},
        "d": {"B": data},
        "ttl": {"N": str(at // 1000 + KEEP)},
    }


def _packed(hop_fields: dict[str, Any]) -> bytes:
    """The hop alone; one that is too large loses its exchanges' bodies first, then its exchanges."""
    data = _data([hop_fields])
    if len(data) > MAX_OCTETS:
        slim = [{k: str(v)[:2000] for k, v in exchange.items()} for exchange in hop_fields.get("exchanges", [])]
        data = _data([{**hop_fields, "exchanges": slim, "cut": True}])
    if len(data) > MAX_OCTETS:
        data = _data(
            [{"at": hop_fields["at"], "hop": hop_fields["hop"], "channel": hop_fields["channel"], "cut": True}]
        )
    return data


def _data(value: list[dict[str, Any]]) -> bytes:
    """JSON, or gzipped JSON, which begins with 1F 8B (RFC 1952): compressing costs more than all else in a hop."""
    text = _written(value).encode("ascii")
    return text if len(text) <= _PLAIN else gzip.compress(text, compresslevel=6, mtime=0)


_written = json.JSONEncoder(separators=(",", ":"), default=str).encode


def _hops(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    return found


def read(subject: str) -> list[dict[str, Any]]:
    """All hops of one message by time: `{"at": ms, "hop": name, "channel": uuid, ...}`."""
    pages = aws.pages(
        aws.dynamodb().query,
        TableName=settings().table("trace"),
        KeyConditionExpression="pk = :subject",
        ExpressionAttributeValues={":subject": {"S": subject[:MAX_SUBJECT]}},
    )
    hops = [hop for page in pages for row in page["Items"] for hop in _hops(row["d"]["B"])]
    return sorted(hops, key=lambda hop: int(hop["at"]))  # stable: of one moment, as they were noted
