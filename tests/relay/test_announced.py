"""What an SMSC tells of itself and of phones, over SMPP: its version, and who can be reached again."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from chalicelib import registry
from cli.main import main
from smsc_relay import journal, status
from smsc_relay.accounts import kind_of
from smsc_relay.simulator.simulator import Simulator
from smsc_relay.smpp.codec import encode
from smsc_relay.smpp.constants import Tag
from smsc_relay.smpp.pdus import AlertNotification, DeliverSm
from tests.lane import logged
from tests.relay.conftest import World, eventually, relaying
from tests.relay.test_status import QUICK
from tests.support import CHANNEL

PHONE = "250788123123"


def register(world: World, smsc: Simulator, **config: Any) -> None:
    given = {"host": "127.0.0.1", "port": smsc.smpp_port, "system_id": "ilha", "reconnect_min": 0.1, **config}
    world.aws.aggregator("fast", "SMPP", config=given, version=time.time_ns() // 1_000_000)
    world.aws.channel(CHANNEL, type="SMPP")
    registry.reset()


def lines(text: str, message: str) -> list[dict[str, Any]]:
    """Log lines of that message."""
    found = [json.loads(line) for line in text.splitlines()]
    return [line for line in found if line["message"] == message]


class Alerts:
    """The metric `alerts`, as it is printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._printed = capsys, ""

    def counted(self) -> float:
        self._printed += self._capsys.readouterr().out
        found = [json.loads(line) for line in self._printed.splitlines() if line.startswith("{")]
        return sum(line["alerts"][0] for line in found if "alerts" in line and line["name"] == "fast")


@pytest.mark.parametrize(
    ("version", "shown", "warned"),
    [
        pytest.param(34, "3.4", "", id="as we"),
        pytest.param(33, "3.3", "it speaks SMPP 3.3, and interface_version is 34; TLVs go to it where", id="older"),
        pytest.param(None, "", "", id="not said"),
    ],
)
async def test_the_version_of_the_smsc_is_seen(
    world: World, version: int | None, shown: str, warned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Simulator({"behaviour": {"login": {"version": version}}}) as smsc:
        register(world, smsc, binds=2)
        with logged() as log:
            async with relaying(QUICK, kinds=kind_of) as relay:
                await eventually(lambda: [one.up for one in status.read("fast")] == [2])
                assert [one.version for one in status.read("fast")[0].binds] == [shown] * 2
                assert [one["version"] for one in relay.report()["links"]["fast"]["binds"]] == [shown] * 2
                assert [line["version"] for line in lines(log.getvalue(), "bind_up")] == [shown] * 2
                found = sorted(
                    line["bind"] for line in lines(log.getvalue(), "smsc_older") if line["reason"].startswith(warned)
                )
                assert found == (["1-transceiver", "2-transceiver"] if warned else [])
                assert len(lines(log.getvalue(), "smsc_older")) == len(found)
                assert main(["smsc", "status", "fast"]) == 0
                table = capsys.readouterr().out
    (bind,) = [line for line in table.splitlines() if "1-transceiver" in line and not line.startswith("{")]
    assert bind.split()[-2:] == [shown or "-", "-"]


def alert(sequence: int, availability: int) -> bytes:
    tlvs = ((int(Tag.MS_AVAILABILITY_STATUS), bytes([availability])),)
    return encode(AlertNotification(source_addr_ton=1, source_addr=PHONE, esme_addr="8080", tlvs=tlvs), sequence)


async def test_an_alert_is_logged_without_the_number_and_counted(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal, "COUNTED", 1)
    monkeypatch.setenv("JANGADA_METRICS", "Jangada")
    alerts = Alerts(capsys)
    async with Simulator() as smsc:
        register(world, smsc)
        with logged() as log:
            async with relaying(kinds=kind_of):
                await smsc.wait_for(lambda smsc: bool(smsc.sessions))
                session = smsc.sessions[0]["session"]
                smsc.send_raw(session, alert(1, 0) + alert(2, 2))
                await eventually(lambda: alerts.counted() == 2)
                smsc.send_raw(session, alert(3, 1))
                await eventually(lambda: alerts.counted() == 3)
    told = lines(log.getvalue(), "alert_notification")
    assert [one["availability"] for one in told] == ["available", "unavailable", "denied"]
    assert {one["phone"] for one in told} == {"+25078*****23"}
    assert {(one["level"], one["aggregator"]) for one in told} == {("INFO", "fast")}
    assert PHONE not in log.getvalue()


async def test_of_a_flood_of_alerts_not_each_is_logged(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal, "COUNTED", 1)
    monkeypatch.setattr(journal, "MOST_ALERTS", 3)
    monkeypatch.setenv("JANGADA_METRICS", "Jangada")
    alerts = Alerts(capsys)
    async with Simulator() as smsc:
        register(world, smsc)
        with logged() as log:
            async with relaying(kinds=kind_of):
                await smsc.wait_for(lambda smsc: bool(smsc.sessions))
                smsc.send_raw(smsc.sessions[0]["session"], b"".join(alert(one, 0) for one in range(1, 101)))
                await eventually(lambda: alerts.counted() == 100)
    assert 3 <= len(lines(log.getvalue(), "alert_notification")) < 100


async def test_a_receipt_of_another_form_is_logged_without_what_it_says(world: World) -> None:
    async with Simulator() as smsc:
        register(world, smsc)
        with logged() as log:
            async with relaying(kinds=kind_of):
                await smsc.wait_for(lambda smsc: bool(smsc.sessions))
                receipt = DeliverSm(source_addr=PHONE, esm_class=4, short_message=b"MsgID=A1b2 State=OK Ann")
                smsc.send_raw(smsc.sessions[0]["session"], encode(receipt, 1))
                await eventually(lambda: bool(lines(log.getvalue(), "smsc_fault")))
    (told,) = lines(log.getvalue(), "smsc_fault")
    assert (told["reason"], told["form"]) == ("a receipt without a state", "MsgID=A0a0 State=AA Aaa")
