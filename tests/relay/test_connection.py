"""What a read has brought is dealt with in pieces, and what can wait waits for the next read."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as some

from chalicelib.clock import now_ms
from smsc_relay.connection import Connection, pieces
from smsc_relay.protocol import Arrived, Happening, Ready, Role, Surroundings
from smsc_relay.smpp.codec import encode
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.conversation import SmppConversation
from smsc_relay.smpp.pdus import BindTransceiverResp, DeliverSm

ANSWER = 25  # octets of a submit_sm_resp, as SMSCs write them


@given(some.binary(min_size=1, max_size=70_000))
def test_pieces_are_the_whole(data: bytes) -> None:
    found = pieces(data)
    assert b"".join(found) == data
    assert all(found)
    assert len(found) <= 9


def test_of_ten_answers_the_first_are_dealt_with_alone() -> None:
    assert 1 < len(pieces(bytes(10 * ANSWER))[0]) / ANSWER < 9
    assert len(pieces(bytes(ANSWER))) == 1


async def test_what_can_wait_comes_after_what_has_come_meanwhile() -> None:
    """And not after more: an SMSC that never stops talking must not keep it waiting."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        smsc, _ = listener.accept()
    smsc.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    order: list[str] = []
    numbers = itertools.count(1)

    def mo() -> bytes:
        return encode(DeliverSm(source_addr="250788123123", short_message=b"m"), next(numbers))

    def heard(happenings: Sequence[Happening]) -> None:
        for one in happenings:
            if isinstance(one, Ready | Arrived):
                order.append("bound" if isinstance(one, Ready) else "mo")
                smsc.send(mo())  # is there before the next turn of the loop

    def caught_up() -> None:
        order.append("caught up")
        if order.count("caught up") == 3:
            done.set_result(None)

    done: asyncio.Future[None] = loop.create_future()
    names = map(str, itertools.count())
    config = SmppConfig(host="127.0.0.1", system_id="ilha", password="secret")
    around = Surroundings("fast", now_ms, lambda: next(names))
    conversation = SmppConversation(config, Role.TRANSCEIVER, loop.time(), around)
    with smsc:
        transport, _ = await loop.create_connection(lambda: Connection(conversation, heard, caught_up), sock=ours)
        smsc.send(encode(BindTransceiverResp(system_id="smsc"), 1))
        async with asyncio.timeout(10):
            await done
        transport.abort()
    assert order[:6] == ["bound", "mo", "caught up", "mo", "mo", "caught up"]
