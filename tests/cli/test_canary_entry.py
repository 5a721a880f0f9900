"""The key `canary` of an aggregator file: what it may say, and what `jangada smsc status` says of the last one."""

from __future__ import annotations

import pytest

from chalicelib import canaries, clock, ledger, registry, trace
from chalicelib.registry import Aggregator
from cli import applying
from cli.aggregator_files import FileError, load
from cli.main import parser_for
from tests.support import CHANNEL, Aws

FILE = """\
name: fast
type: SMPP
config: {host: 10.64.10.20, port: 2775, system_id: ilha}
channels:
  - {uuid: 6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4, address: "8080", country: UG, workspace: w, platform: main}
canary: {channel: 6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4, to: "+256770000000"}
"""


def test_what_is_left_out_and_what_is_registered(aws: Aws) -> None:
    aws.platform()
    applying.apply([load(FILE, "fast.yaml")])
    assert registry.aggregator("fast").canary == {
        "channel": CHANNEL, "to": "+256770000000", "every": "10m", "mo": False, "text": ""
    }  # fmt: skip
    found = canaries.of(registry.aggregator("fast"))
    assert found == canaries.Canary("fast", CHANNEL, "+256770000000", 600_000)
    plan = applying.plan([load(FILE.replace('000"}', '000", every: 1h}'), "fast.yaml")])
    assert [(step.action, step.detail) for step in plan.steps if step.kind == "aggregator"] == [
        ("changed", "canary.every")
    ]
    applying.apply([load(FILE.partition("canary:")[0], "fast.yaml")])
    assert registry.aggregator("fast").canary == {}
    assert canaries.of(Aggregator(name="fast", type="SMPP")) is None


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        pytest.param('"+256770000000"', "256770000000", 'canary.to: must be text: put it in quotes, "256770000000"',
                     id="a number without quotes"),
        pytest.param('"+256770000000"', '"0770000000"', "canary.to: must be an international number in quotes",
                     id="a national number"),
        pytest.param('000"}', '000", every: 7m}', "canary.every: must be 5m to 24h in steps of 5m", id="7 minutes"),
        pytest.param('000"}', '000", every: 25h}', "canary.every: must be 5m to 24h", id="more than a day"),
        pytest.param('000"}', '000", every: 10s}', "canary.every: must be 5m to 24h", id="seconds"),
        pytest.param('000"}', '000", evry: 10m}', "canary.evry: unknown key; did you mean every?", id="a slip"),
        pytest.param('to: "+256770000000"', "mo: true", "canary.to: required key is missing", id="nowhere"),
        pytest.param("canary: {channel: 6f", "canary: {channel: 7f", "canary.channel: is no channel of this file",
                     id="another's channel"),
        pytest.param("type: SMPP\nconfig: {host: 10.64.10.20, port: 2775, system_id: ilha}",
                     "type: EX\nconfig: {send_url: 'https://sms.example.org/'}",
                     "canary: is for SMSCs (CIMD2, SMPP, UCP), and this is EX", id="no SMSC"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(before: str, after: str, problem: str) -> None:
    assert before in FILE
    with pytest.raises(FileError) as refused:
        load(FILE.replace(before, after), "fast.yaml")
    assert problem in str(refused.value)


def run(*words: str) -> None:
    options = parser_for(list(words)).parse_args(list(words))
    options.run(options)


def test_the_last_one_is_shown(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.platform()
    applying.apply([load(FILE, "fast.yaml")])
    run("smsc", "status", "fast")
    assert "canary" not in capsys.readouterr().out, "none has been sent"
    of = canaries.of(registry.aggregator("fast"))
    assert of is not None
    now = clock.now_ms()
    one = canaries.begin(of, now, None)
    assert one is not None
    run("smsc", "status", "fast")
    assert f"fast: canary {one.id}, sent" in (said := capsys.readouterr().out)
    assert "is on its way" in said
    canaries.note_delivered("fast", one.id, now + 2300)
    canaries.note_delivered("fast", one.id, now + 9000)
    delivered = canaries.last("fast")
    assert delivered is not None
    assert canaries.judge(delivered, "delivered") is not None
    assert canaries.judge(delivered, "failed") is None, "one is judged once"
    run("smsc", "status", "fast")
    assert "was delivered in 2300 ms" in capsys.readouterr().out
    for number in (1, 2):
        one = canaries.begin(of, now + number * of.every, canaries.last("fast"))
        assert one is not None
        canaries.judge(one, "failed", "no receipt has come")
    run("smsc", "status", "fast")
    assert "has failed: no receipt has come; 2 in a row" in capsys.readouterr().out


def test_why_says_nothing_of_a_platform(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.platform()
    applying.apply([load(FILE, "fast.yaml")])
    now = clock.now_ms()
    for message_id in ("7", canaries.PREFIX + "fast-20260101T0000"):
        ledger.open_message(
            CHANNEL, message_id, aggregator="fast", lane="lane-fast", destination="+256770000000", now=now
        )
        trace.hop(message_id, "delivered", channel=CHANNEL)
        trace.flush()
        run("why", message_id)
        assert ("\nplatform" in capsys.readouterr().out) == (message_id == "7")
