"""docs/cli.md tells the truth: its files load, its commands run in its order, and print what it shows.

`JANGADA_WRITE_DOCS=1 pytest tests/cli/test_docs.py` writes what they print into the page: where it says something
else, not where only times and tokens are others.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import app
from chalicelib import ledger, pauses, queues, registry, rendezvous, trace
from chalicelib.clock import now_ms
from chalicelib.ledger_items import PartState
from chalicelib.messages import Outgoing, Status, StatusUpdate
from chalicelib.records import LaneRecord, MessageKey, Outcome, ReceiptEvent
from cli import aggregator_files
from cli.main import COMMANDS, parser_for
from local.emulator import create_resources
from smsc_relay import orders, status
from smsc_relay.orders import Answer, Ask
from smsc_relay.status import BindStatus, LinkStatus
from tests.cli.conftest import Jangada
from tests.support import Aws

DOCS = Path(__file__).resolve().parents[2] / "docs"
CHANNEL = "a86f686f-9168-4dd9-a03e-77f11b265b56"
PHONE = "+256700123123"
BLOCK = re.compile(r"^(## [^\n]*)$|^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOKEN = re.compile(r"jgd_\S+")
VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
    (re.compile(r"\d\d:\d\d:\d\d(\.\d{3})?"), "TIME"),
    (re.compile(r"\+?\b\d+ (ms|s|m|h|d)\b"), "SPAN"),
    (TOKEN, "TOKEN"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "HASH"),
    (re.compile(r"\s+"), " "),
)


def steady(text: str) -> str:
    """The text without what is another at every run."""
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text.strip()


def without_keys(text: str) -> str:
    """Without the keys that `types` lists: the page need not change with each new one."""
    return re.sub(r"(?<=^KEY)(.*\n)(^\w+  .*\n?)+", "", text, flags=re.MULTILINE)


# --- the world of the page ------------------------------------------------------------------------------------------


def opened(number: int) -> MessageKey:
    key = ledger.open_message(
        CHANNEL, str(number), aggregator="at-ug", lane="lane-shared", destination=PHONE, now=now_ms()
    ).key
    ledger.mark_forwarded(key)
    text, until = "Reply with YES or NO", now_ms() + 86_400_000
    trace.hop(key.id, "queued", channel=CHANNEL, queue="lane-shared.fifo", until=until, to=PHONE, text=text)
    return key


def exchange(status: int, took: int) -> dict[str, object]:
    url = "https://api.africastalking.com/version1/messaging"
    return {"method": "POST", "url": url, "status": status, "elapsed_ms": took, "request": "", "response": ""}


def messages(aws: Aws) -> None:
    """One that is delivered, one that is tried again, a receipt for neither."""
    key, name = opened(1241244), "ATXid_b1a2c3"
    ledger.claim(key, 0, 1, owner="o", until=now_ms() + 1000, now=now_ms())
    ledger.accept(key, 0, 1, "o", name, now_ms())
    trace.hop(key.id, "wired", channel=CHANNEL, part=0, external_id=name, exchanges=[exchange(201, 213)])
    trace.flush()
    for event in (
        Outcome(key=key, aggregator="at-ug", accepted=True, external_id=name, destination=PHONE, at=1, recorded=True),
        ReceiptEvent(event_id="e-1", aggregator="at-ug", update=StatusUpdate(
            channel=CHANNEL, status=Status.DELIVERED, external_id=name)),
        ReceiptEvent(event_id="e-2", aggregator="at-ug", update=StatusUpdate(
            channel=CHANNEL, status=Status.FAILED, external_id="ATXid_d4e5f6", destination=PHONE, code="21")),
    ):  # fmt: skip
        queues.send(queues.EVENTS, queues.event_entry(event))
        aws.drain(queues.EVENTS, app.record)
    assert rendezvous.find("at-ug", name)
    told = {"method": "POST", "url": f"https://rapidpro.example.org/c/ex/{CHANNEL}/delivered", "status": 200}
    trace.hop(key.id, "platform_accepted", channel=CHANNEL, kind="delivered", platform="main",
              exchanges=[{**told, "elapsed_ms": 48}])  # fmt: skip
    other, now = opened(1241245), now_ms()
    ledger.claim(other, 0, 1, owner="o", until=now + 1000, now=now)
    ledger.release(other, 0, "o", now, "connection_failed", now, trouble_since=now)
    trace.hop(other.id, "retry", channel=CHANNEL, part=0, reason="connection_failed", code="502",
              exchanges=[exchange(502, 1204)])  # fmt: skip
    trace.flush()


def pause(aws: Aws) -> None:
    pauses.pause_lane("at-ug", "no balance at Africa's Talking", now_ms())


def letters(aws: Aws) -> None:
    now = now_ms()
    for number in (1241246, 1241247):
        message = Outgoing(id=number, text="Murakoze", to=PHONE, channel=999)
        body = message.model_dump_json(by_alias=True, exclude_defaults=True)
        queues.bury(queues.OUTBOUND, body, str(number), "unknown channel 999, for an hour: add it, then redrive")
    key = opened(1241248)
    ledger.claim(key, 0, 1, owner="o", until=now - 1, now=now - 2)
    message = Outgoing(id=1241248, text="Murakoze", to=PHONE, channel=CHANNEL)
    record = LaneRecord(key=key, message=message, aggregator="at-ug", lane="lane-shared", first_seen=now,
                        expires_at=now + 86_400_000)  # fmt: skip
    queues.bury("lane-shared.fifo", record.to_body(), "g", "in doubt, and the channel says ask: no answer in 30 s")


SMPP_CHANNEL = "5d2f8c31-0e4b-4f7a-9b66-1c8a7d3e2f90"
ANSWERS = {"query": {"message_state": "ENROUTE"}, "replace": {}, "cancel": {}}


def export(aws: Aws) -> None:
    """What RapidPro has, as docs/migrating.md exports it."""
    page = (DOCS / "migrating.md").read_text()
    Path("channels.csv").write_text(re.findall(r"^```csv\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0])


def relay(aws: Aws) -> None:
    """A task that holds the link to an SMSC, a message that it has sent, and its answers to what the page asks."""
    aws.aggregator("mtn-ug", "SMPP", config={"host": "10.64.10.20", "system_id": "ilha"})
    create_resources(os.environ["AWS_ENDPOINT_URL"], own_lanes=["mtn-ug"])
    aws.channel(SMPP_CHANNEL, aggregator="mtn-ug", type="SMPP", address="8090", platform="main")
    key, now = MessageKey(channel=SMPP_CHANNEL, id="1241250"), now_ms()
    ledger.open_message(key.channel, key.id, aggregator="mtn-ug", lane="lane-mtn-ug", destination=PHONE, now=now)
    ledger.conclude_unclaimed(key, 0, 1, PartState("accepted", external_id="7f3a91", rank=Status.WIRED.rank), now)
    up = BindStatus(bind="1-transceiver", role="transceiver", state="up", since=now - 7_200_000, version="3.4",
                    in_flight=3, window=20)  # fmt: skip
    said = LinkStatus(link="mtn-ug", task="0d5c9a3e-7c1b-4a53-9c39-7d1f1f0d8f11", protocol="SMPP", at=now - 2000,
                      state="up", binds=(up,), wanted=50, allowed=50, actual=37.4, p50=48, p99=211,
                      throttled=4, reconnects=1, error="1-transceiver: connection lost",
                      error_at=now - 7_260_000)  # fmt: skip
    status.write(said)
    threading.Thread(target=answer, args=(said,), daemon=True).start()


def answer(said: LinkStatus) -> None:
    """Do what the page asks for: a question of each kind, and a log that is begun and ended."""
    left, until = set(ANSWERS), 0
    while True:
        found = orders.read()
        for body in found.asks:
            ask = Ask.model_validate_json(body)
            if orders.take(body):
                left.discard(ask.kind)
                orders.answer(Answer(id=ask.id, task=said.task, said=ANSWERS[ask.kind]), now_ms())
        wanted = found.logs.get("mtn-ug", 0)
        if wanted != until:
            status.write(said.model_copy(update={"at": now_ms(), "pdu_log_until": wanted}))
            if not wanted and not left:
                return
            until = wanted
        time.sleep(0.1)


WORLD: dict[str, Callable[[Aws], None]] = {
    "## From RapidPro": export, "## Why": messages, "## Lanes": pause, "## Dead letters": letters,
    "## Running links": relay,
}  # fmt: skip


# --- tests ----------------------------------------------------------------------------------------------------------


def test_every_command_runs_and_prints_what_the_page_shows(
    aws: Aws, jangada: Jangada, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "schemas").symlink_to(DOCS / "schemas")
    monkeypatch.setenv("AT_API_KEY", "hunter2")
    monkeypatch.setenv("MTN_RW_PASSWORD", "hunter2")
    monkeypatch.setenv("MAIN_AUTHORIZATION", "Token hunter2")
    page = (DOCS / "cli.md").read_text()
    (sample,) = set(TOKEN.findall(page))  # stays: checks/not_secrets.txt knows it
    printed = ""
    end = 0
    for found in BLOCK.finditer(page):
        heading, kind, body = found.groups()
        if heading in WORLD:
            WORLD[heading](aws)
        if kind in ("yaml", "ini", "text"):
            (tmp_path / body.split()[1]).write_text(body)
        if kind != "console":
            continue
        shown = ""
        for line in re.findall(r"^\$ (.*)$", body, re.MULTILINE):
            words = shlex.split(line)
            if words[1:3] == ["token", "revoke"]:
                words[3] = registry.tokens()[0].hash[:12]
                line = shlex.join(words)
            ran = jangada(*words[1:])
            output = ran.err + ran.out
            assert ran.status in (0, 1), output
            assert "hunter2" not in output
            shown += f"$ {line}\n{output}"
        same = steady(without_keys(shown)) == steady(without_keys(body))
        assert same or os.environ.get("JANGADA_WRITE_DOCS")
        printed += page[end : found.start(3)] + (body if same else TOKEN.sub(sample, shown))
        end = found.end(3)
    if os.environ.get("JANGADA_WRITE_DOCS"):
        (DOCS / "cli.md").write_text(printed + page[end:])


def actions(name: str) -> list[str]:
    """`name` with each of its actions."""
    parser = parser_for([name])
    (commands,) = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    inner = [one for one in commands.choices[name]._actions if isinstance(one, argparse._SubParsersAction)]
    return [f"{name} {action}" for one in inner for action in one.choices] or [name]


@pytest.mark.parametrize("command", [action for name in COMMANDS for action in actions(name)])
def test_no_command_is_missing_in_the_page(command: str) -> None:
    assert f"$ jangada {command} " in (DOCS / "cli.md").read_text().replace("\n", " ")


@pytest.mark.parametrize(
    "text", re.findall(r"^```yaml\n(.*?)^```$", (DOCS / "aggregators.md").read_text(), re.M | re.S)
)
def test_every_file_of_the_other_page_loads(text: str) -> None:
    assert aggregator_files.load(text, "docs/aggregators.md")
