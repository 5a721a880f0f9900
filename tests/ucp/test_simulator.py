"""The simulated SMSC over UCP, asked by bare frames over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from smsc_relay.simulator import Simulator
from smsc_relay.ucp.codec import Frame, FrameReader, decode, encode
from smsc_relay.ucp.errors import UcpDecodeError
from smsc_relay.ucp.operations import (
    Ack,
    Alert,
    CallInput,
    Message,
    Nack,
    Operation,
    Result,
    SessionManagement,
    Transfer,
    operation_frame,
    read_operation,
    read_result,
    result_frame,
)

PATIENCE = 10.0
PHONE = "250788123123"


class Raw:
    """Frames in and out, and nothing by itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = FrameReader()
        self._trn = -1

    def send(self, operation: Operation) -> int:
        self._trn = (self._trn + 1) % 100
        self._writer.write(encode(operation_frame(operation, self._trn)))
        return self._trn

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def body(self) -> bytes | None:
        """The next frame's characters; None: the SMSC has closed."""
        while (body := self._frames.next_frame()) is None:
            data = await asyncio.wait_for(self._reader.read(65536), PATIENCE)
            if not data:
                return None
            self._frames.feed(data)
        return body

    async def read(self) -> Frame:
        body = await self.body()
        assert body is not None, "the SMSC has closed"
        return decode(body)

    async def ask(self, operation: Operation) -> Result:
        """Send, and read its result, which must be the next frame."""
        trn = self.send(operation)
        answer = await self.read()
        assert (answer.trn, answer.ot, answer.result) == (trn, operation.ot, True)
        return read_result(answer)

    async def delivered(self, result: Result | None = None) -> Operation:
        """The next frame, an operation, answered."""
        frame = await self.read()
        assert not frame.result
        self.write(encode(result_frame(result or Ack(), frame.trn, frame.ot)))
        return read_operation(frame)

    def close(self) -> None:
        self._writer.close()


def login(oadc: str = "1234", password: str = "secret") -> SessionManagement:
    return SessionManagement(oadc, "6", "5", "1", password.encode().hex(), vers="0100")


def submit(to: str = PHONE, **fields: Any) -> Message:
    return Message(51, **{"adc": to, "oadc": "8080", "nrq": "1", "nt": "3", "mt": "3", "msg": "4869", **fields})


@asynccontextmanager
async def smsc(behaviour: dict[str, Any] | None = None, **script: Any) -> AsyncIterator[Simulator]:
    async with Simulator({"behaviour": behaviour or {}, **script}, control_port=None) as running:
        yield running


@asynccontextmanager
async def raw(running: Simulator, *, logs_in: bool = True) -> AsyncIterator[Raw]:
    client = Raw(*await asyncio.open_connection("127.0.0.1", running.ucp_port))
    try:
        if logs_in:
            assert await client.ask(login()) == Ack("BIND AUTHENTICATED")
        yield client
    finally:
        client.close()


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(login(), Ack("BIND AUTHENTICATED"), id="right"),
        pytest.param(login(password="wrong"), Nack(7, "Authentication failure"), id="password"),
        pytest.param(login("999"), Nack(7, "Authentication failure"), id="account"),
    ],
)
async def test_logins(request_: SessionManagement, expected: Result) -> None:
    async with smsc(accounts={"1234": {"password": "secret"}}) as running, raw(running, logs_in=False) as client:
        assert await client.ask(request_) == expected
        if isinstance(expected, Nack):
            assert await client.body() is None
            assert running.sessions == []
        else:
            assert [one["protocol"] for one in running.sessions] == ["UCP"]


