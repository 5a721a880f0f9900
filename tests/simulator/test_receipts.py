"""Receipts: which come, when, over which way, and in what words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from smsc_relay.simulator import Simulator
from smsc_relay.smpp.codec import Decoded
from smsc_relay.smpp.constants import Tag
from smsc_relay.smpp.pdus import (
    BindReceiver,
    BindTransmitter,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    SubmitSmResp,
)
from tests.simulator.clients import PHONE, SHORT, Raw, behaviour, lib, raw, submit

FIRST = {"first": 1234}
NUMBER_10 = "0000001234"
STANDARD = r"sub:001 dlvrd:001 submit date:\d{10} done date:\d{10} stat:DELIVRD err:000 text:Love is patient\."


def script(receipts: dict[str, Any] | None = None, ids: dict[str, Any] | None = None) -> dict[str, Any]:
    return behaviour(receipts={"delay": 0, **(receipts or {})}, ids={**FIRST, **(ids or {})})


async def receipt(esme: Raw, **fields: Any) -> tuple[str, DeliverSm]:
    """Submit: the id of the answer, and the receipt."""
    answer = await esme.ask(submit(registered_delivery=1, **fields))
    assert isinstance(answer.pdu, SubmitSmResp)
    return answer.pdu.message_id or "", await esme.delivered()


async def test_smpplib_gets_its_receipt() -> None:
    async with Simulator(script()) as smsc, lib(smsc) as esme:
        (answer,) = await esme.submit("Love is patient.", registered_delivery=True)
        (told,) = await esme.hear()
        assert re.fullmatch(f"id:{NUMBER_10} {STANDARD}", told.short_message.decode())
        assert told.receipted_message_id == answer.message_id == NUMBER_10.encode()
        assert (told.message_state, told.esm_class) == (2, 4)
        assert (told.source_addr, told.destination_addr) == (PHONE.encode(), SHORT.encode())
        assert told.source_addr_ton == 1
        await smsc.wait_for(lambda it: it.submits[0].receipts[0].state == "acknowledged")


@pytest.mark.parametrize(
    ("style", "state", "err", "text"),
    [
        pytest.param("standard", "DELIVRD", "000", f"id:{NUMBER_10} {STANDARD}", id="standard"),
        pytest.param("short", "DELIVRD", "000", f"id:{NUMBER_10} stat:DELIVRD err:000", id="short"),
        pytest.param(
            "seconds", "DELIVRD", "0",
            rf"id:{NUMBER_10} sub:1 dlvrd:1 submit date:\d{{12}} done date:\d{{12}} stat:DELIVRD err:0000 Text:Love .*",
            id="seconds"),
        pytest.param("no_text", "UNDELIV", "21b",
                     rf"id:{NUMBER_10} sub:001 dlvrd:000 submit date:\d{{10}} done date:\d{{10}} stat:UNDELIV err:21b "
                     "text:", id="no text, err not a number"),
        pytest.param("spaced", "EXPIRED", "0",
                     rf"id:{NUMBER_10} submit date:\d{{10}} done date:\d{{10}} stat:EXPIRED err: 0 text:Love .*",
                     id="spaced"),
        pytest.param("reordered", "ENROUTE", "000", rf"id:{NUMBER_10} stat:ENROUTE err:000 done date:\d{{10}}",
                     id="reordered"),
        pytest.param("smpp_time", "DELIVRD", "000",
                     rf"id:{NUMBER_10} sub:001 dlvrd:001 submit date:\d{{13}}12\+ done date:\d{{13}}12\+ stat:DELIVRD "
                     "err:000", id="SMPP's 16 characters"),
        pytest.param("upper", "REJECTD", "008", f"ID:{NUMBER_10} STAT:REJECTD ERR:008", id="upper case"),
        pytest.param("empty", "DELIVRD", "000",
                     f"id:{NUMBER_10} sub:001 dlvrd:001 submit date: done date: stat:DELIVRD err:", id="empty values"),
        pytest.param("repeated", "DELIVRD", "000", f"id:{NUMBER_10} sub.* text:id:99 stat:UNDELIV", id="keys in text"),
        pytest.param("csv", "DELIVRD", "0", rf"2,\d{{14}},\d{{14}},0,{PHONE},{NUMBER_10},", id="CSV"),
        pytest.param("{stat} {id} for {from}", "DELIVRD", "0", f"DELIVRD {NUMBER_10} for {SHORT}", id="own template"),
    ],
)  # fmt: skip
async def test_styles(style: str, state: str, err: str, text: str) -> None:
    how = {"style": style, "state": state, "err": err, "when": "always", "utc_offset": 3}
    async with Simulator(script(how)) as smsc, raw(smsc) as esme:
        _, told = await receipt(esme)
        assert re.fullmatch(text, told.short_message.decode("ascii"))


@pytest.mark.parametrize(
    ("ids", "answer", "text", "tlv"),
    [
        pytest.param({"answer": "hex", "receipt": "decimal"}, "4d2", "1234", "1234", id="answer hex, receipt decimal"),
        pytest.param({"answer": "decimal", "receipt": "hex_upper"}, "1234", "4D2", "4D2", id="the reverse"),
        pytest.param({"answer": "hex_padded", "receipt": "hex"}, "00000004d2", "4d2", "4d2", id="leading zeros"),
        pytest.param({"answer": "hex", "tlv": "decimal"}, "4d2", "4d2", "1234", id="TLV and text differ"),
        pytest.param({"answer": "none", "receipt": "decimal"}, "", "1234", "1234", id="no id in the answer"),
        pytest.param({"answer": "{n} "}, "1234 ", "1234 ", "1234 ", id="trailing blank"),
        pytest.param({"answer": "{n:070d}"}, "1234".zfill(70), "1234".zfill(70), "1234".zfill(70), id="70 characters"),
    ],
)
async def test_ids(ids: dict[str, Any], answer: str, text: str, tlv: str) -> None:
    async with Simulator(script({"style": "short"}, ids)) as smsc, raw(smsc) as esme:
        message_id, told = await receipt(esme)
        assert message_id == answer
        assert told.short_message == f"id:{text} stat:DELIVRD err:000".encode()
        assert told.tlv_text(Tag.RECEIPTED_MESSAGE_ID) == tlv


async def test_uuids_are_the_same_in_answer_and_receipt() -> None:
    async with Simulator(script({}, {"answer": "uuid"})) as smsc, raw(smsc) as esme:
        message_id, told = await receipt(esme)
        assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", message_id)
        assert told.tlv_text(Tag.RECEIPTED_MESSAGE_ID) == message_id


@pytest.mark.parametrize(
    ("via", "text", "payload", "tlvs"),
    [
        pytest.param("both", True, False, True, id="text and TLVs"),
        pytest.param("text", True, False, False, id="text"),
        pytest.param("tlv", False, False, True, id="TLVs"),
        pytest.param("payload", False, True, False, id="message_payload"),
    ],
)
async def test_ways(via: str, text: bool, payload: bool, tlvs: bool) -> None:
    async with Simulator(script({"via": via})) as smsc, raw(smsc) as esme:
        _, told = await receipt(esme)
        assert bool(told.short_message) is text
        assert (told.tlv(Tag.MESSAGE_PAYLOAD) is not None) is payload
        assert (told.tlv_int(Tag.MESSAGE_STATE) == 2) is tlvs
        assert (told.tlv_text(Tag.RECEIPTED_MESSAGE_ID) == NUMBER_10) is tlvs


async def test_over_data_sm() -> None:
    async with Simulator(script({"via": "data_sm"})) as smsc, raw(smsc) as esme:
        await esme.ask(submit(registered_delivery=1))
        told = await esme.read()
        assert isinstance(told.pdu, DataSm)
        assert told.pdu.esm_class == 0x04
        assert (told.pdu.tlv(Tag.MESSAGE_PAYLOAD) or b"").startswith(f"id:{NUMBER_10} ".encode())
        esme.send(DataSmResp(), told.sequence)
        await smsc.wait_for(lambda it: it.submits[0].receipts[0].state == "acknowledged")


@pytest.mark.parametrize(
    ("receipts", "esm_class", "coding", "tlv"),
    [
        pytest.param({"marked": False}, 0, 0, None, id="not marked"),
        pytest.param({"data_coding": 3}, 4, 3, None, id="data_coding"),
        pytest.param({"network_error": True, "err": "258"}, 4, 0, (0x0423, b"\x03\x01\x02"), id="network_error_code"),
        pytest.param({"tlvs": [{"tag": "0x1400", "value": "MTN"}]}, 4, 0, (0x1400, b"MTN\0"), id="vendor TLV"),
    ],
)
async def test_oddities(
    receipts: dict[str, Any], esm_class: int, coding: int, tlv: tuple[int, bytes] | None
) -> None:  # fmt: skip
    async with Simulator(script(receipts)) as smsc, raw(smsc) as esme:
        _, told = await receipt(esme)
        assert (told.esm_class, told.data_coding) == (esm_class, coding)
        assert tlv is None or tlv in told.tlvs


async def test_ucs2_receipts_and_words_of_their_own() -> None:
    how = {"data_coding": 8, "style": "short", "words": {"DELIVRD": "DELIVERED"}}
    async with Simulator(script(how)) as smsc, raw(smsc) as esme:
        _, told = await receipt(esme)
        assert told.short_message.decode("utf-16-be") == f"id:{NUMBER_10} stat:DELIVERED err:000"


@pytest.mark.parametrize(
    ("alphabet", "coding", "octets"),
    [
        pytest.param("gsm7", 0, b"\x01 \x7d? \x00", id="the SMSC's default alphabet"),
        pytest.param("latin1", 0, b"\xa3 \xf1? @", id="another default alphabet"),
        pytest.param("gsm7", 1, b"? ?? @", id="data_coding"),
        pytest.param("gsm7", 4, b"? ?? @", id="not of a text"),
    ],
)
async def test_the_message_in_a_receipt_is_in_the_receipts_alphabet(alphabet: str, coding: int, octets: bytes) -> None:
    """What the alphabet does not have is a question mark."""
    account = {"accounts": {"ilha": {"alphabet": alphabet}}}
    how = {"data_coding": coding, "style": "{text}"}
    async with Simulator({**script(how), **account}) as smsc, raw(smsc) as esme:
        _, told = await receipt(esme, text="\u00a3 \u00f1\u0434 @".encode("utf-16-be"), data_coding=8)
        assert told.short_message == octets


async def test_a_client_of_3_3_gets_text_only() -> None:
    async with (
        Simulator(script({"via": "tlv"})) as smsc,
        raw(smsc, BindReceiver("ilha", interface_version=0x33)) as ears,
        raw(smsc, BindTransmitter("ilha", interface_version=0x33)) as mouth,
    ):
        await mouth.ask(submit(registered_delivery=1))
        told = await ears.delivered()
        assert told.tlvs == ()
        assert told.short_message.startswith(b"id:")


# --- which ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("receipts", "registered", "states"),
    [
        pytest.param({}, 0, [], id="not asked for"),
        pytest.param({}, 1, ["DELIVRD"], id="asked for"),
        pytest.param({}, 2, [], id="failures only, delivered"),
        pytest.param({"state": "UNDELIV"}, 2, ["UNDELIV"], id="failures only, failed"),
        pytest.param({}, 3, ["DELIVRD"], id="successes only, delivered"),
        pytest.param({"state": "UNDELIV"}, 3, [], id="successes only, failed"),
        pytest.param({"when": "always"}, 0, ["DELIVRD"], id="always"),
        pytest.param({"when": "never"}, 1, [], id="never"),
        pytest.param({"intermediate": ["ENROUTE", "ACCEPTD"]}, 0x11, ["ENROUTE", "ACCEPTD", "DELIVRD"],
                     id="intermediate, asked for"),
        pytest.param({"intermediate": ["ENROUTE"]}, 0x01, ["DELIVRD"], id="intermediate, not asked for"),
        pytest.param({"lose_every": 1}, 1, [], id="lost"),
        pytest.param({"duplicate_every": 1}, 1, ["DELIVRD", "DELIVRD"], id="twice"),
    ],
)  # fmt: skip
async def test_which_come(receipts: dict[str, Any], registered: int, states: list[str]) -> None:
    final = str(receipts.get("state", "DELIVRD"))
    async with Simulator(script(receipts)) as smsc, raw(smsc) as esme:
        await esme.ask(submit(registered_delivery=registered))
        assert [await state_of(esme) for _ in states] == states
        await smsc.wait_for(lambda it: it.submits[0].state == final)
        assert len(smsc.submits[0].receipts) == len(states)


async def state_of(esme: Raw) -> str:
    text = (await esme.delivered()).short_message.decode()
    return text.partition("stat:")[2].split()[0]


async def test_lost_and_doubled_by_count() -> None:
    async with Simulator(script({"lose_every": 2, "duplicate_every": 3})) as smsc, raw(smsc) as esme:
        for number in range(1, 5):
            await esme.ask(submit(registered_delivery=1))
            await smsc.wait_for(lambda it: it.submits[-1].state == "DELIVRD")
            assert len(smsc.submits) == number
            for _ in smsc.submits[-1].receipts:
                await esme.delivered()
        assert [len(segment.receipts) for segment in smsc.submits] == [1, 0, 2, 0]


@pytest.mark.parametrize(
    ("how", "classes"),
    [pytest.param("notification", [0x20, 0x04], id="0x20"), pytest.param("receipt", [0x04, 0x04], id="0x04")],
)
async def test_esm_class_of_intermediate_ones(how: str, classes: list[int]) -> None:
    receipts = {"intermediate": ["ENROUTE"], "intermediate_as": how}
    async with Simulator(script(receipts)) as smsc, raw(smsc) as esme:
        await esme.ask(submit(registered_delivery=0x11))
        assert [(await esme.delivered()).esm_class for _ in range(2)] == classes


@pytest.mark.parametrize(
    ("delay", "order"),
    [
        pytest.param(0, ["SubmitSmResp", "DeliverSm"], id="after the answer"),
        pytest.param(-0.02, ["DeliverSm", "SubmitSmResp"], id="before the answer"),
    ],
)
async def test_before_or_after_the_answer(delay: float, order: list[str]) -> None:
    async with Simulator(script({"delay": delay})) as smsc, raw(smsc) as esme:
        esme.send(submit(registered_delivery=1))
        heard: list[Decoded] = [await esme.read() for _ in range(2)]
        assert [type(one.pdu).__name__ for one in heard] == order


async def test_over_another_session_of_the_account() -> None:
    async with (
        Simulator(script()) as smsc,
        raw(smsc, BindTransmitter("ilha")) as mouth,
        raw(smsc, BindReceiver("other")) as stranger,
        raw(smsc, BindReceiver("ilha")) as ears,
    ):
        await mouth.ask(submit(registered_delivery=1))
        told = await ears.read()
        assert isinstance(told.pdu, DeliverSm)
        assert told.pdu.esm_class == 4
        ears.send(DeliverSmResp(), told.sequence)
        smsc.inject(source=PHONE, to="9090", text="Love", account="other")
        assert (await stranger.delivered()).short_message == b"Love"
