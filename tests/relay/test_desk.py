"""What an operator asks of a running relay: about a message, and for a log of what goes over the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import ANY

import pytest

from chalicelib import ledger, ledger_table
from chalicelib.clock import now_ms
from cli.main import main
from smsc_relay import orders, status
from smsc_relay.accounts import kind_of
from smsc_relay.link import Timing
from smsc_relay.orders import Ask
from smsc_relay.simulator.simulator import Simulator
from tests.lane import logged
from tests.relay.conftest import World, eventually, relaying
from tests.relay.smsc import Smsc
from tests.relay.test_smpp import register
from tests.support import CHANNEL

QUICK = Timing(poll=1, spare=1.0, drain=5.0, record=5.0, refresh=0.2, publish=0.1, orders=0.1)
PHONE = "+250788123123"
HELD = {"network": {"delay": 3600}}  # a message is on its way for so long


async def jangada(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Run a command beside the relay; its exit status and what it printed."""
    capsys.readouterr()
    code = await asyncio.to_thread(main, list(words))
    printed = capsys.readouterr()
    lines = (printed.out + printed.err).splitlines()
    return code, "\n".join(line for line in lines if not line.startswith('{"level"'))


@asynccontextmanager
async def sent(
    world: World, text: str = "Murakoze", behaviour: dict[str, Any] | None = None, **config: Any
) -> AsyncIterator[Simulator]:
    """A relay on SMPP that has sent message 1, which its phone does not get for an hour."""
    async with Simulator({"behaviour": behaviour or HELD}) as smsc:
        register(world, smsc, **config)
        world.put(1, to=PHONE, text=text)
        async with relaying(QUICK, kinds=kind_of), world.recording():
            await eventually(lambda: (state := ledger.get(CHANNEL, "1")) and state.status.value == "wired")
            yield smsc


