"""What phones send: how it is cut, whose it is, and that nothing is lost on the way to the client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from smsc_relay.simulator import ScriptError, Simulator
from smsc_relay.simulator.centre import Unknown
from smsc_relay.simulator.content import ContentError
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Status, Tag
from smsc_relay.smpp.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    Outbind,
    Unbind,
)
from smsc_relay.smpp.texts import read
from tests.simulator.clients import PHONE, SHORT, Raw, behaviour, lib, raw, submit

LONG = "Love is patient. Love is kind. " * 8


def mo(text: str = "STOP", **more: Any) -> dict[str, Any]:
    return {"from": PHONE, "to": SHORT, "text": text, **more}


@pytest.mark.parametrize(
    ("text", "coding", "parts"),
    [
        pytest.param("STOP", 0, 1, id="GSM 7-bit"),
        pytest.param("não 🌅", 8, 1, id="UCS-2"),
        pytest.param(LONG, 0, 2, id="long GSM 7-bit"),
        pytest.param("não 🌅" * 30, 8, 3, id="long UCS-2"),
    ],
)
async def test_smpplib_hears_a_phone(text: str, coding: int, parts: int) -> None:
    async with Simulator() as smsc, lib(smsc) as esme:
        sent = smsc.inject(**mo(text))
        heard = await esme.hear(parts)
        assert {(one.source_addr.decode(), one.destination_addr.decode()) for one in heard} == {(PHONE, SHORT)}
        assert {one.data_coding for one in heard} == {coding}
        octets = b"".join(one.short_message[6:] if one.esm_class else one.short_message for one in heard)
        assert (octets.decode("utf-16-be") if coding else octets.decode()) == text
        await smsc.wait_for(lambda it: sent.state == "acknowledged")


@pytest.mark.parametrize(
    ("message", "coding", "octets"),
    [
        pytest.param({"text": "né", "smpp": {"data_coding": 3}}, 3, "né".encode("latin-1"), id="data_coding 3"),
        pytest.param({"text": "Да", "smpp": {"data_coding": 6}}, 6, "Да".encode("iso-8859-5"), id="data_coding 6"),
        pytest.param({"text": "né", "smpp": {"data_coding": 0x18}}, 0x18, "né".encode("utf-16-be"), id="flash UCS-2"),
        pytest.param({"text": "[", "smpp": {"data_coding": 0xF1}}, 0xF1, b"\x1b\x3c", id="class 1"),
        pytest.param({"text": "né", "alphabet": "latin1"}, 3, "né".encode("latin-1"), id="Latin-1"),
        pytest.param({"text": "안녕", "alphabet": "korean"}, 14, "안녕".encode("euc_kr"), id="KS C 5601"),
        pytest.param({"text": "né", "alphabet": "utf-8"}, 0, "né".encode(), id="UTF-8, said to be 0"),
        pytest.param({"text": "né", "alphabet": "ucs2_little"}, 8, "né".encode("utf-16-le"), id="little-endian"),
        pytest.param(
            {"text": "hello", "alphabet": "gsm7_packed", "udh": "0504c3500000"},
            0,
            bytes.fromhex("060504c3500000") + bytes.fromhex("E8329BFD06"),
            id="packed, after a header",
        ),
        pytest.param({"text": "hello", "alphabet": "gsm7_packed"}, 0, bytes.fromhex("E8329BFD06"), id="packed"),
        pytest.param({"octets": "00ff"}, 4, b"\x00\xff", id="binary"),
        pytest.param({"octets": "00ff", "smpp": {"data_coding": 0xF5}}, 0xF5, b"\x00\xff", id="binary, class 1"),
        pytest.param({"text": ""}, 0, b"", id="empty"),
    ],
)
async def test_alphabets(message: dict[str, Any], coding: int, octets: bytes) -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        smsc.inject(**{"from": PHONE, "to": SHORT, **message})
        got = await esme.delivered()
        assert (got.data_coding, got.short_message) == (coding, octets)


@pytest.mark.parametrize(
    ("message", "esm_class", "headers"),
    [
        pytest.param({"reference": 0x12A}, 0x40, ["0500032a0201", "0500032a0202"], id="8-bit reference"),
        pytest.param({"long": "udh16", "reference": 0x12A}, 0x40, ["060804012a0201", "060804012a0202"], id="16-bit"),
        pytest.param({"reference": 1, "udh": "0504c3500000"}, 0x40,
                     ["0b0504c35000000003010201", "0b0504c35000000003010202"], id="with ports"),
        pytest.param({"long": "sar", "reference": 300}, 0, ["", ""], id="sar TLVs"),
        pytest.param({"reference": 7, "parts": [2, 1]}, 0x40, ["050003070202", "050003070201"], id="out of order"),
        pytest.param({"reference": 7, "parts": [2]}, 0x40, ["050003070202"], id="a part is missing"),
        pytest.param({"reference": 7, "smpp": {"esm_class": 0}}, 0, ["050003070201", "050003070202"],
                     id="a header that is not told"),
    ],
)  # fmt: skip
async def test_long_ones(message: dict[str, Any], esm_class: int, headers: list[str]) -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        smsc.inject(**mo(LONG, **message))
        for number, header in enumerate(headers):
            got = await esme.delivered()
            assert got.esm_class == esm_class
            assert got.short_message.hex().startswith(header)
            if message.get("long") == "sar":
                assert (got.tlv_int(Tag.SAR_MSG_REF_NUM), got.tlv_int(Tag.SAR_TOTAL_SEGMENTS)) == (300, 2)
                assert got.tlv_int(Tag.SAR_SEGMENT_SEQNUM) == number + 1


async def test_ports_take_room_of_octets() -> None:
    """A short message has 140 octets, its header included."""
    for size, lengths in ((133, [140]), (134, [140, 18])):
        async with Simulator() as smsc, raw(smsc) as esme:
            smsc.inject(**{"from": PHONE, "to": SHORT, "octets": "ff" * size, "udh": "05040b8423f0"})
            assert [len((await esme.delivered()).short_message) for _ in lengths] == lengths


@pytest.mark.parametrize(
    ("message", "coding", "octets"),
    [
        pytest.param({"text": "şğ", "language": "turkish"}, 0, b"\x03\x24\x01\x01\x1bs\x1bg", id="single shift"),
        pytest.param({"text": "ação", "language": "portuguese"}, 0, b"\x03\x24\x01\x03a\x1b\x09\x1b{o",
                     id="Portuguese"),
        pytest.param({"text": "नम", "language": "hindi"}, 0, b"\x03\x25\x01\x06\x2f\x42", id="locking shift"),
        pytest.param({"text": "नम|", "language": "hindi"}, 0, b"\x03\x25\x01\x06\x2f\x42\x1b\x40", id="both kinds"),
    ],
)  # fmt: skip
async def test_national_tables(message: dict[str, Any], coding: int, octets: bytes) -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        smsc.inject(**{**mo(), **message})
        got = await esme.delivered()
        assert (got.esm_class, got.data_coding, got.short_message) == (0x40, coding, octets)


@pytest.mark.parametrize("long", ["udh8", "udh16", "sar", "payload"])
@pytest.mark.parametrize("language", ["turkish", "spanish", "portuguese", "hindi", "tamil", "urdu"])
async def test_long_ones_in_national_tables_are_read_by_the_relay(long: str, language: str) -> None:
    text = {"turkish": "Işık çok güçlü ğ ", "spanish": "¿Qué? Canción, índice ", "portuguese": "Não há ação, êxito ",
            "hindi": "नमस्ते दुनिया ", "tamil": "வணக்கம் ", "urdu": "السلام علیکم "}[language] * 15  # fmt: skip
    config = SmppConfig(host="smsc.example.com", system_id="ilha")
    async with Simulator() as smsc, raw(smsc) as esme:
        sent = smsc.inject(**mo(text, language=language, long=long))
        found = [read(await esme.delivered(), config) for _ in sent.parts]
        assert "".join(one.text for one in found) == text
        assert not any(one.fault for one in found)


async def test_payload_and_data_sm() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        smsc.inject(**mo(LONG, long="payload"))
        got = await esme.delivered()
        assert (got.short_message, got.tlv(Tag.MESSAGE_PAYLOAD)) == (b"", LONG.encode())
        smsc.inject(**mo(smpp={"via": "data_sm", "tlvs": [{"tag": "0x1400", "value": "x"}]}))
        other = (await esme.read()).pdu
        assert isinstance(other, DataSm)
        assert (other.tlv(Tag.MESSAGE_PAYLOAD), other.tlv_text(0x1400)) == (b"STOP", "x")


@pytest.mark.parametrize(
    ("sender", "smpp", "expected"),
    [
        pytest.param("250788123123", {}, ("250788123123", 1, 1), id="international"),
        pytest.param("+250788123123", {}, ("250788123123", 1, 1), id="with +"),
        pytest.param("8080", {}, ("8080", 0, 1), id="short"),
        pytest.param("Orange é", {}, ("Orange é", 5, 0), id="alphanumeric"),
        pytest.param("+250788123123", {"source_addr_ton": 1}, ("+250788123123", 1, 1), id="+ though TON 1"),
        pytest.param("Orange", {"source_addr_ton": 0, "source_addr_npi": 0}, ("Orange", 0, 0), id="letters, TON 0"),
    ],
)
async def test_senders(sender: str, smpp: dict[str, int], expected: tuple[str, int, int]) -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        smsc.inject(**{**mo(), "from": sender}, smpp=smpp)
        got = await esme.delivered()
        assert (got.source_addr, got.source_addr_ton, got.source_addr_npi) == expected


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        pytest.param({"from": PHONE, "to": SHORT}, ScriptError, "either text or octets", id="no content"),
        pytest.param(mo(octets="00"), ScriptError, "either text or octets", id="two contents"),
        pytest.param({"text": "x", "to": SHORT}, ScriptError, "from", id="no sender"),
        pytest.param(mo(colour="red"), ScriptError, "colour: unknown key", id="unknown key"),
        pytest.param({"from": PHONE, "to": SHORT, "octets": "0g"}, ScriptError, "hex", id="not hex"),
        pytest.param(mo("é", alphabet="ascii"), ContentError, "ascii has no U\\+00E9", id="not in the alphabet"),
        pytest.param(mo("ж", language="hindi"), ContentError, "hindi tables do not have", id="not in its tables"),
        pytest.param(mo("é", language="hindi", alphabet="ucs2"), ScriptError, "gsm7", id="tables of another alphabet"),
        pytest.param(mo("x" * 300, long="short"), ContentError, "254 are possible", id="too long for one"),
        pytest.param(mo("x" * 153 * 256), ContentError, "at most 255", id="too many parts"),
        pytest.param(mo(parts=[2]), ContentError, "has only 1", id="no such part"),
        pytest.param(mo(account="nobody"), Unknown, "no account 'nobody'", id="unknown account"),
        pytest.param(mo(session=99), Unknown, "no session 99", id="unknown session"),
        pytest.param({**mo(), "from": "안녕"}, ScriptError, "Latin-1", id="sender of other characters"),
    ],
)
async def test_what_cannot_be_sent(message: dict[str, Any], error: type[Exception], text: str) -> None:
    async with Simulator({"accounts": {"ilha": {}}}) as smsc:
        with pytest.raises(error, match=text):
            smsc.inject(**message)
        assert smsc.mos == []


# --- whose it is ----------------------------------------------------------------------------------------------------


async def test_whose_a_message_is() -> None:
    accounts = {"ilha": {"addresses": ["8080", "26*"]}, "other": {"addresses": ["9090"]}}
    async with (
        Simulator({"accounts": accounts}) as smsc,
        raw(smsc) as ilha,
        raw(smsc, BindTransceiver("other")) as other,
    ):
        for to in ("8080", "2607", "9090"):
            smsc.inject(source=PHONE, to=to, text="Love")
        assert [(await ilha.delivered()).destination_addr for _ in range(2)] == ["8080", "2607"]
        assert (await other.delivered()).destination_addr == "9090"
        with pytest.raises(Unknown, match="ilha, other"):
            smsc.inject(source=PHONE, to="7070", text="Love")
        await other.ask(submit(source_addr="7070"))
        smsc.inject(source=PHONE, to="7070", text="Love")
        assert (await other.delivered()).destination_addr == "7070"


async def test_before_anybody_has_logged_in() -> None:
    async with Simulator() as smsc:
        sent = smsc.inject(**mo())
        assert (sent.state, sent.account) == ("queued", None)
        async with raw(smsc, BindTransmitter("mouth")):
            assert sent.state == "queued"
            async with raw(smsc, BindReceiver("ears")) as ears:
                await ears.delivered()
                await smsc.wait_for(lambda it: sent.state == "acknowledged")
                assert sent.account == "ears"


async def test_over_a_session_of_choice() -> None:
    async with Simulator() as smsc, raw(smsc) as first, raw(smsc) as second:
        number = smsc.sessions[1]["session"]
        for _ in range(3):
            smsc.inject(**mo(session=number))
        for _ in range(3):
            await second.delivered()
        smsc.inject(**mo("other", session=smsc.sessions[0]["session"]))
        assert (await first.delivered()).short_message == b"other"


async def test_a_transmitter_is_no_choice() -> None:
    async with Simulator() as smsc, raw(smsc, BindTransmitter("ilha")):
        with pytest.raises(Unknown, match="is no receiver"):
            smsc.inject(**mo(session=smsc.sessions[0]["session"]))


async def test_sessions_take_turns() -> None:
    async with Simulator() as smsc, raw(smsc) as first, raw(smsc) as second:
        for text in "abcd":
            smsc.inject(**mo(text))
        assert [(await first.delivered()).short_message for _ in range(2)] == [b"a", b"c"]
        assert [(await second.delivered()).short_message for _ in range(2)] == [b"b", b"d"]


# --- that nothing is lost -------------------------------------------------------------------------------------------


async def test_queued_until_a_receiver_is_there() -> None:
    async with Simulator() as smsc, raw(smsc, BindTransmitter("ilha")):
        sent = [smsc.inject(**mo(text)) for text in "abc"]
        assert {one.state for one in sent} == {"queued"}
        async with raw(smsc) as esme:
            assert [(await esme.delivered()).short_message for _ in range(3)] == [b"a", b"b", b"c"]
            await smsc.wait_for(lambda it: all(one.state == "acknowledged" for one in sent))


async def test_the_window_of_a_session() -> None:
    async with Simulator(behaviour(mo={"window": 2})) as smsc, raw(smsc) as esme:
        sent = [smsc.inject(**mo(text)) for text in "abc"]
        sequences = [(await esme.read()).sequence for _ in range(2)]
        assert [one.state for one in sent] == ["sent", "sent", "queued"]
        esme.send(DeliverSmResp(), sequences[1])
        assert (await esme.delivered()).short_message == b"c"
        await smsc.wait_for(lambda it: sent[2].state == "acknowledged")
        assert sent[0].state == "sent"


@pytest.mark.parametrize("end", ["close", "unbind"])
async def test_redelivered_over_another_session_in_order(end: str) -> None:
    async with Simulator() as smsc:
        async with raw(smsc) as esme:
            sent = [smsc.inject(**mo(text)) for text in "abcd"]
            first, *others = [await esme.read() for _ in range(4)]
            esme.send(DeliverSmResp(), first.sequence)
            if end == "unbind":
                esme.send(Unbind())
                await esme.read()
            await smsc.wait_for(lambda it: sent[0].state == "acknowledged")
            assert len(others) == 3
        await smsc.wait_for(lambda it: not it.sessions)
        assert [one.state for one in sent] == ["acknowledged", "queued", "queued", "queued"]
        async with raw(smsc) as esme:
            assert [(await esme.delivered()).short_message for _ in range(3)] == [b"b", b"c", b"d"]
            await smsc.wait_for(lambda it: all(one.state == "acknowledged" for one in sent))
        assert [len(one.parts[0].sessions) for one in sent] == [1, 2, 2, 2]


async def test_at_once_over_the_other_session_that_is_there() -> None:
    async with Simulator() as smsc, raw(smsc) as stays:
        async with raw(smsc) as goes:
            smsc.inject(**mo("a"))
            smsc.inject(**mo("b"))
            assert (await stays.delivered()).short_message == b"a"
            assert (await goes.delivered(answer=False)).short_message == b"b"
        assert (await stays.delivered()).short_message == b"b"


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(Status.ESME_RX_T_APPN, id="RX_T_APPN"),
        pytest.param(Status.ESME_RMSGQFUL, id="RMSGQFUL"),
        pytest.param(Status.ESME_RTHROTTLED, id="RTHROTTLED"),
    ],
)
async def test_put_off_and_sent_again(status: int) -> None:
    async with Simulator(behaviour(mo={"retry": 0.01})) as smsc, raw(smsc) as esme:
        sent = smsc.inject(**mo())
        await esme.delivered(status=status)
        await esme.delivered()
        await smsc.wait_for(lambda it: sent.state == "acknowledged")
        assert sent.parts[0].status == status


async def test_refused_for_good() -> None:
    async with Simulator(behaviour(mo={"retry": 0.01})) as smsc, raw(smsc) as esme:
        sent = smsc.inject(**mo())
        await esme.delivered(status=Status.ESME_RX_P_APPN)
        await smsc.wait_for(lambda it: sent.state == "refused")
        smsc.inject(**mo("next"))
        assert (await esme.delivered()).short_message == b"next"


async def test_given_up_after_so_many_attempts() -> None:
    async with Simulator(behaviour(mo={"retry": 0.01, "attempts": 2})) as smsc, raw(smsc) as esme:
        sent = smsc.inject(**mo())
        for _ in range(2):
            await esme.delivered(status=Status.ESME_RX_T_APPN)
        await smsc.wait_for(lambda it: sent.state == "refused")


async def test_not_answered_in_time_and_sent_again() -> None:
    script = {"response_timeout": 0.05, **behaviour(mo={"retry": 0.01})}
    async with Simulator(script) as smsc, raw(smsc) as esme:
        sent = smsc.inject(**mo())
        first, second = await esme.read(), await esme.read()
        assert isinstance(first.pdu, DeliverSm)
        assert first.pdu == second.pdu
        assert first.sequence != second.sequence
        esme.send(DeliverSmResp(), first.sequence)  # late, and as good as any
        await smsc.wait_for(lambda it: sent.state == "acknowledged")


# --- outbind --------------------------------------------------------------------------------------------------------


async def test_the_smsc_calls_when_something_waits() -> None:
    called: asyncio.Queue[Raw] = asyncio.Queue()
    server = await asyncio.start_server(lambda r, w: called.put_nowait(Raw(r, w)), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outbind = {"port": port, "system_id": "Praia", "password": "wave"}
    async with server, Simulator({"accounts": {"ilha": {"outbind": outbind}}}) as smsc:
        sent = smsc.inject(**mo())
        esme = await called.get()
        asked = (await esme.read()).pdu
        assert isinstance(asked, Outbind)
        assert (asked.system_id, asked.password) == ("Praia", "wave")
        assert isinstance((await esme.bind(BindTransceiver("ilha"))).pdu, BindTransceiverResp)
        await esme.delivered()
        await smsc.wait_for(lambda it: sent.state == "acknowledged")
        smsc.inject(**mo("again"))  # the session is there: no second call
        assert (await esme.delivered()).short_message == b"again"
        assert smsc.stats["ilha"]["outbinds"] == 1
        esme.close()
