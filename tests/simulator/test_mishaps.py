"""What a script makes the SMSC do to submits and to connections."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from smsc_relay.simulator import Simulator
from smsc_relay.smpp.constants import Status, Tag
from smsc_relay.smpp.pdus import (
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from tests.simulator.clients import PATIENCE, PHONE, SHORT, Raw, behaviour, lib, raw, submit

ROK = Status.ESME_ROK
THROTTLED = Status.ESME_RTHROTTLED


async def statuses(esme: Raw, count: int, to: str = "250788123123") -> list[int]:
    return [(await esme.ask(submit(to))).status for _ in range(count)]


# --- by destination -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "expected", "taken"),
    [
        pytest.param("0008", [Status.ESME_RSYSERR] * 2, 0, id="0008"),
        pytest.param("0010", [Status.ESME_RINVSRCADR] * 2, 0, id="0010"),
        pytest.param("0011", [Status.ESME_RINVDSTADR] * 2, 0, id="0011"),
        pytest.param("0014", [Status.ESME_RMSGQFUL, ROK, ROK], 2, id="0014"),
        pytest.param("0045", [Status.ESME_RSUBMITFAIL], 0, id="0045"),
        pytest.param("0088", [THROTTLED] * 4, 0, id="0088"),
        pytest.param("0089", [THROTTLED] * 3 + [ROK], 1, id="0089"),
        pytest.param("0096", [Status.ESME_RINVCMDID], 0, id="0096"),
        pytest.param("0000", [ROK], 1, id="0000 is like any other"),
    ],
)
async def test_built_in_refusals(suffix: str, expected: list[int], taken: int) -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        assert await statuses(esme, len(expected), f"25078812{suffix}") == expected
        assert len(smsc.messages) == taken


async def test_smpplib_sees_a_refusal() -> None:
    async with Simulator() as smsc, lib(smsc) as esme:
        (answer,) = await esme.submit("Love", "250788120011")
        assert answer.status == Status.ESME_RINVDSTADR


@pytest.mark.parametrize(
    ("suffix", "on_the_phone"), [pytest.param("0098", 1, id="0098"), pytest.param("0099", 0, id="0099")]
)
async def test_built_in_silence(suffix: str, on_the_phone: int) -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        esme.send(submit(f"25078812{suffix}"))
        assert (await esme.ask(submit())).status == ROK
        assert len(smsc.messages) == on_the_phone + 1


async def test_built_in_generic_nack() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        assert isinstance((await esme.ask(submit("250788120096"))).pdu, GenericNack)


async def test_built_in_close() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        esme.send(submit("250788120097"))
        assert await esme.ended()
        assert smsc.submits == []


@pytest.mark.parametrize(
    ("suffix", "states"),
    [
        pytest.param("0100", [], id="0100"),
        pytest.param("0101", [1, 6, 2], id="0101"),
        pytest.param("0102", [2, 2], id="0102"),
        pytest.param("0103", [3], id="0103"),
        pytest.param("0104", [4], id="0104"),
        pytest.param("0105", [5], id="0105"),
        pytest.param("0107", [7], id="0107"),
        pytest.param("0108", [8], id="0108"),
    ],
)
async def test_built_in_receipts(suffix: str, states: list[int]) -> None:
    async with Simulator(behaviour(receipts={"delay": 0})) as smsc, raw(smsc) as esme:
        await esme.ask(submit(f"25078812{suffix}", registered_delivery=1))
        assert [(await esme.delivered()).tlv_int(Tag.MESSAGE_STATE) for _ in states] == states
        await smsc.wait_for(lambda it: it.submits[0].state != "ENROUTE")
        assert len(smsc.submits[0].receipts) == len(states)
        assert len(smsc.messages) == (2 in states or not states)


async def test_built_in_receipt_before_its_answer() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        sequence = esme.send(submit("250788120109", registered_delivery=1))
        assert (await esme.delivered()).esm_class == 4
        assert (await esme.read()).sequence == sequence


async def test_the_longest_suffix_counts_and_built_in_ones_can_be_taken_away() -> None:
    rules = {"1": {"status": "RSYSERR"}, "011": {"status": 0x400}, "0088": None}
    async with Simulator({"destinations": rules}) as smsc, raw(smsc) as esme:
        found = [(await esme.ask(submit(to))).status for to in ("2507881", "25078011", "250780011", "25070088", "1")]
        assert found == [Status.ESME_RSYSERR, 0x400, Status.ESME_RINVDSTADR, ROK, Status.ESME_RSYSERR]


async def test_none_of_the_built_in_ones() -> None:
    async with Simulator({"built_in": False}) as smsc, raw(smsc) as esme:
        assert await statuses(esme, 1, "250788120011") == [ROK]


async def test_a_rule_for_a_late_answer_lets_others_pass() -> None:
    async with Simulator({"destinations": {"55": {"delay": 0.02}}}) as smsc, raw(smsc) as esme:
        late, soon = esme.send(submit("25078855")), esme.send(submit())
        assert [(await esme.read()).sequence for _ in range(2)] == [soon, late]


# --- limits ---------------------------------------------------------------------------------------------------------


async def test_tps_refuses_what_is_too_much() -> None:
    async with Simulator({"accounts": {"ilha": {"tps": 3}}}) as smsc, raw(smsc) as esme:
        for _ in range(10):
            esme.send(submit())
        found = [(await esme.read()).status for _ in range(10)]
        assert found[:3] == [ROK] * 3
        assert THROTTLED in found
        assert smsc.stats["ilha"]["refused.ESME_RTHROTTLED"] == found.count(THROTTLED)


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        pytest.param("RTHROTTLED", [THROTTLED, ROK, ROK], id="throttled"),
        pytest.param("RMSGQFUL", [Status.ESME_RMSGQFUL, ROK, ROK], id="queue full"),
        pytest.param("silence", [ROK, ROK], id="silence"),
    ],
)
async def test_window(over: str, expected: list[int]) -> None:
    script = {
        "accounts": {"ilha": {"window": 2}},
        **behaviour(answers={"delay": 0.05, "over_window": over}),
    }
    async with Simulator(script) as smsc, raw(smsc) as esme:
        for _ in range(3):
            esme.send(submit())
        # A refusal is answered as late as anything, yet it was decided at once.
        assert sorted([(await esme.read()).status for _ in expected], reverse=True) == expected
        assert len(smsc.messages) == 2


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param({"burst": {"after": 2, "length": 2}}, [ROK, ROK, THROTTLED, THROTTLED, ROK], id="burst"),
        pytest.param({"burst": {"after": 1, "length": 1, "status": "RMSGQFUL"}}, [ROK, Status.ESME_RMSGQFUL, ROK],
                     id="burst of another status"),
        pytest.param({"nack_every": 2}, [ROK, Status.ESME_RINVCMDID, ROK], id="generic_nack"),
        pytest.param({"nack_every": 1, "nack_status": "RSYSERR"}, [Status.ESME_RSYSERR], id="generic_nack, status"),
    ],
)  # fmt: skip
async def test_every_so_many(answers: dict[str, Any], expected: list[int]) -> None:
    async with Simulator(behaviour(answers=answers)) as smsc, raw(smsc) as esme:
        assert await statuses(esme, len(expected)) == expected


async def test_dropped_answers_are_of_messages_that_arrive() -> None:
    async with Simulator(behaviour(answers={"drop_every": 2})) as smsc, raw(smsc) as esme:
        sequences = [esme.send(submit()) for _ in range(5)]
        assert [(await esme.read()).sequence for _ in range(3)] == sequences[::2]
        assert len(smsc.messages) == 5
        assert smsc.stats["ilha"]["unanswered"] == 2


async def test_reordered() -> None:
    async with Simulator(behaviour(answers={"reorder": 3, "hold": 0.05})) as smsc, raw(smsc) as esme:
        a, b, c, d = [esme.send(submit()) for _ in range(4)]
        assert [(await esme.read()).sequence for _ in range(4)] == [c, b, a, d]


async def test_receipts_wait_for_answers_that_are_held() -> None:
    script = behaviour(answers={"reorder": 2, "hold": 0.05}, receipts={"delay": 0})
    async with Simulator(script) as smsc, raw(smsc) as esme:
        sequence = esme.send(submit(registered_delivery=1))
        assert (await esme.read()).sequence == sequence
        assert (await esme.delivered()).esm_class == 4


async def test_a_range_of_delays_mixes_the_order_in_the_same_way_every_time() -> None:
    found = []
    for _ in range(2):
        async with Simulator(behaviour(answers={"delay": [0, 0.5]})) as smsc, raw(smsc) as esme:
            for _ in range(5):
                esme.send(submit())
            found.append([(await esme.read()).sequence for _ in range(5)])
    assert found[0] == found[1] != sorted(found[0])


async def test_an_answer_to_nothing() -> None:
    async with Simulator(behaviour(answers={"stray_every": 1})) as smsc, raw(smsc) as esme:
        sequence = esme.send(submit())
        stray, answer = await esme.read(), await esme.read()
        assert isinstance(stray.pdu, SubmitSmResp)
        assert stray.sequence != sequence == answer.sequence


@pytest.mark.parametrize(
    ("refusal", "size", "message_id"),
    [
        pytest.param("header", 16, None, id="16 octets"),
        pytest.param("nul", 17, "", id="one NUL"),
        pytest.param("id", 27, "0000000000", id="an id"),
        pytest.param("tlv", 16 + 4 + 8, None, id="a TLV right after the header"),
    ],
)
async def test_body_of_a_refusal(refusal: str, size: int, message_id: str | None) -> None:
    async with Simulator(behaviour(answers={"refusal": refusal})) as smsc, raw(smsc) as esme:
        esme.send(submit("250788120011"))
        frame = await esme.frame()
        assert frame is not None
        assert len(frame) == size
        esme.send(submit("250788120011"))
        answer = (await esme.read()).pdu
        assert isinstance(answer, SubmitSmResp)
        assert answer.message_id == message_id
        assert answer.tlv_text(Tag.ADDITIONAL_STATUS_INFO_TEXT) == ("refused" if refusal == "tlv" else None)


async def test_congestion_rises_step_by_step() -> None:
    answers = {"congestion": [0, 90, 100], "congestion_step": 2}
    async with Simulator(behaviour(answers=answers)) as smsc, raw(smsc) as esme:
        levels = [(await esme.ask(submit())).pdu.tlv_int(Tag.CONGESTION_STATE) for _ in range(6)]
        assert levels == [0, 0, 90, 90, 100, 100]


async def test_vendor_tlvs_of_answers() -> None:
    answers = {"tlvs": [{"tag": "0x1401", "type": "integer", "value": 7, "length": 2}]}
    async with Simulator(behaviour(answers=answers)) as smsc, raw(smsc) as esme:
        assert (await esme.ask(submit())).pdu.tlvs == ((0x1401, b"\x00\x07"),)


# --- connections ----------------------------------------------------------------------------------------------------


async def test_enquire_link_is_answered_or_not() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        assert isinstance((await esme.ask(EnquireLink())).pdu, EnquireLinkResp)
        smsc.configure(behaviour(link={"answer_enquire_link": False}))
        esme.send(EnquireLink())
        assert isinstance((await esme.ask(submit())).pdu, SubmitSmResp)


async def test_the_smsc_asks_too() -> None:
    async with Simulator(behaviour(link={"enquire_link": 0.01})) as smsc, raw(smsc) as esme:
        for _ in range(2):
            asked = await esme.read()
            assert isinstance(asked.pdu, EnquireLink)
            esme.send(EnquireLinkResp(), asked.sequence)


async def test_an_idle_session_is_closed() -> None:
    async with Simulator(behaviour(link={"idle_close": 0.05})) as smsc, raw(smsc) as esme:
        assert await esme.ended()
        assert smsc.sessions == []


async def test_an_idle_session_is_unbound() -> None:
    async with Simulator(behaviour(link={"idle_unbind": 0.05})) as smsc, raw(smsc) as esme:
        asked = await esme.read()
        assert isinstance(asked.pdu, Unbind)
        esme.send(UnbindResp(), asked.sequence)
        assert await esme.ended()


async def test_unbind_without_an_answer() -> None:
    async with Simulator(behaviour(link={"answer_unbind": False})) as smsc, raw(smsc) as esme:
        esme.send(Unbind())
        await smsc.wait_for(lambda it: not it.sessions)
        smsc.send_raw(1, b"\0" * 4)  # the connection is still there, and has sent nothing before this
        assert await esme.octets(4) == b"\0" * 4


async def test_close_instead_of_an_answer() -> None:
    async with Simulator(behaviour(link={"close_after": 3})) as smsc, raw(smsc) as esme:
        assert await statuses(esme, 2) == [ROK, ROK]
        esme.send(submit())
        assert await esme.ended()
        assert len(smsc.messages) == 2


@pytest.mark.parametrize("how", ["script", "rule", "user"])
async def test_half_open(how: str) -> None:
    """Nothing comes any more, not even an end, and for the SMSC the session is there."""
    script = {
        "script": behaviour(link={"freeze_after": 2}),
        "rule": {"destinations": {"55": {"link": "freeze", "taken": False}}},
    }
    async with Simulator(script.get(how, {})) as smsc, raw(smsc) as esme:
        assert await statuses(esme, 1) == [ROK]
        if how == "user":
            smsc.disconnect("freeze")
        esme.send(submit(to="2507881255"))
        esme.send(EnquireLink())
        async with asyncio.timeout(PATIENCE):
            while how != "user" and smsc.sessions[0]["submits"] < 2:
                await asyncio.sleep(0.01)
        smsc.inject(source=PHONE, to=SHORT, text="hello")
        await smsc.wait_for(lambda it: it.mos[0].state == "sent")
        assert len(smsc.sessions) == 1
        smsc.disconnect("close")
        assert await esme.ended(), "before that nothing came"
        assert len(smsc.submits) == 1


async def test_a_slow_reader() -> None:
    async with Simulator(behaviour(link={"read_rate": 5000})) as smsc, raw(smsc) as esme:
        for _ in range(50):
            esme.send(submit())
        assert (await esme.read()).status == ROK
        assert len(smsc.submits) < 50
        for _ in range(49):
            assert (await esme.read()).status == ROK
        assert len(smsc.submits) == 50


async def test_a_slow_reader_that_is_slow_no_more() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        smsc.configure(behaviour(link={"read_rate": 300}))
        for _ in range(50):
            esme.send(submit())
        await esme.read()
        smsc.configure(behaviour(link={"read_rate": None}))
        for _ in range(49):
            assert (await esme.read()).status == ROK


async def test_unbind_after_an_answer() -> None:
    async with Simulator(behaviour(link={"unbind_after": 2})) as smsc, raw(smsc) as esme:
        assert await statuses(esme, 2) == [ROK, ROK]
        assert isinstance((await esme.read()).pdu, Unbind)


@pytest.mark.parametrize(
    ("kind", "length"), [pytest.param("oversize", 0x7FFFFFFF, id="oversize"), pytest.param("undersize", 4, id="under")]
)
async def test_a_length_that_cannot_be(kind: str, length: int) -> None:
    link = {"bad_length_after": 1, "bad_length": kind}
    async with Simulator(behaviour(link=link, ids={"answer": "none"})) as smsc, raw(smsc) as esme:
        esme.send(submit())
        assert int.from_bytes((await esme.octets(17))[:4], "big") == 17
        assert int.from_bytes((await esme.octets(4)), "big") == length


@pytest.mark.parametrize("how", ["unbind", "close", "reset"])
async def test_disconnect(how: str) -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        smsc.disconnect(how)
        if how == "unbind":
            asked = await esme.read()
            assert isinstance(asked.pdu, Unbind)
            esme.send(UnbindResp(), asked.sequence)
        assert await esme.ended()


async def test_octets_one_by_one() -> None:
    async with Simulator(behaviour(link={"chunk": 1})) as smsc, lib(smsc) as esme:
        (answer,) = await esme.submit("Love")
        assert answer.status == ROK
    async with Simulator(behaviour(link={"chunk": 1, "chunk_pause": 0.001})) as smsc, raw(smsc) as bare:
        bare.reads.clear()
        await bare.ask(submit())
        assert max(bare.reads) < 27 == sum(bare.reads)


async def test_gathered_into_one_write() -> None:
    async with Simulator(behaviour(link={"gather": 0.05})) as smsc, raw(smsc) as esme:
        esme.reads.clear()
        for _ in range(20):
            await esme.flush(submit())
        for _ in range(20):
            await esme.read()
        assert len(esme.reads) < 20


async def test_octets_of_the_users_own() -> None:
    async with Simulator() as smsc, raw(smsc) as esme:
        (session,) = smsc.sessions
        smsc.send_raw(session["session"], bytes.fromhex("00000010800000000000000800000000"))
        nack = await esme.read()
        assert isinstance(nack.pdu, GenericNack)
        assert nack.status == Status.ESME_RSYSERR
