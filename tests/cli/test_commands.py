"""The smaller commands, and what all commands have in common."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import pauses, queues, registry, registry_store
from chalicelib.channels import CODES
from chalicelib.clock import now_ms
from chalicelib.messages import Status, StatusUpdate
from chalicelib.records import ReceiptEvent
from chalicelib.settings import settings
from cli import lanes, output
from cli.main import COMMANDS
from local.emulator import free_port
from tests.cli.conftest import Jangada
from tests.support import CHANNEL, Aws

ROOT = Path(__file__).resolve().parents[2]
OTHER = "0b3c8e52-1f6a-4a7e-9d5b-6f0e2c4d8a91"


# --- what all have in common ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [pytest.param([], id="none"), *([name] for name in COMMANDS)])
def test_help_is_there_for_every_command(cli: Jangada, command: list[str]) -> None:
    ran = cli(*command, "--help")
    assert ran.status == 0
    assert ran.out.startswith(f"usage: jangada{' ' if command else ''}{' '.join(command)}")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="nothing"),
        pytest.param(["sail"], id="unknown command"),
        pytest.param(["channel", "sail"], id="unknown action"),
        pytest.param(["channel", "show"], id="argument missing"),
        pytest.param(["token", "new", "w", "--colour"], id="unknown option"),
    ],
)
def test_usage_errors_are_status_2(cli: Jangada, arguments: list[str]) -> None:
    ran = cli(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "usage: jangada" in ran.err


def test_what_is_missing_in_the_environment_is_named_at_once(cli: Jangada, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("JANGADA_PREFIX", "JANGADA_QUEUE_BASE", "JANGADA_SSM_PREFIX", "AWS_DEFAULT_REGION")
    for name in (*names, "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    from chalicelib import settings as module

    module.reset()
    clients.reset()
    ran = cli("channel", "list")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == f"jangada: {', '.join(names)} not set: docs/cli.md says what the command line needs\n"


def test_an_aws_that_does_not_answer_is_one_line(jangada: Jangada, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    clients.reset()
    ran = jangada("token", "list")
    assert ran.status == 1
    assert ran.err.startswith("jangada: AWS does not answer: ")
    assert len(ran.err.splitlines()) == 1


def test_a_deployment_that_is_not_there(jangada: Jangada, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib import settings as module

    monkeypatch.setenv("JANGADA_PREFIX", "jangada-nowhere-")
    module.reset()
    ran = jangada("channel", "list")
    assert ran.status == 1
    assert ran.err == (
        "jangada: a table or queue jangada-nowhere-* does not exist: check JANGADA_PREFIX, or run `terraform apply`\n"
    )


def test_the_process_itself(emulator: Any, aws: Aws) -> None:
    run = [sys.executable, "-m", "cli.main"]
    good = subprocess.run([*run, "token", "list", "--json"], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert (good.returncode, good.stdout, good.stderr) == (0, "[]\n", "")
    bad = subprocess.run([*run, "channel", "show", OTHER], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr == f"jangada: no channel {OTHER}; `jangada channel list` shows all\n"


def test_the_emulated_aws_of_make_run_is_named_by_one_variable(emulator: Any, aws: Aws) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "JANGADA_"))}
    bare["JANGADA_LOCAL"] = emulator.endpoint
    aws.platform("main", "https://rapidpro.example.org")
    ran = subprocess.run(
        [sys.executable, "-m", "cli.main", "platform", "list"], cwd=ROOT, env=bare, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "rapidpro.example.org" in ran.stdout


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    shell = f"{sys.executable} -m cli.main types EX | head -1"
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", shell], cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "EX: External API\n", "")


@pytest.mark.parametrize("command", ["--help", "segments x", "aggregator --help", "why --help"])
def test_small_commands_load_no_aws_client(command: str) -> None:
    code = (
        "import sys; from cli.main import main\n"
        f"try: main({command.split()!r})\nexcept SystemExit: pass\n"
        "print([m for m in ('botocore', 'requests', 'phonenumbers', 'pydantic') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_what_a_phone_sends_does_not_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("text",), [("\x1b[2Jgone\x07",), ("Ólá ☀",)])
    assert capsys.readouterr().out == "TEXT\n\\x1b[2Jgone\\x07\nÓlá ☀\n"


# --- channels -------------------------------------------------------------------------------------------------------

ADD = ["channel", "add", OTHER, "--aggregator", "at-ug", "--address", "9090", "--workspace", "w", "--platform", "main"]


@pytest.fixture
def at_ug(aws: Aws) -> Aws:
    aws.platform("main", "https://rapidpro.example.org")
    aws.aggregator("at-ug", "AT", config={"username": "ilha"}, secrets={"api_key": "k-1", "secret": "hunter2"})
    aws.channel(aggregator="at-ug", type="AT", id=346)
    return aws


def test_add_and_change_a_channel(at_ug: Aws, jangada: Jangada) -> None:
    ran = jangada(*ADD, "--id", "7", "--country", "UG", "--config", "max_tps=5", "--config", "is_shared=true")
    assert (ran.status, ran.out) == (0, f"channel {OTHER} (9090) is on at-ug\n")
    found = registry.channel_for(7)
    assert (found.uuid, found.country, found.config) == (OTHER, "UG", {"max_tps": 5, "is_shared": True})
    jangada("channel", "disable", OTHER)
    ran = jangada(*ADD, "--address", "9191")
    assert ran.out == f"channel {OTHER} (9191) is on at-ug, disabled\n"
    assert registry.channel(OTHER).created_at == found.created_at


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param(
            ["--address", "8080"], f"address 8080 on at-ug belongs to channel {CHANNEL} already", id="address"
        ),
        pytest.param(["--id", "346"], f"id 346 belongs to channel {CHANNEL} already", id="id"),
        pytest.param(["--aggregator", "at-gu"], "no aggregator at-gu; did you mean at-ug?", id="aggregator"),
        pytest.param(["--platform", "mane"], "no platform mane; did you mean main?", id="platform"),
        pytest.param(["--config", "max_tsp=5"], "config.max_tsp: unknown key; did you mean max_tps?", id="config key"),
        pytest.param(["--config", "api_key=k"], "config.api_key: is a secret: it goes into the", id="secret"),
        pytest.param(["--config", "max_tps"], "--config max_tps: write KEY=VALUE", id="no value"),
        pytest.param(["--country", "Uganda"], "country: must be the two capital letters", id="country"),
        pytest.param(["--id", "x"], "id: Input should be a valid integer", id="id that is none"),
    ],
)
def test_a_channel_that_cannot_be_added(at_ug: Aws, jangada: Jangada, more: list[str], message: str) -> None:
    ran = jangada(*ADD, *more)
    assert ran.status == 1
    assert message in ran.err
    with pytest.raises(registry.UnknownChannel):
        registry.channel(OTHER)


def test_list_show_disable_enable(at_ug: Aws, jangada: Jangada) -> None:
    jangada(*ADD)
    assert len(jangada("channel", "list").out.splitlines()) == 3
    found = json.loads(jangada("channel", "list", "--workspace", "unicef", "--json").out)
    assert [one["uuid"] for one in found] == [CHANNEL]
    assert jangada("channel", "list", "--aggregator", "none").out.startswith("no channels")
    assert "is disabled" in jangada("channel", "disable", "346").out
    assert "enabled          no" in jangada("channel", "show", CHANNEL.upper()).out
    assert jangada("channel", "enable", "346").out == f"channel {CHANNEL} (8080) is enabled\n"
    shown = json.loads(jangada("channel", "show", "346", "--json").out)
    assert (shown["merged_config"], shown["secrets"]) == ({"username": "ilha"}, ["api_key", "secret"])
    assert jangada("channel", "show", "347").err == (
        "jangada: no channel with id 347; `jangada channel list` shows all\n"
    )


def test_urls_name_the_token_without_showing_it(at_ug: Aws, jangada: Jangada) -> None:
    ran = jangada("channel", "url", "346")
    assert [line.split()[-1] for line in ran.out.splitlines()[1:]] == [
        *(f"https://sms.example.org/c/at/{CHANNEL}/{action}?token=SECRET"
          for action in ("receive", "callback", "status", "delivery")),
        f"https://sms.example.org/send/{CHANNEL}",
    ]  # fmt: skip
    assert ran.err == "put the value of the config key `secret` where SECRET stands\n"
    assert "hunter2" not in ran.out + ran.err


def test_urls_without_a_token_and_on_another_domain(aws: Aws, jangada: Jangada) -> None:
    aws.aggregator("fast", config={"send_url": "https://a.example", "callback_domain": "sms.ilha.example"})
    aws.channel()
    rows = json.loads(jangada("channel", "url", CHANNEL, "--json").out)
    assert rows[0] == {
        "for": "aggregator: receive", "methods": ["POST", "GET"],
        "url": f"https://sms.ilha.example/c/ex/{CHANNEL}/receive",
    }  # fmt: skip


def test_an_smsc_calls_nobody(aws: Aws, jangada: Jangada) -> None:
    aws.aggregator("mtn", "SMPP")
    aws.channel(aggregator="mtn", type="SMPP")
    ran = jangada("channel", "url", CHANNEL)
    assert f"https://sms.example.org/send/{CHANNEL}" in ran.out
    assert "an SMSC calls nobody" in ran.out


# --- platforms and tokens -------------------------------------------------------------------------------------------


def test_platforms_and_their_credentials(at_ug: Aws, jangada: Jangada) -> None:
    assert jangada("platform", "list").out.splitlines()[1].split() == [
        "main", "https://rapidpro.example.org", "none", "5", "no"]  # fmt: skip
    ran = jangada("platform", "credential", "main", stdin="Token t-1\n")
    assert ran.out == "the credential of main is stored for https://rapidpro.example.org, and goes to no other place\n"
    assert json.loads(jangada("platform", "list", "--json").out)[0]["credential"] == "given"
    assert "channels      1" in jangada("platform", "show", "main").out
    jangada("platform", "credential", "main", "--base-url", "https://new.example.org", stdin="Token t-2")
    assert registry.platform("main").base_url == "https://new.example.org"
    assert registry.platform_credential("main") == "Token t-2"
    registry_store.put_platform(registry.platform("main").model_copy(update={"base_url": "https://x.example"}))
    assert json.loads(jangada("platform", "show", "main", "--json").out)["credential"] == "for another base URL"
    assert jangada("platform", "credential", "main", "--drop").out == "platform main has no credential any more\n"
    assert registry.platform_credential("main") == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["mane"], "no platform mane; did you mean main?", id="unknown"),
        pytest.param(["main", "--base-url", "new.example"], "--base-url must be an absolute URL", id="no URL"),
        pytest.param(["main", "--drop", "--base-url", "https://x.example"], "--drop goes alone", id="drop and more"),
    ],
)
def test_credentials_that_cannot_be_given(at_ug: Aws, jangada: Jangada, arguments: list[str], message: str) -> None:
    ran = jangada("platform", "credential", *arguments, stdin="Token t")
    assert (ran.status, ran.err.removeprefix("jangada: ")[: len(message)]) == (1, message)
    assert not registry.platform("main").secret


def test_a_credential_that_would_end_the_header(at_ug: Aws, jangada: Jangada) -> None:
    ran = jangada("platform", "credential", "main", stdin="Token t\r\nX-Evil: 1")
    assert "printable ASCII" in ran.err
    assert "Evil" not in ran.err


def test_tokens(at_ug: Aws, jangada: Jangada) -> None:
    ran = jangada("token", "new", "unicef", "--label", "rapidpro")
    plain = ran.out.strip()
    assert plain.startswith("jgd_")
    assert "cannot be shown again" in ran.err
    assert "no channel has the workspace nobody" in jangada("token", "new", "nobody").err
    listed = json.loads(jangada("token", "list", "--workspace", "unicef", "--json").out)
    assert [(one["workspace"], one["label"], one["revoked"]) for one in listed] == [("unicef", "rapidpro", False)]
    assert plain not in json.dumps(listed) + jangada("token", "list").out
    assert registry.token(plain)
    assert jangada("token", "revoke", listed[0]["hash"][:12]).status == 0
    assert jangada("token", "revoke", listed[0]["hash"]).status == 0
    assert registry.token(plain) is None
    assert "revoked" in jangada("token", "list").out


@pytest.mark.parametrize(
    ("name", "message"),
    [pytest.param("abc", "at least six characters", id="short"),
     pytest.param("0" * 12, "no tokens begin with 000000000000", id="unknown")],
)  # fmt: skip
def test_a_token_that_cannot_be_revoked(jangada: Jangada, name: str, message: str) -> None:
    ran = jangada("token", "revoke", name)
    assert ran.status == 1
    assert message in ran.err


# --- lanes ----------------------------------------------------------------------------------------------------------


def cells(out: str) -> dict[str, list[str]]:
    """Queue -> the columns after it."""
    return {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}


def test_lanes_with_their_depth_and_pauses(aws: Aws, jangada: Jangada) -> None:
    aws.aggregator("fast", lane="own")
    aws.aggregator("at-ug", "AT")
    for number in range(3):
        aws.put_raw("lane-fast.fifo", "{}", group=str(number))
    aws.receive("lane-fast.fifo", most=1)
    pauses.pause_lane("at-ug", "no balance", now_ms())
    ran = jangada("lane", "list")
    assert ran.status == 0
    found = cells(ran.out)
    assert found["lane-fast.fifo"] == ["2", "1", "-", "no"]
    assert found["lane-shared.fifo"][:4] == ["0", "0", "-", "at-ug"]
    assert "no balance; next probe" in ran.out
    assert set(found) == {"lane-shared.fifo", "lane-shared-bulk.fifo", "lane-fast.fifo", "lane-fast-bulk.fifo"}
    told = {row["queue"]: row for row in json.loads(jangada("lane", "list", "--json").out)}
    assert told["lane-fast.fifo"]["waiting"] == 2
    assert told["lane-shared.fifo"]["paused"][0]["reason"] == "no balance"
    assert jangada("lane", "resume", "at-ug").out.startswith("at-ug goes on; it was paused since ")
    assert pauses.lane_pause("at-ug") is None
    assert jangada("lane", "resume", "at-ug").err == "jangada: at-ug is not paused; paused: none\n"


def test_all_queues_and_those_that_are_not_there(aws: Aws, jangada: Jangada) -> None:
    aws.aggregator("gone", lane="own")
    aws.platform("main")
    ran = jangada("lane", "list", "--all")
    assert list(cells(ran.out)) == [
        "outbound.fifo", "outbound-bulk.fifo", "lane-shared.fifo", "lane-shared-bulk.fifo", "lane-gone.fifo",
        "lane-gone-bulk.fifo", "later", "events.fifo", "deliver-main.fifo"]  # fmt: skip
    assert "lane-gone.fifo         -        -          -       the queue does not exist: `terraform apply`" in ran.out


def test_the_age_of_the_oldest_is_cloudwatchs(aws: Aws, jangada: Jangada) -> None:
    at = datetime.now(UTC)
    clients.cloudwatch().put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": settings().prefix + "lane-shared.fifo"}],
                "Timestamp": at - timedelta(minutes=ago),
                "Value": value,
            }
            for ago, value in ((6, 10.0), (2, 190.0))
        ],
    )
    assert lanes.oldest(["lane-shared.fifo", "later"], now_ms()) == {"lane-shared.fifo": 190_000}
    assert cells(jangada("lane", "list").out)["lane-shared.fifo"][2:4] == ["3", "m"]


# --- the rest -------------------------------------------------------------------------------------------------------


def test_unmatched_receipts(aws: Aws, jangada: Jangada) -> None:
    import app

    aws.aggregator("fast")
    aws.channel()
    assert jangada("unmatched", "fast").out == "every receipt has found its message\n"
    update = StatusUpdate(
        channel=CHANNEL, status=Status.FAILED, external_id="x-1", code="21", destination="250788123123"
    )
    event = ReceiptEvent(event_id="e-1", update=update, aggregator="fast")
    queues.send(queues.EVENTS, queues.event_entry(event))
    aws.run(queues.EVENTS, app.record)
    ran = jangada("unmatched", "fast")
    assert ran.out.splitlines()[1].split()[:4] == ["x-1", "failed", "21", "250788****23"]
    assert json.loads(jangada("unmatched", "fast", "--json").out)[0]["external_id"] == "x-1"
    assert jangada("unmatched", "slow").err == "jangada: no aggregator slow\n"


def test_receipts_without_an_id_are_listed_one_by_one(aws: Aws, jangada: Jangada) -> None:
    import app

    aws.aggregator("fast")
    for number, stat in enumerate(("UNDELIV", "A sentence about what has become of it")):
        update = StatusUpdate(
            channel="", status=Status.FAILED, external_id=f"(no id) e-{number}", code="21", reason=stat,
            destination="+250788123123",
        )  # fmt: skip
        event = ReceiptEvent(event_id=f"e-{number}", update=update, aggregator="fast")
        queues.send(queues.EVENTS, queues.event_entry(event))
    aws.drain(queues.EVENTS, app.record)
    listed = sorted(json.loads(jangada("unmatched", "fast", "--json").out), key=lambda one: one["external_id"])
    assert [(one["external_id"], one["reason"]) for one in listed] == [
        ("(no id) e-0", "UNDELIV"),
        ("(no id) e-1", "A sentence about what has become of it"),
    ]
    table = jangada("unmatched", "fast").out
    assert "failed (UNDELIV)  " in table
    assert "failed (A sentence about what ha)  " in table
    assert table.count("+25078*****23") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("hello", {"encoding": "gsm7", "segments": 1, "units": 5}, id="GSM 7-bit"),
        pytest.param("a" * 161, {"segments": 2, "units_of_segments": [153, 8]}, id="two segments"),
        pytest.param("€[x]", {"encoding": "gsm7", "units": 7, "costs_two": ["€ U+20AC", "[ U+005B", "] U+005D"]},
                     id="extension"),
        pytest.param("Olá 😀", {"encoding": "ucs2", "units": 6, "forces_ucs2": ["á U+00E1", "😀 U+1F600"],
                                "costs_two": ["😀 U+1F600"]}, id="UCS-2"),
        pytest.param("It’s", {"encoding": "ucs2", "as_gsm7": "It's", "segments_as_gsm7": 1}, id="look-alikes"),
        pytest.param("a\u200bb", {"forces_ucs2": ["U+200B"]}, id="nothing to see"),
        pytest.param("☀" * 71, {"segments": 2, "units_of_segments": [67, 4]}, id="two UCS-2 segments"),
    ],
)  # fmt: skip
def test_segments(cli: Jangada, text: str, expected: dict[str, Any]) -> None:
    found = json.loads(cli("segments", text, "--json").out)
    assert {key: found[key] for key in expected} == expected
    assert json.loads(cli("segments", "-", "--json", stdin=text + "\n").out) == found
    assert cli("segments", text).status == 0


def test_types(cli: Jangada) -> None:
    listed = {one["code"]: one["served_by"] for one in json.loads(cli("types", "--json").out)}
    assert (listed["AT"], listed["SMPP"]) == ("Lambda", "the relay")
    keys = {one["key"]: one for one in json.loads(cli("types", "at", "--json").out)}
    assert keys["api_key"] == {"key": "api_key", "kind": "text", "required": True, "default": None, "secret": True,
                               "about": "the account's API key"}  # fmt: skip
    assert list(keys)[:2] == ["username", "api_key"]
    assert keys["in_doubt"]["kind"] == "one of resend, fail, ask"
    assert cli("types", "ATT").err == "jangada: no type ATT; did you mean AT?\n"


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_http_type_explains_its_keys(cli: Jangada, code: str) -> None:
    ran = cli("types", code)
    assert ran.status == 0
    assert " anything " not in ran.out
