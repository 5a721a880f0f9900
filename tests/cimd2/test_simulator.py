"""The simulated SMSC over CIMD2, over real TCP."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from smsc_relay.cimd2.codec import Packet, encode
from smsc_relay.cimd2.constants import Operation, Tag
from smsc_relay.simulator import Simulator
from tests.cimd2.clients import PHONE, Raw

REPORTS = (int(Tag.STATUS_REPORT), 63)


@asynccontextmanager
async def meeting(script: dict[str, Any] | None = None, **login: Any) -> AsyncIterator[tuple[Simulator, Raw]]:
    """A simulator, and a client that has logged in."""
    async with Simulator(script or {"behaviour": {"receipts": {"delay": 0}}}, control_port=None) as smsc:
        client = await Raw.connect(smsc)
        try:
            assert (await client.login(**login)).get(Tag.ERROR) is None
            yield smsc, client
        finally:
            client.close()


def behaviour(**parts: Any) -> dict[str, Any]:
    return {"behaviour": {"receipts": {"delay": 0}, **parts}}


# --- login ----------------------------------------------------------------------------------------------------------


async def test_greeting_login_and_logout() -> None:
    async with meeting(window=10, subaddress=3) as (smsc, client):
        assert client.greeting.startswith("CIMD2-A ConnectionInfo: SessionId = 1 PortId = 1 Time = ")
        (session,) = smsc.sessions
        assert (session["protocol"], session["account"], session["state"], session["subaddress"]) == (
            "CIMD2", "ilha", "up", "3",
        )  # fmt: skip
        assert (await client.ask(Operation.ALIVE)).operation == Operation.ALIVE_RESPONSE
        assert (await client.ask(Operation.LOGOUT)).operation == Operation.LOGOUT_RESPONSE
        with pytest.raises(ConnectionError):
            await client.packet()


@pytest.mark.parametrize(
    ("script", "login", "code"),
    [
        pytest.param({"accounts": {"ilha": {"password": "other"}}}, {}, 100, id="password"),
        pytest.param({"accounts": {"other": {}}}, {}, 100, id="user"),
        pytest.param(behaviour(login={"status": 107}), {}, 107, id="by the script"),
        pytest.param(behaviour(login={"status": "RBINDFAIL"}), {}, 103, id="by name"),
        pytest.param(behaviour(cimd2={"window_max": None}), {"window": 5}, 105, id="windows"),
        pytest.param(behaviour(cimd2={"window_max": 4}), {"window": 5}, 104, id="window"),
    ],
)
async def test_refused_logins(script: dict[str, Any], login: dict[str, Any], code: int) -> None:
    async with Simulator(script, control_port=None) as smsc:
        client = await Raw.connect(smsc)
        assert (await client.login(**login)).integer(Tag.ERROR) == code
        client.close()


async def test_a_second_session_needs_another_subaddress() -> None:
    async with meeting() as (smsc, _):
        second = await Raw.connect(smsc)
        assert (await second.login()).integer(Tag.ERROR) == 102
        assert (await second.login(subaddress=1)).integer(Tag.ERROR) is None
        second.close()


# --- submits --------------------------------------------------------------------------------------------------------


async def test_a_submit_and_its_report() -> None:
    async with meeting() as (smsc, client):
        answer = await client.submit("Caf_e' _XXe", PHONE, REPORTS)
        key = (answer.get(Tag.DESTINATION), answer.get(Tag.TIMESTAMP))
        assert key[0] == f"+{PHONE}"
        (message,) = smsc.messages
        assert (message.text, message.to, message.source, message.account) == ("Café €", PHONE, "8080", "ilha")
        report = await client.request()
        assert (report.operation, report.number) == (Operation.STATUS_REPORT, 0)
        assert (report.get(Tag.DESTINATION), report.get(Tag.TIMESTAMP)) == key
        assert report.integer(Tag.STATUS) == 4
        client.say(Packet(Operation.STATUS_REPORT_RESPONSE, 0))
        await smsc.wait_for(lambda it: it.stats["ilha"].get("delivered") == 1)


@pytest.mark.parametrize(
    ("suffix", "code"),
    [("0008", 6), ("0010", 306), ("0011", 300), ("0014", 10), ("0045", 9), ("0088", 10)],
)
async def test_numbers_that_misbehave(suffix: str, code: int) -> None:
    async with meeting() as (smsc, client):
        answer = await client.submit(to=f"25078812{suffix}")
        assert (answer.operation, answer.integer(Tag.ERROR)) == (Operation.SUBMIT_RESPONSE, code)
        assert smsc.messages == []


async def test_codes_of_cimd2() -> None:
    async with meeting({"destinations": {"77": {"status": 313}}}) as (_, client):
        assert (await client.submit(to="25078877")).integer(Tag.ERROR) == 313


@pytest.mark.parametrize(
    ("suffix", "status", "error"), [("0103", 2, 3), ("0104", 8, 4), ("0105", 3, 5), ("0107", 6, 7), ("0108", 3, 8)]
)
async def test_reports_of_failures(suffix: str, status: int, error: int) -> None:
    async with meeting() as (_, client):
        await client.submit("Hi", f"25078812{suffix}", REPORTS)
        report = await client.request()
        assert (report.integer(Tag.STATUS), report.integer(Tag.STATUS_ERROR)) == (status, error)


@pytest.mark.parametrize(
    ("mask", "suffix", "statuses"),
    [(8, "0001", [4]), (6, "0001", []), (6, "0105", [3]), (8, "0105", []), (63, "0101", [1, 5, 4]), (0, "0001", []),
     (14, "0102", [4, 4])],
)  # fmt: skip
async def test_which_reports_come(mask: int, suffix: str, statuses: list[int]) -> None:
    script = behaviour(receipts={"delay": 0, "intermediate": []})
    async with meeting(script) as (_, client):
        await client.submit("Hi", f"25078812{suffix}", (int(Tag.STATUS_REPORT), mask))
        await client.submit("Hi", f"25078812{'0001'}", (int(Tag.STATUS_REPORT), 8))
        found = []
        for _ in range(len(statuses) + 1):
            report = await client.request()
            found.append(report.integer(Tag.STATUS) or 0)
            client.say(Packet(Operation.STATUS_REPORT_RESPONSE, report.number))
        assert sorted(found) == sorted([*statuses, 4])


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        pytest.param([(33, "Hi")], 300, id="no destination"),
        pytest.param([(21, PHONE), (33, "Hi"), (34, "00")], 303, id="text and binary"),
        pytest.param([(21, PHONE), (32, "0500"), (33, "Hi")], 303, id="header"),
        pytest.param([(21, PHONE), (33, "a_zz")], 302, id="escape"),
        pytest.param([(21, PHONE), (33, "x" * 161)], 302, id="161 characters"),
        pytest.param([(21, PHONE), (32, "0500032A0201"), (33, "x" * 154)], 302, id="154 with a header"),
        pytest.param([(21, PHONE), (30, 8), (34, "00" * 141)], 302, id="141 octets"),
        pytest.param([(21, PHONE), (30, 8), (33, "Hi")], 304, id="text as UCS-2"),
        pytest.param([(21, PHONE), (30, 300), (33, "Hi")], 304, id="no data coding scheme"),
        pytest.param([(21, PHONE), (23, "8080"), (27, "ACME"), (33, "Hi")], 306, id="two originators"),
        pytest.param([(21, PHONE), (56, 14), (33, "Hi")], 310, id="prohibited"),
    ],
)
async def test_submits_that_break_rules(pairs: list[tuple[int, str | int]], code: int) -> None:
    async with meeting(behaviour(cimd2={"prohibited": [56]})) as (smsc, client):
        assert (await client.ask(Operation.SUBMIT, *pairs)).integer(Tag.ERROR) == code
        assert smsc.submits == []


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        pytest.param([(33, "x" * 160)], "x" * 160, id="160"),
        pytest.param([(30, 8), (34, "062720AC")], "ا€", id="UCS-2"),
        pytest.param([(30, 0), (34, "E8329BFD06")], "hello", id="packed"),
        pytest.param([(30, 4), (34, "FF00")], None, id="binary"),
    ],
)
async def test_contents(pairs: list[tuple[int, str]], text: str | None) -> None:
    async with meeting() as (smsc, client):
        assert (await client.ask(Operation.SUBMIT, (21, PHONE), *pairs)).integer(Tag.ERROR) is None
        assert [message.text for message in smsc.messages] == [text]


async def test_a_long_message_and_many_destinations() -> None:
    async with meeting() as (smsc, client):
        for number, part in enumerate(("Part one, ", "part two"), 1):
            await client.submit(part, PHONE, (32, f"0500032A02{number:02X}"))
        assert [(message.text, message.complete) for message in smsc.messages] == [("Part one, part two", True)]
        answer = await client.ask(
            Operation.SUBMIT, (21, "+250788000001"), (21, "+250788000011"), (33, "Hi")
        )  # fmt: skip
        assert [tag for tag, _ in answer.parameters] == [21, 60, 21, 900, 901]


async def test_time_stamps() -> None:
    async with meeting() as (smsc, client):
        found = {(await client.submit()).get(Tag.TIMESTAMP) for _ in range(3)}
        assert len(found) == 3
        smsc.configure({"behaviour": {"cimd2": {"timestamps": "second"}}})
        began = time.time() // 1
        found = {(await client.submit()).get(Tag.TIMESTAMP) for _ in range(3)}
        assert len(found) <= time.time() // 1 - began + 1


async def test_enquiry_and_cancel() -> None:
    script = behaviour(network={"delay": 100}, receipts={"delay": 200})
    async with meeting(script) as (_, client):
        answer = await client.submit("Hi", PHONE, REPORTS)
        key = answer.parameters
        assert (await client.ask(Operation.ENQUIRE, *key)).integer(Tag.STATUS) == 1
        assert (await client.ask(Operation.CANCEL, (59, 2), *key)).integer(Tag.ERROR) is None
        assert (await client.ask(Operation.ENQUIRE, *key)).integer(Tag.STATUS) == 8
        assert (await client.ask(Operation.ENQUIRE, (21, PHONE), (60, "0"))).integer(Tag.ERROR) == 7
        assert len((await client.ask(Operation.GET, (500, 501))).get(501) or "") == 12
        assert (await client.ask(Operation.SET, (11, "new"))).integer(Tag.ERROR) == 801
        assert (await client.ask(Operation.DELIVERY_REQUEST, (68, 0))).get(66) == "0"


# --- MOs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "how", "found"),
    [
        pytest.param({"text": "Öl {€}"}, {}, {30: "0", 33: '_O"l _XX(_XXe_XX)'}, id="escapes"),
        pytest.param({"text": "Öl"}, {"characters": "latin1"}, {30: "0", 33: "Öl"}, id="latin1"),
        pytest.param({"text": "☀"}, {}, {30: "8", 34: "2600"}, id="UCS-2"),
        pytest.param({"text": "hello", "alphabet": "gsm7_packed"}, {}, {30: "0", 34: "E8329BFD06"}, id="packed"),
        pytest.param({"octets": "00ff"}, {}, {30: "4", 34: "00FF"}, id="binary"),
        pytest.param({"text": "Hi", "udh": "0504c3500000"}, {}, {32: "060504C3500000", 33: "Hi"}, id="ports"),
    ],
)
async def test_mos(message: dict[str, Any], how: dict[str, Any], found: dict[int, str]) -> None:
    async with meeting(behaviour(cimd2=how)) as (smsc, client):
        mo = smsc.inject(source=PHONE, to="8080", **message)
        packet = await client.request()
        assert (packet.operation, packet.get(21), packet.get(23)) == (Operation.DELIVER, "8080", f"+{PHONE}")
        assert dict(packet.parameters).items() >= found.items()
        client.say(Packet(Operation.DELIVER_RESPONSE, packet.number))
        await smsc.wait_for(lambda _: mo.state == "acknowledged")


async def test_a_long_mo_and_one_that_is_too_long() -> None:
    async with meeting() as (smsc, client):
        smsc.inject(source=PHONE, to="8080", text="x" * 200, reference=0x2A)
        packets = [await client.request() for _ in range(2)]
        assert [packet.get(Tag.UDH) for packet in packets] == ["0500032A0201", "0500032A0202"]
        mo = smsc.inject(source=PHONE, to="8080", text="x" * 200, long="short")
        assert mo.state == "refused"


async def test_what_is_not_acknowledged_comes_again() -> None:
    async with meeting(behaviour(mo={"retry": 0.01})) as (smsc, client):
        smsc.inject(source=PHONE, to="8080", text="STOP")
        first = await client.request()
        client.say(Packet(Operation.DELIVER_RESPONSE, first.number, ((900, "710"),)))
        second = await client.request()
        assert (second.number, second.get(33)) == (first.number + 2, "STOP")
        client.close()
        again = await Raw.connect(smsc)
        await smsc.wait_for(lambda it: not it.sessions)
        await again.login()
        assert (await again.request()).get(33) == "STOP"
        again.close()


# --- mishaps --------------------------------------------------------------------------------------------------------


async def test_nacks() -> None:
    async with meeting(behaviour(answers={"nack_every": 1})) as (smsc, client):
        answer = await client.submit()
        assert answer == Packet(Operation.NACK, 3)
        smsc.configure({"behaviour": {"answers": {"nack_every": None}}})
        client.say(Packet(Operation.SUBMIT, 3, ((21, f"+{PHONE}"), (23, "8080"), (33, "Hi"))))
        assert (await client.response()).get(Tag.TIMESTAMP)


async def test_answers_in_another_order_and_strays() -> None:
    async with meeting(behaviour(answers={"reorder": 2, "stray_every": 2}), window=10) as (_, client):
        for _ in range(2):
            client.send(Operation.SUBMIT, (21, PHONE), (33, "Hi"))
        assert [(await client.response()).number for _ in range(3)] == [253, 5, 3]


@pytest.mark.parametrize(
    "how", [{"close_after": 1}, {"unbind_after": 1}, {"idle_close": 0.1}, {"idle_unbind": 0.1}], ids=str
)
async def test_disconnects(how: dict[str, Any]) -> None:
    async with meeting(behaviour(link=how)) as (_, client):
        client.send(Operation.SUBMIT, (21, PHONE), (33, "Hi"))
        with pytest.raises(ConnectionError):
            await client.until_closed()


async def test_the_connection_is_dropped_for_some_numbers() -> None:
    async with meeting() as (_, client):
        client.send(Operation.SUBMIT, (21, "250788120097"), (33, "Hi"))
        with pytest.raises(ConnectionError):
            await client.packet()


async def test_packets_in_pieces_noise_and_damage() -> None:
    link = {"chunk": 3, "chunk_pause": 0, "bad_length_after": 1, "bad_length": "undersize"}
    async with meeting(behaviour(link=link, cimd2={"noise": "\r\nhello\r\n", "checksum": "lower"})) as (smsc, client):
        assert (await client.submit()).get(Tag.TIMESTAMP)
        smsc.send_raw(1, encode(Packet(Operation.ALIVE, 250)))
        with pytest.raises(Exception, match="without operation"):
            await client.packet()
        assert (await client.packet()) == Packet(Operation.ALIVE, 250)
        assert b"\r\nhello\r\n" in client.octets


async def test_silence() -> None:
    script = behaviour(link={"answer_enquire_link": False, "enquire_link": 0.01})
    async with meeting(script) as (smsc, client):
        client.send(Operation.ALIVE)
        client.send(Operation.SUBMIT, (21, "250788120098"), (33, "Hi"))
        await smsc.wait_for(lambda it: len(it.messages) == 1)
        assert (await client.packet()).operation == Operation.ALIVE
        assert (await client.submit()).get(Tag.TIMESTAMP), "neither the alive nor the first submit was answered"


async def test_limits() -> None:
    account = {"window": 1, "tps": 2, "behaviour": {"answers": {"delay": 0.05}}}
    async with meeting({"accounts": {"ilha": account}}, window=10) as (_, client):
        for _ in range(2):
            client.send(Operation.SUBMIT, (21, PHONE), (33, "Hi"))
        codes = [(await client.response()).integer(Tag.ERROR) for _ in range(2)]
        assert codes == [None, 10] or codes == [10, None]
