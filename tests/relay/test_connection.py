"""What a read has brought is dealt with in pieces, and what can wait waits for answers that are about to come."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chalicelib.clock import now_ms
from smsc_relay import connection as connections
from smsc_relay.connection import Connection, pieces
from smsc_relay.protocol import Accepted, Arrived, Happening, Role, Surroundings
from smsc_relay.smpp.codec import FrameReader, decode, encode
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.conversation import SmppConversation
from smsc_relay.smpp.pdus import (
    BindTransceiverResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from tests.smpp.test_conversation import segment

ANSWER = 25  # octets of a submit_sm_resp, as SMSCs write them
WINDOW = 20_000
CONFIG = SmppConfig(host="127.0.0.1", system_id="ilha", password="secret")
MO = DeliverSm(source_addr="250788123123", short_message=b"m")


@given(some.binary(min_size=1, max_size=70_000))
def test_pieces_are_the_whole(data: bytes) -> None:
    found = pieces(data)
    assert b"".join(found) == data
    assert all(found)
    assert len(found) <= 9


def test_of_ten_answers_the_first_are_dealt_with_alone() -> None:
    assert 1 < len(pieces(bytes(10 * ANSWER))[0]) / ANSWER < 9
    assert len(pieces(bytes(ANSWER))) == 1


@asynccontextmanager
async def bound(
    heard: Callable[[Connection, Happening], None],
    caught_up: Callable[[], None] = lambda: None,
    ids: Iterator[str] | None = None,
    said: bytes = encode(BindTransceiverResp(system_id="smsc"), 1),
) -> AsyncIterator[tuple[Connection, socket.socket]]:
    """A connection, and the SMSC's end of it, which has said that: that we are bound."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        smsc, _ = listener.accept()
    smsc.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    around = Surroundings("fast", now_ms, (ids or map(str, itertools.count())).__next__)
    conversation = SmppConversation(CONFIG, Role.TRANSCEIVER, loop.time(), around)
    ready = asyncio.Event()

    def listen(happenings: Sequence[Happening]) -> None:
        for one in happenings:
            heard(made, one)

    def listen_less() -> None:
        ready.set()
        caught_up()

    made = Connection(conversation, listen, listen_less)
    with smsc:
        await loop.create_connection(lambda: made, sock=ours)
        smsc.send(said)
        async with asyncio.timeout(10):
            if said:
                await ready.wait()
            yield made, smsc
        made.drop()
        await made.gone.wait()


def submit(connection: Connection, count: int) -> None:
    """The first has the sequence number 2."""
    for number in range(count):
        connection.conversation.submit(segment(CONFIG), number, asyncio.get_running_loop().time())


@pytest.mark.parametrize("talkative", [False, True])
async def test_what_can_wait_comes_after_answers_that_have_come_meanwhile(talkative: bool) -> None:
    """And an SMSC that never stops talking does not keep it waiting."""
    order: list[str] = []
    numbers = itertools.count(2)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answer() -> bytes:
        return encode(SubmitSmResp("id"), next(numbers))

    def heard(connection: Connection, one: Happening) -> None:
        if isinstance(one, Accepted):
            order.append("answer")
            if len(order) == 1 or (talkative and len(order) < WINDOW):
                smsc.send(answer())  # is there before the next turn of the loop
        elif isinstance(one, Arrived):
            order.append("MO")

    def caught_up() -> None:
        if order and not done.done():
            done.set_result(None)

    async with bound(heard, caught_up) as (connection, smsc):
        submit(connection, WINDOW)
        smsc.send(answer() + encode(MO, 1))
        await done
    assert 2 <= order.index("MO") < WINDOW / 2
    assert talkative or order == ["answer", "answer", "MO"]


@pytest.mark.parametrize("between", [0, 20])  # octets: the MO is of the same piece, or of the next
async def test_an_mo_that_came_with_the_last_answer_is_answered_before_we_log_out(between: int) -> None:
    def heard(connection: Connection, one: Happening) -> None:
        if isinstance(one, Arrived):
            connection.acknowledge(one.token)

    async with bound(heard) as (connection, smsc):
        submit(connection, 1)
        connection.leave_when_done(60)
        smsc.setblocking(False)
        smsc.send(encode(SubmitSmResp("id" * between), 2) + between * encode(SubmitSmResp("?"), 0) + encode(MO, 7))
        said = []
        reader = FrameReader()
        loop = asyncio.get_running_loop()
        while Unbind not in said:
            reader.feed(await loop.sock_recv(smsc, 65_536))
            while (frame := reader.next_frame()) is not None:
                said.append(type(decode(frame).pdu))
        assert said[-2:] == [DeliverSmResp, Unbind]
        smsc.send(encode(UnbindResp(), 3))
        assert not (await connection.over).lost


async def test_a_fault_of_ours_in_reading_an_mo_costs_the_connection_and_the_bind_learns_of_its_end() -> None:
    """Both MOs are without an answer: the SMSC gives them again over the next."""
    ids = iter(["session"])
    told: list[Happening] = []
    async with bound(lambda _, one: told.append(one), ids=ids) as (connection, smsc):
        smsc.send(encode(MO, 7) + encode(MO, 8))
        assert (await connection.over).reason == "connection lost: a fault of ours, relay_fault in the log"
        await connection.gone.wait()
    assert not any(isinstance(one, Arrived) for one in told)


