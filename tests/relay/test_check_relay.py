"""`jangada smsc check --relay`: the test phase over the binds of a running relay, over each of the three protocols."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import ledger, ledger_table, queues, registry, rendezvous
from chalicelib.clock import now_ms
from chalicelib.freezes import freeze
from chalicelib.messages import Status, StatusUpdate
from chalicelib.records import ReceiptEvent
from chalicelib.settings import settings
from smsc_relay import orders, status
from smsc_relay.accounts import kind_of
from smsc_relay.simulator.simulator import Simulator
from smsc_relay.status import BindStatus, LinkStatus
from tests.relay.conftest import World, eventually, relaying
from tests.relay.test_desk import QUICK, jangada
from tests.relay.test_every_protocol import PROTOCOLS, QUIET, Protocol, protocol, simulator  # noqa: F401 - a fixture
from tests.support import CHANNEL

PHONE = "+250788123123"
WELL: dict[str, Any] = {"receipts": {"when": "requested", "delay": 0}}
Printed = dict[str, tuple[str, str]]  # step -> (state, what is said)


def steps(printed: str) -> Printed:
    """The steps that are printed, without those that are waited for."""
    found = {}
    for state, name, said in re.findall(r"^(ok|FAILED|skipped) +([^:]+): (.*(?:\n {9}.*)?)", printed, re.MULTILINE):
        found[name] = (state, said)
    return found


@asynccontextmanager
async def running(
    world: World,
    one: Protocol,
    behaviour: dict[str, Any] | None = None,
    to: dict[str, Any] | None = None,
    **config: Any,
) -> AsyncIterator[Simulator]:
    """A relay with one bind, which is all that the account may have. `to`: what becomes of messages to PHONE."""
    script = {"destinations": {PHONE[-6:]: to}} if to else {}
    async with simulator(behaviour or WELL, script=script, addresses=["8080"], max_binds=1) as smsc:
        one.account(world, smsc, **config)
        async with relaying(QUICK, kinds=kind_of):
            await eventually(lambda: any(link.up for link in status.read("fast")))
            yield smsc


async def check(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Printed]:
    code, printed = await jangada(capsys, "smsc", "check", "fast", "--relay", *words)
    assert PHONE[1:] not in printed
    assert "secret" not in printed.replace("smsc secret", "")
    return code, steps(printed)


async def test_all_steps(world: World, protocol: Protocol, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:  # noqa: F811
    """The receipt stays with the asker; the MO goes to the platform."""
    report = tmp_path / "report.md"
    async with running(world, protocol) as smsc:
        words = ("--to", PHONE, "--from", "8080", "--wait-receipt", "20", "--wait-mo", "20", "--report", str(report))
        checking = asyncio.create_task(check(capsys, *words))
        await eventually(lambda: any(answer.get("listening") for answer in told()))
        smsc.inject(source="250788123124", to="8080", text="ok")
        code, found = await checking
        await smsc.wait_for(lambda it: it.mos[0].state == "acknowledged", 20)
        await smsc.wait_for(lambda it: it.stats["1234"].get("delivered") == 2, 20)
        assert len(smsc.sessions) == 1
    assert code == 0, found
    assert {name: state for name, (state, _) in found.items()} == {
        "configuration": "ok", "tunnel": "skipped", "route in AWS": "skipped", "relay": "ok", "TCP": "ok",
        "TLS": "skipped", "bind": "ok", "enquire_link, alive or alert": "ok", "window": "ok", "test MT": "ok",
        "its receipt": "ok", "test MO": "ok",
    }  # fmt: skip
    assert "transceiver is up since 20" in found["bind"][1]
    assert re.search(r"transceiver: [0-9]+ ms", found["enquire_link, alive or alert"][1])
    assert found["window"][1] == "0 of 4 in use"
    assert found["its receipt"][1].startswith("delivered")
    (event,) = [body["event"] for body in world.aws.bodies(queues.EVENTS) if body["event"]["kind"] != "session_end"]
    assert (event["kind"], event["message"]["text"]) == ("incoming", "ok")
    assert rendezvous.unmatched("fast") == []
    assert "Every step that was taken is well." in report.read_text()


def told() -> list[dict[str, str]]:
    """What is said in the answers that there are."""
    items = clients.dynamodb().scan(TableName=settings().table("ledger"))["Items"]
    return [orders.Answer.model_validate_json(item["d"]["S"]).said for item in items
            if item["pk"]["S"].startswith("relay#answer#")]  # fmt: skip


async def test_a_refused_message(world: World, protocol: Protocol, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    async with running(world, protocol, to={"status": "ESME_RINVDSTADR"}):
        code, found = await check(capsys, "--to", PHONE, "--from", "8080")
    assert (code, found["test MT"][0]) == (1, "FAILED")
    assert "recipients" in found["test MT"][1] or "networks" in found["test MT"][1]
    assert "its receipt" not in found
    assert world.aws.bodies(queues.EVENTS) == []


async def test_no_receipt(world: World, protocol: Protocol, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    async with running(world, protocol, QUIET):
        code, found = await check(capsys, "--to", PHONE, "--from", "8080", "--wait-receipt", "0.5")
    assert (code, found["test MT"][0], found["its receipt"][0]) == (1, "ok", "FAILED")
    assert "receipts enabled" in found["its receipt"][1]


async def test_no_answer_to_the_message(world: World, protocol: Protocol, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    """The link lives on, and its next message goes."""
    async with running(world, protocol, QUIET, to={"answer": False}, response_timeout=1):
        code, found = await check(capsys, "--to", PHONE, "--from", "8080")
        world.put(1)
        await world.lane_empty()
    assert (code, found["test MT"][0]) == (1, "FAILED")
    assert "0 of 1" in found["test MT"][1]
    assert [event[0] for event in world.outcomes()] == ["1"]


async def test_the_smsc_answers_no_question(
    world: World, protocol: Protocol, capsys: pytest.CaptureFixture[str]  # noqa: F811
) -> None:  # fmt: skip
    async with running(world, protocol, {"link": {"answer_enquire_link": False}}, response_timeout=1):
        code, found = await check(capsys)
    assert (code, found["enquire_link, alive or alert"][0]) == (1, "FAILED")
    assert "keepalive: 0" in found["enquire_link, alive or alert"][1]


async def test_the_link_is_down(
    world: World, protocol: Protocol, capsys: pytest.CaptureFixture[str], unused_tcp_port: int  # noqa: F811
) -> None:  # fmt: skip
    async with simulator() as smsc:
        protocol.account(world, smsc, port=unused_tcp_port)
        async with relaying(QUICK, kinds=kind_of):
            await eventually(lambda: any(link.error for link in status.read("fast")))
            code, found = await check(capsys, "--to", PHONE)
    assert (code, found["relay"][0], found["TCP"][0]) == (1, "ok", "FAILED")
    assert f"127.0.0.1:{unused_tcp_port} refuses" in found["TCP"][1]


async def test_the_link_has_no_tls(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    async with simulator() as smsc:
        PROTOCOLS[0].account(world, smsc, tls=True)
        async with relaying(QUICK, kinds=kind_of):
            await eventually(lambda: any(link.error for link in status.read("fast")))
            code, found = await check(capsys, "--to", PHONE)
    assert (code, found["TCP"][0], found["TLS"][0]) == (1, "ok", "FAILED")
    assert f"no TLS with 127.0.0.1:{smsc.smpp_port}" in found["TLS"][1]


async def test_the_login_is_refused(world: World, protocol: Protocol, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    async with simulator({"login": {"status": "RBINDFAIL"}}) as smsc:
        protocol.account(world, smsc)
        async with relaying(QUICK, kinds=kind_of):
            await eventually(lambda: any(bind.code for link in status.read("fast") for bind in link.binds))
            code, found = await check(capsys, "--to", PHONE)
    assert (code, found["TCP"][0], found["bind"][0]) == (1, "ok", "FAILED")
    assert "the login is refused" in found["bind"][1]
    assert "what does this code mean" not in found["bind"][1]


def said_up(task: str = "0d5c9a3e", ago: int = 0, **fields: Any) -> LinkStatus:
    bind = BindStatus(bind="1-transceiver", role="transceiver", state="up", since=now_ms(), window=4)
    at = now_ms() - ago
    return LinkStatus(**{"link": "fast", "task": task, "protocol": "SMPP", "at": at, "state": "up", "binds": (bind,),
                         **fields})  # fmt: skip


async def test_nobody_answers(world: World, protocol: Protocol, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    """A task that has died a moment ago."""
    async with simulator() as smsc:
        protocol.account(world, smsc)
        status.write(said_up())
        code, found = await check(capsys, "--to", PHONE, "--timeout", "0.3")
    assert (code, found["bind"][0], found["enquire_link, alive or alert"][0]) == (1, "ok", "FAILED")
    assert "has not taken the order" in found["enquire_link, alive or alert"][1]
    assert orders.read().asks == ()


@pytest.mark.parametrize(
    ("last", "said"),
    [
        pytest.param(None, "no relay task serves fast", id="never"),
        pytest.param(said_up(ago=1_000_000), "the last word of one is of", id="no more"),
        pytest.param(said_up(state="stopped"), "the last word of one is of", id="stopped"),
    ],
)
async def test_no_relay(world: World, capsys: pytest.CaptureFixture[str], last: LinkStatus | None, said: str) -> None:
    async with simulator() as smsc:
        PROTOCOLS[0].account(world, smsc)
        if last is not None:
            status.write(last)
        code, found = await check(capsys)
    assert (code, found["relay"][0]) == (1, "FAILED")
    assert said in found["relay"][1]
    assert "check without --relay" in found["relay"][1]


async def test_while_the_account_is_frozen_no_message_goes(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(world, PROTOCOLS[0]) as smsc:
        freeze("aggregator", "fast", "runaway", now_ms())
        await eventually(lambda: any(link.state == "frozen" for link in status.read("fast")))
        code, found = await check(capsys, "--to", PHONE, "--from", "8080")
        assert smsc.submits == []
    assert (code, "jangada thaw fast" in found["test MT"][1]) == (1, True)


async def test_other_messages_and_their_receipts_go_their_way(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """To the same phone, at the same time."""
    async with running(world, PROTOCOLS[0]), world.recording():
        for number in range(1, 6):
            world.put(number, to=PHONE)
        code, found = await check(capsys, "--to", PHONE, "--from", "8080", "--wait-receipt", "20")
        await eventually(lambda: all(state_of(number) == "delivered" for number in range(1, 6)))
    assert (code, found["its receipt"][0]) == (0, "ok")


def state_of(number: int) -> str:
    state = ledger.get(CHANNEL, str(number))
    return state.status.value if state else ""


def test_a_receipt_that_came_over_another_task_is_taken_back(world: World) -> None:
    def parked(external_id: str, destination: str) -> None:
        update = StatusUpdate(channel="", status=Status.DELIVERED, external_id=external_id, destination=destination)
        event = ReceiptEvent(event_id=external_id + destination, update=update, aggregator="fast", at=1)
        assert rendezvous.meet_receipt(event, now_ms()) is None

    parked("1", PHONE)
    parked("1", "+250788999999")
    assert [one.update.destination for one in rendezvous.withdraw("fast", "1", PHONE)] == [PHONE]
    assert rendezvous.withdraw("fast", "1", PHONE) == []
    assert [one.receipt.update.destination for one in rendezvous.unmatched("fast")] == ["+250788999999"]
    assert ledger_table.get("ext#none") is None
    registry.reset()