async def test_a_submit_reaches_its_phone_and_is_notified() -> None:
    async with smsc({"receipts": {"delay": 0}}) as running, raw(running) as client:
        result = await client.ask(submit(msg="4869201B281B651B29"))
        assert isinstance(result, Ack)
        adc, _, stamp = result.sm.partition(":")
        told = await client.delivered()
        assert isinstance(told, Message)
        assert (told.ot, told.oadc, told.scts, told.dst, told.adc) == (53, adc, stamp, "0", "8080")
        assert f"Message for {PHONE}, with identification" in bytes.fromhex(told.msg).decode()
        (message,) = running.messages
        assert (message.to, message.source, message.text) == (PHONE, "8080", "Hi {€}")
        await running.wait_for(lambda it: it.stats["1234"].get("delivered") == 1)


async def test_parts_become_one_message_with_two_names() -> None:
    async with smsc() as running, raw(running) as client:
        names = []
        for part, xser in (("50617274", "01060500032A0201"), ("6F6E65", "01060500032A0202")):
            result = await client.ask(submit(msg=part, xser=xser, oadc="07C161B308", otoa="5039"))
            names.append(result.sm)
        assert len(set(names)) == 2
        (message,) = running.messages
        assert (message.text, message.source, message.complete) == ("Partone", "ACME", True)


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (submit(mt="4", nb="0064", msg="00E920ACD83DDE00", xser="020108"), "é€😀"),
        (submit(mt="4", nb="0016", msg="0102"), None),
        (CallInput(PHONE, "8080", "", "3", "", "4869"), "Hi"),
        (CallInput(PHONE, "8080", "", "2", "", "5550100"), "5550100"),
        (Transfer(PHONE, "8080", msg="4869"), "Hi"),
    ],
)
async def test_other_texts(operation: Operation, text: str | None) -> None:
    async with smsc() as running, raw(running) as client:
        result = await client.ask(operation)
        assert isinstance(result, Ack)
        assert [message.text for message in running.messages] == [text]


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        ("0008", Nack(55, "System error")),
        ("0011", Nack(6, "AdC invalid")),
        ("0045", Nack(54, "Operation not successful")),
        ("0088", Nack(4, "Throughput exceeded")),
        ("0096", Nack(3, "Operation not supported by system")),
    ],
)
async def test_numbers_that_are_refused(suffix: str, expected: Nack) -> None:
    async with smsc() as running, raw(running) as client:
        assert await client.ask(submit(f"25078812{suffix}")) == expected
        assert running.messages == []


async def test_throttled() -> None:
    accounts = {"1234": {"tps": 1}}
    async with smsc(accounts=accounts) as running, raw(running) as client:
        found = [await client.ask(submit()) for _ in range(3)]
        assert isinstance(found[0], Ack)
        assert Nack(4, "Throughput exceeded") in found


async def test_a_receipt_before_its_answer_and_states() -> None:
    async with smsc() as running, raw(running) as client:
        client.send(submit("250788120109"))
        first, second = await client.read(), await client.read()
        assert (first.ot, first.result, second.ot, second.result) == (53, False, 51, True)
        for suffix, dst, rsn in (("0105", "2", "108"), ("0103", "2", "107")):
            client.send(submit(f"25078812{suffix}"))
            await client.read()
            told = await client.delivered()
            assert isinstance(told, Message)
            assert (told.dst, told.rsn) == (dst, rsn)


async def test_the_session_ends_and_what_was_not_answered_comes_again() -> None:
    async with smsc({"receipts": {"delay": 0}}) as running:
        async with raw(running) as client:
            await client.ask(submit())
            assert (await client.read()).ot == 53  # and is not answered
            client.send(submit("250788120097"))
            assert await client.body() is None
        async with raw(running) as client:
            assert (await client.delivered()).ot == 53


async def test_mos() -> None:
    async with smsc() as running, raw(running) as client:
        running.inject(source="250788123123", to="8080", text="é€")
        told = await client.delivered()
        assert isinstance(told, Message)
        assert (told.ot, told.adc, told.oadc, told.mt, told.msg) == (52, "8080", "250788123123", "3", "051B65")
        running.inject(source="ACME", to="8080", text="☀" * 80)
        parts = [await client.delivered(), await client.delivered()]
        assert [part.xser[:8] for part in parts if isinstance(part, Message)] == ["01060500"] * 2
        assert {part.otoa for part in parts if isinstance(part, Message)} == {"5039"}
        await running.wait_for(lambda it: all(mo.state == "acknowledged" for mo in it.mos))


