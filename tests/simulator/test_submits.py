"""What is submitted, and what the phones get."""

from __future__ import annotations

from typing import Any

import pytest

from smsc_relay.simulator import Simulator
from smsc_relay.smpp.constants import Status, Tag
from smsc_relay.smpp.pdus import (
    BroadcastSm,
    CancelSm,
    DataSm,
    DataSmResp,
    DistributionList,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    SmeAddress,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    int_tlv,
    octets_tlv,
)
from tests.simulator.clients import PHONE, SHORT, Raw, behaviour, lib, raw, submit

PLAIN = "Love is patient. Love is kind."
EXTENDED = "{Olà}? [näo] 5€ ~ ^ | \\"
UMLAUTS = "Não, é só amanhã 🌅"


@pytest.mark.parametrize(
    ("text", "segments", "alphabet"),
    [
        pytest.param(PLAIN, 1, "gsm7", id="GSM 7-bit"),
        pytest.param(EXTENDED, 1, "gsm7", id="GSM 7-bit with extension characters"),
        pytest.param(UMLAUTS, 1, "ucs2", id="UCS-2 with a surrogate pair"),
        pytest.param("x" * 160, 1, "gsm7", id="160 characters"),
        pytest.param(PLAIN * 12, 3, "gsm7", id="long GSM 7-bit"),
        pytest.param(UMLAUTS * 8, 3, "ucs2", id="long UCS-2"),
        pytest.param("€" * 200, 3, "gsm7", id="long, cut by smpplib inside an escape pair"),
    ],
)
async def test_smpplib_submits(text: str, segments: int, alphabet: str) -> None:
    async with Simulator() as smsc, lib(smsc) as esme:
        answers = await esme.submit(text)
        assert [answer.status for answer in answers] == [0] * segments
        (message,) = smsc.messages
        shown = message.shown()
        assert (shown["from"], shown["to"], shown["text"]) == (SHORT, PHONE, text)
        assert (shown["total"], shown["complete"], shown["alphabet"]) == (segments, True, alphabet)
        assert [one["id"] for one in shown["segments"]] == [answer.message_id.decode() for answer in answers]
        assert shown["at"] <= shown["segments"][-1]["arrived_at"]


def sar(sequence: int, total: int = 2, reference: int = 300) -> tuple[tuple[int, bytes], ...]:
    return (
        int_tlv(Tag.SAR_MSG_REF_NUM, reference),
        int_tlv(Tag.SAR_TOTAL_SEGMENTS, total),
        int_tlv(Tag.SAR_SEGMENT_SEQNUM, sequence),
    )