@pytest.mark.parametrize("call", ["receive_data", "tick"])
async def test_a_fault_of_ours_in_reading_or_in_time_costs_the_connection_and_is_named(call: str) -> None:
    def fault(*_: object) -> Sequence[Happening]:
        raise ValueError("4301 digits")

    async with bound(lambda *_: None) as (connection, smsc):
        submit(connection, 1)
        setattr(connection.conversation, call, fault)
        if call == "tick":
            now = asyncio.get_running_loop().time()
            setattr(connection.conversation, "next_deadline", lambda: now)  # noqa: B010 - a method
            connection.flush()
        else:
            smsc.send(encode(EnquireLink(), 9))
        ended = await connection.over
        assert ended.reason == "connection lost: a fault of ours, relay_fault in the log"
        assert ended.lost == (0,)


async def test_a_connection_that_is_left_before_it_is_there_says_nothing() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        around = Surroundings("fast", now_ms, map(str, itertools.count()).__next__)
        made = Connection(SmppConversation(CONFIG, Role.TRANSCEIVER, loop.time(), around), lambda _: None)
        made.leave()
        assert (await made.over).reason == "aborted"
        await loop.create_connection(lambda: made, *listener.getsockname())
        smsc, _ = listener.accept()
        async with asyncio.timeout(10):
            await made.gone.wait()
        with smsc:
            smsc.settimeout(10)
            assert smsc.recv(100) == b""


@pytest.mark.parametrize("said", [b"", encode(BindTransceiverResp(system_id="smsc"), 1)], ids=["nothing", "something"])
async def test_an_smsc_that_hangs_up_without_a_word_may_want_tls(said: bytes) -> None:
    async with bound(lambda *_: None, said=said) as (connection, smsc):
        smsc.close()
        told = "" if said else ": it has said nothing, does this port speak TLS?"
        assert (await connection.over).reason == "connection lost" + told


async def test_a_burst_of_mos_is_heard_in_many_turns_and_nothing_is_read_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other links have their turns in between."""
    monkeypatch.setattr(connections, "TURN", 0.0)
    count, loop = 1000, asyncio.get_running_loop()
    turns, deaf = 0, 0
    heard: list[str] = []
    done: asyncio.Future[None] = loop.create_future()

    def turn() -> None:
        nonlocal turns, deaf
        turns += 1
        assert connection._transport is not None
        deaf += not connection._transport.is_reading()
        if not done.done():
            loop.call_soon(turn)

    def hear(connection: Connection, one: Happening) -> None:
        if isinstance(one, Arrived):
            if not heard:
                loop.call_soon(turn)
            heard.append(one.events[0].message.text)  # type: ignore[union-attr]
            if len(heard) == count:
                done.set_result(None)

    async with bound(hear) as (connection, smsc):
        smsc.setblocking(False)
        texts = [str(number) for number in range(count)]
        mos = (DeliverSm(source_addr="250788123123", short_message=text.encode()) for text in texts)
        await loop.sock_sendall(smsc, b"".join(encode(mo, number) for number, mo in enumerate(mos, 1)))
        await done
        assert heard == texts
        assert turns >= count / 10
        assert deaf >= turns / 2
        smsc.send(encode(MO, count + 1))
        while len(heard) == count:
            await asyncio.sleep(0)


async def test_what_was_read_before_the_end_is_heard_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many turns that would have taken, and answers too."""
    monkeypatch.setattr(connections, "TURN", 0.0)
    count = 1000
    accepted: list[int] = []

    def hear(connection: Connection, one: Happening) -> None:
        if isinstance(one, Accepted):
            accepted.append(one.context)

    async with bound(hear) as (connection, smsc):
        submit(connection, count)
        smsc.settimeout(10)
        smsc.sendall(b"".join(encode(SubmitSmResp("id"), 2 + number) for number in range(count)))
        smsc.shutdown(socket.SHUT_WR)
        ended = await connection.over
        assert accepted == list(range(count))
        assert not ended.lost


async def flood(smsc: socket.socket, over: Callable[[], bool]) -> None:
    """The SMSC asks and asks, and reads nothing."""
    smsc.setblocking(False)
    asking = 1000 * encode(EnquireLink(), 1)
    while not over():
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(smsc, asking), 0.2)
        except (TimeoutError, ConnectionError):
            continue


async def test_an_smsc_that_asks_and_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNREAD", 100_000)
    async with bound(lambda *_: None) as (connection, smsc):
        await flood(smsc, connection.over.done)
        assert (await connection.over).reason == "connection lost: the SMSC does not read what we write"


async def test_an_smsc_that_has_said_all_and_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGER", 0.1)
    async with bound(lambda *_: None) as (connection, smsc):
        await flood(smsc, lambda: connection.blocked)
        smsc.shutdown(socket.SHUT_WR)
        assert (await connection.over).reason == "connection lost"
