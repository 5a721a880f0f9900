"""What a read has brought is dealt with in pieces, and what can wait waits for answers that are about to come."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chalicelib.clock import now_ms
from smsc_relay.connection import Connection, pieces
from smsc_relay.protocol import Accepted, Arrived, Happening, Ready, Role, Surroundings
from smsc_relay.smpp.codec import encode
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.conversation import SmppConversation
from smsc_relay.smpp.pdus import BindTransceiverResp, DeliverSm, SubmitSmResp
from tests.smpp.test_conversation import segment

ANSWER = 25  # octets of a submit_sm_resp, as SMSCs write them
WINDOW = 20_000


@given(some.binary(min_size=1, max_size=70_000))
def test_pieces_are_the_whole(data: bytes) -> None:
    found = pieces(data)
    assert b"".join(found) == data
    assert all(found)
    assert len(found) <= 9


def test_of_ten_answers_the_first_are_dealt_with_alone() -> None:
    assert 1 < len(pieces(bytes(10 * ANSWER))[0]) / ANSWER < 9
    assert len(pieces(bytes(ANSWER))) == 1


@pytest.mark.parametrize("talkative", [False, True])
async def test_what_can_wait_comes_after_answers_that_have_come_meanwhile(talkative: bool) -> None:
    """And an SMSC that never stops talking does not keep it waiting."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        smsc, _ = listener.accept()
    smsc.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    order: list[str] = []
    numbers = itertools.count(2)  # of the submits, after the bind

    def answer() -> bytes:
        return encode(SubmitSmResp("id"), next(numbers))

    def heard(happenings: Sequence[Happening]) -> None:
        for one in happenings:
            if isinstance(one, Ready):
                for submit in range(WINDOW):
                    conversation.submit(segment(config), submit, loop.time())
            elif isinstance(one, Accepted):
                order.append("answer")
                if len(order) == 2 or (talkative and len(order) < WINDOW):
                    smsc.send(answer())  # is there before the next turn of the loop
            elif isinstance(one, Arrived):
                order.append("MO")

    def caught_up() -> None:
        order.append("caught up")
        if len(order) == 1:
            smsc.send(answer() + encode(DeliverSm(source_addr="250788123123", short_message=b"m"), 1))
        elif not done.done():
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
    heard_first, (told, end) = order[1:-2], order[-2:]
    assert heard_first == ["answer"] * len(heard_first)
    assert 2 <= len(heard_first) < WINDOW / 2 if talkative else len(heard_first) == 2
    assert (order[0], told, end) == ("caught up", "MO", "caught up")