async def test_an_mo_is_sent_again_or_given_up() -> None:
    async with smsc({"mo": {"retry": 0.01}}) as running, raw(running) as client:
        running.inject(source="250788123123", to="8080", text="again")
        await client.delivered(Nack(55, "later"))
        await client.delivered(Nack(4, "never"))
        await running.wait_for(lambda it: it.mos[0].state == "refused")


@pytest.mark.parametrize(("kind", "ot"), [("01", 1), ("30", 30)])
async def test_mos_of_old_smscs(kind: str, ot: int) -> None:
    async with smsc({"ucp": {"mo_operation": kind}}) as running, raw(running) as client:
        running.inject(source="250788123123", to="8080", text="Hi")
        told = await client.delivered()
        assert told.ot == ot
        assert not isinstance(told, Alert | SessionManagement)
        assert told.msg == "4869"


async def test_without_login() -> None:
    async with smsc({"ucp": {"trusts": "1234"}}) as running, raw(running, logs_in=False) as client:
        assert isinstance(await client.ask(submit()), Ack)
        assert running.messages[0].account == "1234"


async def test_a_submit_needs_a_login() -> None:
    async with smsc() as running, raw(running, logs_in=False) as client:
        assert await client.ask(submit()) == Nack(4, "Not logged in")
        assert await client.ask(Alert("1234", "0539")) == Ack("0000")


async def test_who_does_not_log_in_is_put_out() -> None:
    async with smsc(login_timeout=0.05) as running, raw(running, logs_in=False) as client:
        assert await client.body() is None


async def test_odd_frames() -> None:
    behaviour = {"ucp": {"crlf": True, "wrong_checksum_every": 2, "names": False}, "link": {"chunk": 3}}
    async with smsc(behaviour) as running, raw(running) as client:
        client.send(submit(nrq="", nt=""))
        body = await client.body()
        assert body is not None
        with pytest.raises(UcpDecodeError, match="checksum"):
            decode(body)
        assert await client.ask(submit(nrq="", nt="")) == Ack()
    async with smsc({"ucp": {"wrong_length_every": 1}}) as running, raw(running, logs_in=False) as client:
        client.send(login())
        body = await client.body()
        assert body is not None
        with pytest.raises(UcpDecodeError, match="LEN"):
            decode(body)


async def test_notifications_without_fields() -> None:
    behaviour = {"ucp": {"scts": False, "dscts": False, "same_stamps": True}, "receipts": {"delay": 0}}
    async with smsc(behaviour) as running, raw(running) as client:
        await client.ask(submit())
        told = await client.delivered()
        assert isinstance(told, Message)
        assert (told.scts, told.dscts) == ("", "")


async def test_what_the_smsc_does_not_know() -> None:
    async with smsc() as running, raw(running) as client:
        assert await client.ask(Message(56, adc="8080", oadc="1234")) == Nack(3, "operation not supported by system")
        assert await client.ask(submit(msg="zz")) == Nack(2, "Syntax error")
        client.write(b"\x0207/00026/O/31/1234/0539/00\x03")
        assert read_result(await client.read()) == Nack(1, "checksum error")
        (session,) = running.sessions
        running.send_raw(session["session"], b"\x0201/00026/O/31/1234/0539/C1\x03")
        assert (await client.read()).ot == 31


async def test_alerts_and_silence() -> None:
    link = {"enquire_link": 0.02, "answer_enquire_link": False, "idle_close": 0.2}
    async with smsc({"link": link}) as running, raw(running) as client:
        client.send(Alert("1234", "0539"))
        frame = await client.read()
        assert (frame.ot, frame.result) == (31, False)
        while (body := await client.body()) is not None:
            assert not decode(body).result