@pytest.mark.parametrize(
    ("submits", "texts"),
    [
        pytest.param(
            [submit(text=b"\x05\x00\x03\x2a\x02\x02 kind", esm_class=0x40),
             submit(text=b"\x05\x00\x03\x2a\x02\x01Love is", esm_class=0x40)],
            ["Love is kind"], id="8-bit reference, last part first"),
        pytest.param(
            [submit(text=b"\x06\x08\x04\x01\x2a\x02\x01Love is", esm_class=0x40),
             submit(text=b"\x06\x08\x04\x01\x2a\x02\x02 kind", esm_class=0x43)],
            ["Love is kind"], id="16-bit reference"),
        pytest.param([submit(text=b"Love is", tlvs=sar(1)), submit(text=b" kind", tlvs=sar(2))],
                     ["Love is kind"], id="sar TLVs"),
        pytest.param([submit(text=b"Love is", tlvs=sar(1)[:2])], ["Love is"], id="a sar TLV is missing: no part"),
        pytest.param([submit(text=b"", tlvs=(octets_tlv(Tag.MESSAGE_PAYLOAD, b"Love " * 60),))],
                     ["Love " * 60], id="message_payload"),
        pytest.param([submit(text=b"\x05\x00\x03\x2a\x02\x01Love is", esm_class=0x40)] * 2,
                     ["Love is"], id="the same part twice"),
        pytest.param(
            [submit(text=b"\x05\x00\x03\x2a\x01\x01Love", esm_class=0x40)] * 2, ["Love", "Love"], id="part 1 of 1"),
        pytest.param([submit(text=b"\x05\x00\x03\x2a\x02\x03Love", esm_class=0x40)], ["Love"], id="part 3 of 2"),
        pytest.param(
            [submit(text=b"\x05\x00\x03\x2a\x02\x01Love is", esm_class=0x40),
             submit(text=b"\x05\x00\x03\x2a\x02\x02 kind", esm_class=0x40, source_addr="9090")],
            ["Love is", " kind"], id="parts of two senders"),
        pytest.param(
            [submit(text=b"\x05\x00\x03\x01\x02\x01" + "Lovè".encode("utf-16-be")[:5], esm_class=0x40,
                    data_coding=8),
             submit(text=b"\x05\x00\x03\x01\x02\x02" + "Lovè".encode("utf-16-be")[5:], esm_class=0x40, data_coding=8)],
            ["Lovè"], id="UCS-2 cut inside a character"),
        pytest.param([submit(text="né".encode("latin-1"), data_coding=3)], ["né"], id="Latin-1"),
        pytest.param([submit(text=b"\x00\x01\x02", data_coding=4)], [None], id="binary"),
        pytest.param([submit(text="Да".encode("iso-8859-5"), data_coding=6)], ["Да"], id="Cyrillic"),
        pytest.param([submit(text="né".encode("utf-16-be"), data_coding=0x18)], ["né"], id="UCS-2, flash"),
        pytest.param([submit(text=b"Hi", data_coding=0xF0)], ["Hi"], id="GSM, flash"),
        pytest.param([submit(text=b"\x03\x24\x01\x01" + b"\x1bs\x1bc\x1be", esm_class=0x40)], ["şç€"],
                     id="Turkish single shift"),
        pytest.param([submit(text=b"\x03\x25\x01\x01" + b"\x1d\x0c\x04", esm_class=0x40)], ["şğ€"],
                     id="Turkish locking shift"),
        pytest.param(
            [submit(text=b"\x08\x25\x01\x06\x00\x03\x01\x02\x02" + b"\x4b\x59", esm_class=0x40),
             submit(text=b"\x08\x25\x01\x06\x00\x03\x01\x02\x01" + b"\x2f\x42", esm_class=0x40)],
            ["नमषे"], id="Hindi locking shift, in parts"),
        pytest.param([submit(text=b"\x01\x24A", esm_class=0x40)], ["A"], id="a table without its number"),
    ],
)  # fmt: skip
async def test_phones_join_parts(submits: list[SubmitSm], texts: list[str | None]) -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        for one in submits:
            assert (await esme.ask(one)).status == 0
        assert [message.text for message in smsc.messages] == texts


async def test_a_part_that_comes_twice_is_marked_and_not_joined() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        for sequence in (1, 1, 2):
            await esme.ask(submit(text=b"\x05\x00\x03\x2a\x02" + bytes([sequence]) + b"Love", esm_class=0x40))
        (message,) = smsc.messages
        assert message.text == "LoveLove"
        assert [segment.repeated for segment in message.segments] == [False, True, False]


async def test_a_header_that_is_longer_than_its_message_is_refused() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        assert (await esme.ask(submit(text=b"\x09\x00\x03", esm_class=0x40))).status == Status.ESME_RINVESMCLASS
        assert not smsc.submits


@pytest.mark.parametrize(
    ("alphabet", "octets", "text"),
    [
        pytest.param("latin1", "é@".encode("latin-1"), "é@", id="latin1"),
        pytest.param("utf-8", "é🌅".encode(), "é🌅", id="utf-8"),
        pytest.param("gsm7_packed", bytes.fromhex("E8329BFD06"), "hello", id="gsm7_packed"),
    ],
)
async def test_what_data_coding_0_means(alphabet: str, octets: bytes, text: str) -> None:
    async with Simulator({"accounts": {"ilha": {"alphabet": alphabet}}}) as smsc, raw(smsc) as esme:
        await esme.ask(submit(text=octets))
        assert smsc.messages[0].text == text


async def test_data_sm() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        answer = await esme.ask(
            DataSm(source_addr=SHORT, destination_addr=PHONE, tlvs=(octets_tlv(Tag.MESSAGE_PAYLOAD, b"Love"),))
        )
        assert isinstance(answer.pdu, DataSmResp)
        assert answer.pdu.message_id == smsc.submits[0].message_id
        assert smsc.messages[0].text == "Love"


