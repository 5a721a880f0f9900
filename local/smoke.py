"""`make smoke`: messages both ways over every line; a table of what arrived, and whether exactly once and in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from local.world import World

COUNT: Final = 10  # messages each way and line
PATIENCE: Final = 60.0  # seconds
_Check = tuple[str, list[str], Callable[[], list[str]]]


def smoke(world: World) -> bool:
    """Send, wait for everything, print the table; True when all arrived, each exactly once and in order."""
    began = time.monotonic()
    checks = [check for line in world.lines for check in _send(world, line.code)]
    took = dict.fromkeys((name for name, _, _ in checks), 0)
    while time.monotonic() - began < PATIENCE:
        for name, expected, found in checks:
            if not took[name] and len(found()) >= len(expected):
                took[name] = max(1, round((time.monotonic() - began) * 1000))
        if all(took.values()):
            break
        time.sleep(0.05)
    print(f"{'path':<52}{'sent':>6}{'arrived':>9}{'ms':>8}  once each, in order")
    good = True
    for name, expected, found in checks:
        arrived = found()
        good = good and arrived == expected
        print(f"{name:<52}{len(expected):>6}{len(arrived):>9}{took[name]:>8}  {'yes' if arrived == expected else 'NO'}")
    return good


def _send(world: World, code: str) -> list[_Check]:
    texts = [f"{code} {number} ☀" for number in range(COUNT)]
    ids = [world.platform_sends(code, text) for text in texts]
    for text in texts:
        world.phone_sends(code, text)

    def told(kind: str, key: str) -> list[str]:
        return [one[key] for one in world.platform if (one["line"], one["kind"]) == (code, kind)]

    return [
        (f"{code:<5} platform -> SQS -> phone", texts, lambda: [m["text"] for m in world.phone() if m["line"] == code]),
        (f"{code:<5} phone -> platform", texts, lambda: told("receive", "text")),
        (f"{code:<5} receipts: delivered", sorted(ids), lambda: sorted(told("delivered", "id"))),
    ]
