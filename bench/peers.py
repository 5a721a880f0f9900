"""SMPP clients that others have written, against the same sink: `python -m bench.peers KIND PORT WINDOW COUNT`.

Prints the JSON that `bench.engine` prints. Each keeps its window full with what its own interface offers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.engine import TEXT, figures

LOGIN = {"system_id": "bench", "password": "secret"}
FROM_TO: dict[str, Any] = {"source_addr": "8080", "dest_addr_ton": 1, "dest_addr_npi": 1}


async def smpp34(port: int, window: int, count: int) -> dict[str, float]:
    """smpp34 (Rust core): a task for each place in the window."""
    from smpp34 import Client

    client = Client(host="127.0.0.1", port=port, bind_type="TRX", window_size=window, **LOGIN)
    session = await client.connect()
    numbers, times = iter(range(count)), list[float]()

    async def place() -> None:
        for number in numbers:
            since = time.perf_counter()
            answer = await session.submit_sm(f"2507{number:08d}", TEXT.encode(), **FROM_TO)
            assert answer.is_success
            times.append(time.perf_counter() - since)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(place() for _ in range(window)))
    found = figures(times, time.perf_counter() - began, time.process_time() - cpu)
    await session.unbind()
    return found


def smpplib(port: int, window: int, count: int) -> dict[str, float]:
    """smpplib, which blocks: read whenever the window is full."""
    from smpplib.client import Client

    logging.disable(logging.CRITICAL)
    client = Client("127.0.0.1", port, allow_unknown_opt_params=True)
    client.connect()
    client.bind_transceiver(**LOGIN)
    since, times = dict[int, float](), list[float]()
    client.set_message_sent_handler(lambda pdu, **_: times.append(time.perf_counter() - since.pop(pdu.sequence)))
    cpu, began = time.process_time(), time.perf_counter()
    for number in range(count):
        while len(since) >= window:
            client.read_once()
        at = time.perf_counter()
        pdu = client.send_message(destination_addr=f"2507{number:08d}", short_message=TEXT.encode(), **FROM_TO)
        since[pdu.sequence] = at
    while since:
        client.read_once()
    return figures(times, time.perf_counter() - began, time.process_time() - cpu)


KINDS: dict[str, Callable[[int, int, int], Any]] = {"smpp34": smpp34, "smpplib": smpplib}


if __name__ == "__main__":
    _kind, *_numbers = sys.argv[1:]
    _told = KINDS[_kind](*map(int, _numbers))
    print(json.dumps(asyncio.run(_told) if asyncio.iscoroutine(_told) else _told))