async def test_a_message_is_asked_about_given_another_text_and_cancelled(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sent(world) as smsc:
        assert await jangada(capsys, "smsc", "replace", "1", "--text", "Murakoze cyane") == (0, ANY)
        assert [one.octets for one in smsc.submits] == [b"Murakoze cyane"]
        code, said = await jangada(capsys, "smsc", "query", "1", "--json")
        assert code == 0
        assert json.loads(said)[0] == {
            "part": "1/1", "external_id": smsc.submits[0].message_id, "message_state": "ENROUTE", "problem": "",
        }  # fmt: skip
        assert await jangada(capsys, "smsc", "cancel", "1") == (0, ANY)
        code, said = await jangada(capsys, "smsc", "query", "1")
        assert "message_state DELETED" in said
        code, said = await jangada(capsys, "smsc", "cancel", "1")
        assert (code, "ESME_RCANCELFAIL" in said) == (1, True)
        await eventually(
            lambda: (state := ledger.get(CHANNEL, "1")) and state.status.value == "failed"
        )  # the SMSC's receipt


@pytest.mark.parametrize(
    ("ids", "config"),
    [
        pytest.param("hex_padded", {"id_in_response": "hex", "id_in_receipt": "decimal"}, id="number"),
        pytest.param("00{n:X}", {}, id="text"),
    ],
)
async def test_the_id_goes_as_the_smsc_has_written_it(
    world: World, capsys: pytest.CaptureFixture[str], ids: str, config: dict[str, str]
) -> None:
    """The ledger has it in one form with receipts; query_sm needs the octets."""
    behaviour = {**HELD, "ids": {"answer": ids, "first": 0xABCDE}}
    async with sent(world, behaviour=behaviour, **config) as smsc:
        state = ledger.get(CHANNEL, "1")
        assert state is not None
        assert state.parts[0].external_id != smsc.submits[0].message_id
        code, said = await jangada(capsys, "smsc", "query", "1")
    assert (code, "ENROUTE" in said) == (0, True)


async def test_every_part_is_asked_about(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    async with sent(world, "Love is patient. " * 20):
        code, said = await jangada(capsys, "smsc", "query", "1")
        assert (code, said.count("ENROUTE")) == (0, 3)
        code, said = await jangada(capsys, "smsc", "replace", "1", "--text", "x")
        assert (code, "only a message of one part" in said) == (1, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("☀", "this text needs ucs2", id="another data_coding"),
        pytest.param("x" * 161, "one short message", id="too long"),
    ],
)
async def test_a_text_that_cannot_take_the_places_is_refused(
    world: World, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    async with sent(world) as smsc:
        code, said = await jangada(capsys, "smsc", "replace", "1", "--text", text)
        assert (code, why in said) == (1, True)
        assert [one.octets for one in smsc.submits] == [b"Murakoze"]


async def test_who_waits_in_vain_is_told_what_to_look_at(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    async with sent(world):
        pass
    code, said = await jangada(capsys, "smsc", "query", "1", "--timeout", "0.5")
    assert (code, "no relay task with a bind of fast has taken it" in said) == (1, True)
    assert orders.read().asks == ()


async def test_an_unanswerable_question_is_thrown_away(world: World) -> None:
    late = Ask(id="a", link="fast", kind="query", channel=CHANNEL, external_id="x", source="", destination="", until=1)
    async with Smsc() as smsc:
        world.account(smsc)
        async with relaying(QUICK):
            orders.put(late)
            ledger_table.update("relay#orders", "ADD asks :one", {":one": {"SS": ["{}"]}})
            await eventually(lambda: orders.read().asks == ())
    assert orders.answer_to("a") is None


def test_a_question_is_taken_once(world: World) -> None:
    body = orders.put(Ask(id="a", link="l", kind="query", channel="c", external_id="x", source="", destination="",
                          until=1))  # fmt: skip
    assert orders.read().asks == (body,)
    assert [orders.take(body), orders.take(body)] == [True, False]


@pytest.mark.parametrize("kind", ["UCP", "CIMD2"])
async def test_protocols_without_it_say_so(world: World, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    world.aws.aggregator("fast", kind)
    world.put(1)
    code, said = await jangada(capsys, "smsc", "query", "1")
    assert (code, f"query is not offered by this protocol: of the SMSC types only SMPP has it here, not {kind}"
            in said) == (1, True)  # fmt: skip


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(("query", "77"), "nothing is known of message 77", id="unknown"),
        pytest.param(("query", "1"), "the SMSC has not accepted message 1", id="not accepted"),
        pytest.param(("log", "nowhere", "--on", "5m"), "no SMSC account nowhere", id="unknown link"),
        pytest.param(("log", "fast", "--on", "5m", "--timeout", "0.1"), "no relay task serves it", id="no relay"),
    ],
)
async def test_what_cannot_be_asked(
    world: World, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    world.aws.aggregator("fast", "SMPP")
    world.put(1)
    code, said = await jangada(capsys, "smsc", *words)
    assert (code, why in said) == (1, True), said


# --- the log of PDUs ------------------------------------------------------------------------------------------------


async def test_pdus_are_logged_while_it_is_wanted_and_hide_what_they_carry(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sent(world, password="hunter2") as smsc:
        with logged() as lines:
            code, said = await jangada(capsys, "smsc", "log", "fast", "--on", "10m")
            assert (code, "PDUs are logged until" in said) == (0, True)
            world.put(2, to="+250788999888", text="Love is patient")
            smsc.inject(source="250788123123", to="8080", text="Yego mwana")
            await eventually(lambda: "DeliverSmResp" in lines.getvalue() and "SubmitSmResp" in lines.getvalue())
            assert await jangada(capsys, "smsc", "log", "fast", "--off") == (0, "fast: PDUs are not logged")
            before = lines.getvalue()
            world.put(3, to="+250788999777")
            await eventually(lambda: len(smsc.submits) == 3)
            await world.lane_empty()
            assert lines.getvalue().count('"pdu"') == before.count('"pdu"')
    pdus = [json.loads(line) for line in before.splitlines()]
    found = {line["pdu"]: line for line in pdus if line["message"] == "pdu"}
    assert found["SubmitSm"]["direction"] == "->"
    assert found["SubmitSm"]["header"][8:16] == "00000004"
    assert (found["SubmitSm"]["sm_length"], found["SubmitSm"]["destination_addr"]) == (15, "250788****88")
    assert found["DeliverSm"]["direction"] == "<-"
    for hidden in ("Love", "Yego", "250788999888", "788123123", "hunter2"):
        assert hidden not in before


async def test_a_bind_that_comes_up_is_logged_too(world: World) -> None:
    orders.log_until("fast", now_ms() + 60_000)
    async with Smsc() as smsc:
        world.account(smsc)
        with logged() as lines:
            async with relaying(QUICK):
                await eventually(lambda: (one := next(iter(status.read()), None)) and one.pdu_log_until and one.up)
                smsc.drop()
                await eventually(lambda: '"pdu":"welcome"' in lines.getvalue())
