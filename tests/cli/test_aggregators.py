"""Files -> registry: checked as a whole, written in an order that a crash does not hurt, secrets kept apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import registry, registry_store
from chalicelib.settings import settings
from cli import applying
from cli.aggregator_files import FileError, load
from tests.cli.conftest import Jangada
from tests.support import Aws

A, B, C = (f"{digit * 8}-9168-4dd9-a03e-77f11b265b56" for digit in "abc")
File = Callable[[str, str], str]


def channel(uuid: str, address: str, **fields: Any) -> str:
    entry = {"uuid": uuid, "address": address, "country": "UG", "workspace": "unicef", "platform": "main", **fields}
    return f"  - {json.dumps(entry)}\n"


def aggregator(*channels: str, name: str = "at-ug", config: str = "{username: ilha, api_key: !secret }") -> str:
    return f"name: {name}\ntype: AT\nconfig: {config}\nchannels:\n{''.join(channels)}" if channels else (
        f"name: {name}\ntype: AT\nconfig: {config}\n")  # fmt: skip


MAIN = 'platforms:\n  main: {base_url: "https://rapidpro.example.org", credential: !secret }\n'
TWO = aggregator(channel(A, "8080", id=346), channel(B, "9090")) + MAIN


def rows() -> dict[str, str]:
    """All of the registry, as it is stored."""
    found = clients.dynamodb().scan(TableName=settings().table("registry"), ConsistentRead=True)["Items"]
    return {item["pk"]["S"]: item["data"]["S"] for item in found}


def actions(out: str) -> dict[str, str]:
    """NAME -> what happened to it, from the table that apply prints."""
    return {cells[1]: cells[2] for cells in map(str.split, out.splitlines()[1:]) if len(cells) > 2 and cells[0] != "to"}


# --- apply ----------------------------------------------------------------------------------------------------------


def test_apply_writes_platform_aggregator_and_channels(jangada: Jangada, file: File) -> None:
    ran = jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    assert (ran.status, ran.err) == (0, "")
    assert actions(ran.out) == {"main": "new", "at-ug": "new", A: "new", B: "new"}
    assert "to do: give the secret api_key: `jangada aggregator secret at-ug api_key`" in ran.out
    assert "to do: give the credential of platform main: `jangada platform credential main`" in ran.out
    assert registry.channel_for(346).address == "8080"
    assert registry.channel_at("at-ug", "9090").uuid == B
    account = registry.aggregator("at-ug")
    assert (account.type, account.config, account.secrets) == ("AT", {"username": "ilha"}, ("api_key",))


def test_applying_again_changes_nothing(jangada: Jangada, file: File) -> None:
    name = file("at-ug.yaml", TWO)
    jangada("aggregator", "apply", name)
    before = rows()
    ran = jangada("aggregator", "apply", name)
    assert set(actions(ran.out).values()) == {"same"}
    assert rows() == before


def test_reapplying_keeps_what_the_file_does_not_say(jangada: Jangada, file: File) -> None:
    jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    jangada("aggregator", "secret", "at-ug", "api_key", stdin="k-1")
    jangada("platform", "credential", "main", stdin="Token t-1")
    jangada("channel", "disable", A)
    created = registry.channel(A).created_at
    ran = jangada("aggregator", "apply", file("at-ug.yaml", TWO.replace("ilha", "other").replace('"8080"', '"7070"')))
    assert actions(ran.out) == {"main": "same", "at-ug": "changed", A: "changed", B: "same"}
    assert "config.username" in ran.out
    assert f"address 8080 -> 7070; disabled: `jangada channel enable {A}`" in ran.out
    assert "to do" not in ran.out
    now = registry.channel(A)
    assert (now.address, now.enabled, now.created_at) == ("7070", False, created)
    assert registry.settings_of(now) == {"username": "other", "api_key": "k-1"}
    assert registry.platform_credential("main") == "Token t-1"


def test_a_dry_run_writes_nothing(jangada: Jangada, file: File) -> None:
    ran = jangada("aggregator", "apply", "--dry-run", file("at-ug.yaml", TWO))
    assert actions(ran.out)["at-ug"] == "new"
    assert "nothing has been written" in ran.out
    assert rows() == {}


def test_channels_that_left_the_file_stay_or_are_disabled(jangada: Jangada, file: File) -> None:
    jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    name = file("at-ug.yaml", aggregator(channel(A, "8080", id=346)))
    ran = jangada("aggregator", "apply", name)
    assert actions(ran.out)[B] == "left"
    assert "apply with --prune" in ran.out
    assert registry.channel(B).enabled
    ran = jangada("aggregator", "apply", "--prune", name)
    assert actions(ran.out)[B] == "disabled"
    assert not registry.channel(B).enabled
    ran = jangada("aggregator", "apply", name)
    assert "not in the file, disabled" in ran.out
    assert "--prune" not in ran.out


def test_a_pruned_channels_address_can_be_taken_in_the_same_run(jangada: Jangada, file: File) -> None:
    jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    name = file("at-ug.yaml", aggregator(channel(A, "8080", id=346), channel(C, "9090")))
    assert jangada("aggregator", "apply", name).status == 1
    assert jangada("aggregator", "apply", "--prune", name).status == 0
    assert registry.channel_at("at-ug", "9090").uuid == C


def test_two_channels_swap_their_numbers(jangada: Jangada, file: File) -> None:
    jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    swapped = aggregator(channel(A, "9090"), channel(B, "8080", id=346)) + MAIN
    assert jangada("aggregator", "apply", file("at-ug.yaml", swapped)).status == 0
    assert registry.channel_at("at-ug", "9090").uuid == A
    assert registry.channel_at("at-ug", "8080").uuid == B
    assert registry.channel_for(346).uuid == B


def test_a_channel_moves_to_another_aggregator(jangada: Jangada, file: File) -> None:
    jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    name = file("at-ke.yaml", aggregator(channel(A, "8080", id=346), name="at-ke"))
    assert "aggregator at-ug -> at-ke" in jangada("aggregator", "apply", name).out
    assert registry.channel_at("at-ke", "8080").uuid == A
    assert registry.channel_at("at-ug", "8080").uuid == A  # what phones still send there finds it


def test_every_conflict_is_named_and_nothing_is_written(jangada: Jangada, file: File) -> None:
    jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    jangada("platform", "credential", "main", stdin="Token t-1")
    before = rows()
    more = [
        channel(C, "9090"),
        channel(A.replace("a", "d"), "1", id=346),
        channel(A.replace("a", "e"), "2", platform="m"),
    ]
    clash = file("clash.yaml", aggregator(*more) + MAIN.replace("rapidpro", "elsewhere"))
    again = file("again.yaml", aggregator(channel(C, "3"), name="at-ke"))
    ran = jangada("aggregator", "apply", clash, again)
    assert ran.status == 1
    assert ran.err.removeprefix("jangada: ").splitlines() == [
        f"again.yaml:5: channels.0.uuid: channel {C} is in clash.yaml:5 too: keep it in one file",
        f"clash.yaml:5: channels.0.address: address 9090 on at-ug belongs to channel {B}: "
        f"`jangada channel disable {B}` first, or give this one another",
        f"clash.yaml:6: channels.1.id: id 346 belongs to channel {A}: "
        f"`jangada channel disable {A}` first, or give this one another",
        "clash.yaml:7: channels.2.platform: no platform m: add it under `platforms:`, or apply its file",
        "clash.yaml:9: platforms.main.base_url: the credential of main is bound to https://rapidpro.example.org: give "
        "it anew with `jangada platform credential main --base-url https://elsewhere.example.org`, then apply again",
    ]
    assert rows() == before


def test_a_file_that_is_wrong_stops_all(jangada: Jangada, file: File) -> None:
    ran = jangada("aggregator", "apply", file("at-ug.yaml", TWO), file("bad.yaml", "name: x\n"))
    assert ran.status == 1
    assert "bad.yaml:1: type: required key is missing" in ran.err
    assert rows() == {}


@pytest.mark.parametrize(
    ("text", "queue"),
    [
        pytest.param("name: slow\ntype: AT\nlane: own\nconfig: {username: u, api_key: !secret }\n", "lane-slow.fifo",
                     id="own lane"),
        pytest.param('platforms:\n  third: {base_url: "https://x.example"}\n', "deliver-third.fifo", id="platform"),
    ],
)  # fmt: skip
def test_what_has_no_queue_yet_is_not_applied(jangada: Jangada, file: File, text: str, queue: str) -> None:
    ran = jangada("aggregator", "apply", file("f.yaml", text))
    assert ran.status == 1
    assert f"queue {queue} does not exist: `terraform apply` makes it" in ran.err
    assert rows() == {}


def test_another_type_leaves_no_channel_behind(jangada: Jangada, file: File) -> None:
    jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    infobip = "name: at-ug\ntype: IB\nconfig: {username: u, password: !secret }\n"
    ran = jangada("aggregator", "apply", file("at-ug.yaml", infobip))
    assert "at-ug.yaml:2: type: AT becomes IB, but 2 of its channels are not in the file" in ran.err
    assert jangada("aggregator", "apply", "--prune", "at-ug.yaml").status == 0


def test_a_crash_at_any_step_leaves_a_registry_that_works_and_is_finished_by_the_next_run(aws: Aws) -> None:
    """Each channel in the registry has its aggregator and platform; what was there before goes on."""
    swapped = aggregator(channel(A, "9090"), channel(B, "8080", id=346), channel(C, "1"))
    swapped += (
        'platforms:\n  main: {base_url: "https://rapidpro.example.org"}\n  other: {base_url: "https://o.example"}\n'
    )
    first, then = load(TWO, "f.yaml"), load(swapped, "f.yaml")
    steps = len(applying.plan([then]).steps)
    for start in ([], [first]):
        for crash_after in range(steps + 1):
            for pk in rows():
                clients.dynamodb().delete_item(
                    TableName=settings().table("registry"), Key={"pk": {"S": pk}, "sk": {"S": "-"}}
                )
            applying.apply(start)
            writes = [step.write for step in applying.plan([then]).steps if step.write]
            for write in writes[:crash_after]:
                write()
            registry.reset()
            for one in registry.channels():
                assert registry.aggregator(one.aggregator).type == one.type
                assert registry.platform(one.platform)
            assert {one.uuid for one in registry.channels()} >= ({A, B} if start else set())
            applying.apply([then])
            assert {step.action for step in applying.plan([then]).steps} == {"same"}
            found = {address: registry.channel_at("at-ug", address).uuid for address in ("9090", "8080", "1")}
            assert found == {"9090": A, "8080": B, "1": C}
            assert registry.channel_for(346).uuid == B


def test_secrets_can_be_given_with_the_files(aws: Aws) -> None:
    applying.apply([load(TWO, "f.yaml")], {"at-ug": {"api_key": "k-1"}})
    assert registry.settings_of(registry.channel(A))["api_key"] == "k-1"


def test_a_secret_that_does_not_fit_is_named_but_not_shown(aws: Aws) -> None:
    text = "name: ext\ntype: EX\nconfig: {send_url: !secret }\n"
    registry_store.put_secrets("ext", {"send_url": "hunter2"})
    with pytest.raises(FileError, match=r"config\.send_url: the secret that was given does not fit") as refusal:
        applying.plan([load(text, "f.yaml")])
    assert "hunter2" not in str(refusal.value)


def test_a_key_that_is_no_secret_any_more_is_not_handed_to_the_channel(aws: Aws) -> None:
    """What lingers in SSM from another type would be an unknown key, and stop the channel."""
    registry_store.put_secrets("at-ug", {"old_key": "x", "api_key": "k-1"})
    applying.apply([load(TWO, "f.yaml")])
    assert registry.settings_of(registry.channel(A)) == {"username": "ilha", "api_key": "k-1"}


# --- check, list, show, secret --------------------------------------------------------------------------------------


def test_check_needs_no_aws(cli: Jangada, file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "JANGADA_PREFIX", "JANGADA_QUEUE_BASE", "JANGADA_SSM_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    ran = cli("aggregator", "check", file("at-ug.yaml", TWO), file("main.yaml", MAIN))
    assert ran.status == 0
    assert ran.out.splitlines() == [
        "at-ug.yaml: ok, AT aggregator at-ug, 2 channels, secrets api_key",
        "main.yaml: ok, platforms main",
    ]
    ran = cli("aggregator", "check", file("bad.yaml", TWO.replace("username", "user_name")))
    assert (ran.status, ran.out) == (1, "")
    assert "bad.yaml:3: config.user_name: unknown key; did you mean username?" in ran.err


def test_list_and_show(jangada: Jangada, file: File) -> None:
    assert jangada("aggregator", "list").out == "no aggregators: `jangada aggregator apply FILE`\n"
    jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    assert jangada("aggregator", "list").out.splitlines()[1].split()[:5] == ["at-ug", "AT", "shared", "2", "api_key"]
    listed = json.loads(jangada("aggregator", "list", "--json").out)
    assert [(one["name"], one["channels"]) for one in listed] == [("at-ug", 2)]
    shown = jangada("aggregator", "show", "at-ug").out
    assert "secret api_key   missing" in shown
    assert A in shown
    assert json.loads(jangada("aggregator", "show", "at-ug", "--json").out)["secrets"] == {"api_key": "missing"}
    ran = jangada("aggregator", "show", "at-gu")
    assert (ran.status, ran.err) == (1, "jangada: no aggregator at-gu; did you mean at-ug?\n")


HIDDEN = "hunter2-is-secret"


@pytest.mark.parametrize("way", ["pipe", "environment"])
def test_a_secret_is_given_and_never_seen_again(
    jangada: Jangada, file: File, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    monkeypatch.setenv("AT_KEY", HIDDEN)
    monkeypatch.setenv("TOKEN", f"Token {HIDDEN}")
    piped = {"stdin": HIDDEN + "\n"} if way == "pipe" else {}
    from_env = [] if way == "pipe" else ["--from-env", "AT_KEY"]
    said = [jangada("aggregator", "secret", "at-ug", "api_key", *from_env, **piped)]
    said.append(jangada("platform", "credential", "main", "--from-env", "TOKEN"))
    assert [ran.status for ran in said] == [0, 0]
    assert registry.secrets("at-ug") == {"api_key": HIDDEN}
    assert registry.platform_credential("main") == f"Token {HIDDEN}"
    for command in ("aggregator list", "aggregator show at-ug", f"channel show {A}", "channel list", f"channel url {A}",
                    "platform list", "platform show main", "token list"):  # fmt: skip
        said += [jangada(*command.split()), jangada(*command.split(), "--json")]
    said += [jangada("aggregator", "apply", "at-ug.yaml"), jangada("lane", "list"), jangada("dlq", "list")]
    assert {ran.status for ran in said} == {0}
    assert not [ran for ran in said if HIDDEN in ran.out + ran.err]
    assert not [pk for pk, data in rows().items() if HIDDEN in data]


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        pytest.param(["at-ug", "api_key"], "", "no value for api_key of at-ug", id="nothing"),
        pytest.param(["at-ug", "api_key", "--from-env", "NO_SUCH_NAME"], "", "NO_SUCH_NAME is empty or not set",
                     id="no variable"),
        pytest.param(["at-ug", "apikey"], "x", "did you mean api_key?", id="unknown key"),
        pytest.param(["at-ke", "api_key"], "x", "no aggregator at-ke; did you mean at-ug?", id="unknown aggregator"),
    ],
)  # fmt: skip
def test_a_secret_that_cannot_be_given(
    jangada: Jangada, file: File, arguments: list[str], stdin: str, message: str
) -> None:
    jangada("aggregator", "apply", file("at-ug.yaml", TWO))
    ran = jangada("aggregator", "secret", *arguments, stdin=stdin)
    assert ran.status == 1
    assert message in ran.err
    assert registry_store.read_secret("aggregators", "at-ug") == {}


def test_a_secret_that_does_not_fit_its_key_is_refused_at_once(jangada: Jangada, file: File) -> None:
    jangada("aggregator", "apply", file("f.yaml", "name: ext\ntype: EX\nconfig: {send_url: !secret }\n"))
    ran = jangada("aggregator", "secret", "ext", "send_url", stdin=HIDDEN)
    assert ran.status == 1
    assert "send_url of ext: " in ran.err
    assert HIDDEN not in ran.err
    assert registry_store.read_secret("aggregators", "ext") == {}
