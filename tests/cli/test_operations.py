"""docs/operations.md tells what works: its commands run, in its order, against a deployment in trouble."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from chalicelib import ledger, pauses, queues
from chalicelib.clock import now_ms
from chalicelib.messages import Outgoing
from chalicelib.records import LaneRecord
from cli.main import parser_for
from tests.cli.conftest import Jangada
from tests.support import Aws

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
COMMANDS = re.findall(r"^\$ jangada (.*)$", PAGE, re.MULTILINE)
CHANNEL = "a86f686f-9168-4dd9-a03e-77f11b265b56"
FILES = ROOT / "infra" / "environments" / "example" / "aggregators"
SECRETS = {"aggregator secret", "platform credential"}  # they ask, and are answered here by a pipe
WAITING = "channel test"  # sends a message, and waits for what becomes of it


@pytest.fixture
def trouble(aws: Aws, jangada: Jangada, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jangada:
    """The example's files applied, a lane that is paused, a message in doubt in a DLQ."""
    monkeypatch.chdir(tmp_path)
    folder = Path("infra/environments/prod/aggregators")
    folder.mkdir(parents=True)
    for name in ("at-ug", "infobip-ke", "platforms"):  # there is no lane for infobip-ke here
        (folder / f"{name}.yaml").write_text((FILES / f"{name}.yaml").read_text().replace("lane: own", "lane: shared"))
    assert jangada("aggregator", "apply", *map(str, sorted(folder.glob("*.yaml")))).status == 0
    assert jangada("aggregator", "secret", "at-ug", "api_key", stdin="hunter2\n").status == 0
    now = now_ms()
    pauses.pause_lane("at-ug", "no balance at Africa's Talking", now)
    key = ledger.open_message(
        CHANNEL, "1241246", aggregator="at-ug", lane="lane-shared", destination="+256700123123", now=now
    ).key
    message = Outgoing(id=1241246, text="Murakoze", to="+256700123123", channel=CHANNEL)
    record = LaneRecord(key=key, message=message, aggregator="at-ug", lane="lane-shared", first_seen=now,
                        expires_at=now + 86_400_000)  # fmt: skip
    queues.bury("lane-shared.fifo", record.to_body(), "g", "in doubt, and the channel says ask: no answer in 30 s")
    return jangada


def test_every_command_runs(trouble: Jangada) -> None:
    ran = set()
    for command in COMMANDS:
        words = shlex.split(command)
        name = " ".join(words[:2])
        if name == WAITING:
            words += ["--dry-run"]
        if words[:2] == ["token", "revoke"]:
            words[2] = trouble("token", "list").out.splitlines()[1].split()[0]
        found = trouble(*words, stdin="hunter2\n" if name in SECRETS else "")
        assert found.status == 0, f"jangada {command}: {found.err}{found.out}"
        assert "hunter2" not in found.out + found.err
        ran.add(name)
    assert {"lane list", "dlq list", "dlq show", "dlq redrive", "channel disable", "token revoke"} <= ran


def test_commands_in_the_text_are_there() -> None:
    for command in re.findall(r"`jangada ([a-z]+(?: [a-z]+)?)", PAGE):
        words = command.split()
        with pytest.raises(SystemExit) as ended:
            parser_for(words).parse_args([*words, "--help"])
        assert ended.value.code == 0, command


def test_targets_of_make_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^\$ make ([a-z]+)", PAGE, re.MULTILINE))
    assert {"plan", "deploy"} <= named <= targets


def test_every_task_of_an_operator_has_its_section() -> None:
    tasks = ("Deploy", "Roll back", "Rotate a secret", "Drain a link", "Move a channel", "Read a DLQ",
             "Restore a table", "Freeze a broadcast")  # fmt: skip
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert set(tasks) <= set(headings)