async def test_submit_multi_decides_for_every_number() -> None:
    numbers = (PHONE, "250788120011", "250788000001")
    addresses = tuple(SmeAddress(1, 1, number) for number in numbers)
    async with Simulator() as smsc, raw(smsc) as esme:
        answer = await esme.ask(SubmitMulti(source_addr=SHORT, dest_address=addresses, short_message=b"Love"))
        assert answer.status == 0
        assert isinstance(answer.pdu, SubmitMultiResp)
        (failed,) = answer.pdu.unsuccess_sme
        assert (failed.destination_addr, failed.error_status_code) == ("250788120011", Status.ESME_RINVDSTADR)
        assert [message.to for message in smsc.messages] == [PHONE, "250788000001"]
        assert {segment.message_id for segment in smsc.submits} == {answer.pdu.message_id}


@pytest.mark.parametrize(
    ("destinations", "status"),
    [
        pytest.param((DistributionList("STAFF"),), Status.ESME_RINVDLNAME, id="a distribution list"),
        pytest.param((), Status.ESME_RINVNUMDESTS, id="none"),
    ],
)
async def test_submit_multi_refused(destinations: tuple[Any, ...], status: int) -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        answer = await esme.ask(SubmitMulti(source_addr=SHORT, dest_address=destinations, short_message=b"Love"))
        assert answer.status == status
        assert not smsc.submits


async def test_an_operation_that_the_smsc_does_not_have() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        assert (await esme.ask(BroadcastSm(source_addr=SHORT))).status == Status.ESME_RINVCMDID


# --- query, cancel, replace -----------------------------------------------------------------------------------------


async def submitted(esme: Raw, **fields: Any) -> str:
    answer = await esme.ask(submit(**fields))
    assert isinstance(answer.pdu, SubmitSmResp)
    return answer.pdu.message_id or ""


async def test_smpplib_queries() -> None:
    async with Simulator(behaviour(receipts={"delay": 0})) as smsc, lib(smsc) as esme:
        (answer,) = await esme.submit(PLAIN)
        await smsc.wait_for(lambda it: it.submits[0].state == "DELIVRD")
        message_id = answer.message_id.decode()
        esme.client.query_message(message_id=message_id, source_addr_ton=0, source_addr_npi=0, source_addr=SHORT)
        told = await esme.answer()
        assert (told.command, told.message_state) == ("query_sm_resp", 2)


async def test_a_message_on_its_way_can_be_replaced_and_cancelled() -> None:
    async with Simulator(behaviour(network={"delay": 60})) as smsc, raw(smsc) as esme:
        message_id = await submitted(esme, registered_delivery=1)
        told = (await esme.ask(QuerySm(message_id, source_addr=SHORT))).pdu
        assert isinstance(told, QuerySmResp)
        assert told.message_state == 1
        replaced = await esme.ask(
            ReplaceSm(message_id, source_addr=SHORT, short_message=b"Love is kind.", registered_delivery=1)
        )
        assert replaced.status == 0
        assert smsc.submits[0].text() == "Love is kind."
        esme.send(CancelSm(message_id=message_id, source_addr=SHORT))
        heard = [(await esme.read()).pdu for _ in range(2)]
        assert {type(pdu).__name__ for pdu in heard} == {"CancelSmResp", "DeliverSm"}
        assert smsc.submits[0].state == "DELETED"
        assert smsc.messages == []


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(lambda known: QuerySm("unknown", source_addr=SHORT), Status.ESME_RINVMSGID, id="query, unknown"),
        pytest.param(lambda known: QuerySm(known, source_addr="9090"), Status.ESME_RINVMSGID, id="query, other sender"),
        pytest.param(lambda known: CancelSm(message_id="unknown"), Status.ESME_RINVMSGID, id="cancel, unknown"),
        pytest.param(lambda known: CancelSm(message_id=known), Status.ESME_RCANCELFAIL, id="cancel, on the phone"),
        pytest.param(lambda known: ReplaceSm("unknown"), Status.ESME_RINVMSGID, id="replace, unknown"),
        pytest.param(lambda known: ReplaceSm(known), Status.ESME_RREPLACEFAIL, id="replace, on the phone"),
    ],
)
async def test_too_late_or_unknown(request_: Any, status: int) -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        known = await submitted(esme)
        assert (await esme.ask(request_(known))).status == status
