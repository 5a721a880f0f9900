"""`jangada channel import`: RapidPro's channels of every type, and everything that can be wrong with an export."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib import aws as clients
from chalicelib import channels, registry, registry_store
from chalicelib.settings import settings
from cli import importing
from tests.channels.support import sample
from tests.cli.conftest import Jangada
from tests.support import Aws

File = Callable[[str, str], str]
WHERE = ("--workspace", "unicef", "--platform", "main")
A, B, C = (f"6f1d2c3b-9a44-4e0b-8c55-00000000000{n}" for n in (1, 2, 3))
AT = {"username": "acme", "api_key": "hunter2-secret"}


@pytest.fixture(autouse=True)
def deployment(aws: Aws) -> None:
    aws.platform()


def row(number: int, code: str, config: Any, address: str = "", **more: Any) -> dict[str, Any]:
    named = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"channel {number}"))
    return {"uuid": named, "type": code, "address": address or f"{8000 + number}", "country": "UG", "config": config,
            **more}  # fmt: skip


def as_csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    for one in rows:
        given = one["config"]
        writer.writerow({**one, "config": given if isinstance(given, str) else json.dumps(given)})
    return out.getvalue()


def everything() -> dict[str, str]:
    """What the registry and SSM hold, but for when."""
    items = clients.dynamodb().scan(TableName=settings().table("registry"))["Items"]
    found = {item["pk"]["S"]: item["data"]["S"] for item in items}
    registry.reset()
    for one in registry.aggregators():
        found[f"ssm {one.name}"] = json.dumps(registry_store.read_secret("aggregators", one.name))
    return found


# --- every type -----------------------------------------------------------------------------------------------------


def all_types() -> list[dict[str, Any]]:
    return [row(number, code, sample(code).config) for number, code in enumerate(sorted(channels.CODES))]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_channels_of_every_type_come_over_as_they_are_and_twice_is_once(
    jangada: Jangada, file: File, form: str
) -> None:
    rows = all_types()
    text = as_csv(rows) if form == "csv" else json.dumps(rows, indent=1)
    name = file(f"channels.{form}", text)
    before = everything()
    ran = jangada("channel", "import", name, *WHERE, "--dry-run")
    assert ran.status == 0, ran.err
    assert "nothing has been written (--dry-run)" in ran.out
    assert everything() == before
    printed = ran.out + ran.err
    ran = jangada("channel", "import", name, *WHERE)
    assert ran.status == 0, ran.err
    printed += ran.out + ran.err
    registry.reset()
    for one in rows:
        channel = registry.channel(one["uuid"])
        kind = channels.load(one["type"])
        made = channels.make(channel, registry.settings_of(channel), "https://x.example.org")
        assert made.config == kind.Config.read({**one["config"]}), one["type"]
        assert (channel.address, channel.country, channel.workspace) == (one["address"], "UG", "unicef")
        account = registry.aggregator(channel.aggregator)
        for value in made.config.secrets():
            assert value not in json.dumps([account.config, channel.config]), f"{one['type']}: in clear"
            assert len(value) < 4 or value not in printed, f"{one['type']}: printed"
    after = everything()
    ran = jangada("channel", "import", name, *WHERE)
    assert ran.status == 0, ran.err
    assert ran.out.count("here already") == len(rows)
    assert everything() == after


# --- accounts -------------------------------------------------------------------------------------------------------


def test_channels_of_one_login_share_an_aggregator_and_keep_what_is_their_own(jangada: Jangada, file: File) -> None:
    rows = [
        row(1, "AT", {**AT, "is_shared": True}),
        row(2, "AT", AT),
        row(3, "AT", {**AT, "api_key": "another-secret"}),
    ]
    assert jangada("channel", "import", file("c.json", json.dumps(rows)), *WHERE).status == 0
    registry.reset()
    one, two, three = (registry.channel(each["uuid"]) for each in rows)
    assert one.aggregator == two.aggregator != three.aggregator
    assert (one.config, two.config) == ({"is_shared": True}, {})
    assert registry.aggregator(one.aggregator).config == {"username": "acme"}
    more = [row(4, "AT", AT)]
    assert jangada("channel", "import", file("d.json", json.dumps(more)), *WHERE).status == 0
    registry.reset()
    assert registry.channel(more[0]["uuid"]).aggregator == one.aggregator, "a registered account is found again"


def test_accounts_without_a_secret_are_told_apart_by_their_config(jangada: Jangada, file: File) -> None:
    rows = [row(n, "EX", {"send_url": f"https://{n % 2}.example.org", "method": "POST"}) for n in range(3)]
    assert jangada("channel", "import", file("c.json", json.dumps(rows)), *WHERE).status == 0
    registry.reset()
    names = [registry.channel(one["uuid"]).aggregator for one in rows]
    assert names[0] == names[2] != names[1]


def test_a_credential_where_the_type_knows_none_is_kept_as_a_secret(jangada: Jangada, file: File) -> None:
    config = {"send_url": "https://x.example.org/?password=hunter2-secret&to={{to}}", "method": "GET"}
    assert jangada("channel", "import", file("c.json", json.dumps([row(1, "EX", config)])), *WHERE).status == 0
    registry.reset()
    (account,) = registry.aggregators()
    assert account.secrets == ("send_url",)
    assert registry_store.read_secret("aggregators", account.name)["send_url"] == config["send_url"]


# --- what does not carry over ---------------------------------------------------------------------------------------


def test_what_does_not_carry_over_is_said_and_the_rest_comes(jangada: Jangada, file: File) -> None:
    config = {**AT, "callback_domain": "rapidpro.example.org", "machine_detection": True, "is_shared": None}
    rows = [row(1, "AT", config), row(2, "WAC", {"wa_pin": "hunter2-secret"}), row(3, "SMPP", {})]
    name = file("c.csv", as_csv(rows))
    ran = jangada("channel", "import", name, *WHERE, "--dry-run")
    assert ran.status == 0, ran.err
    for said in (
        "c.csv:2: does not carry over: config.callback_domain: the aggregator calls this deployment from now on",
        "c.csv:2: does not carry over: config.machine_detection: AT has no such key here",
        "c.csv:2: does not carry over: config.is_shared: is empty",
        "c.csv:3: does not carry over: type WAC is not served here",
        "c.csv:4: does not carry over: SMPP: an SMSC is brought with a file",
    ):
        assert said in ran.out
    assert "hunter2" not in ran.out + ran.err
    assert jangada("channel", "import", name, *WHERE).status == 0
    registry.reset()
    assert [one.type for one in registry.channels()] == ["AT"]


# --- what is wrong --------------------------------------------------------------------------------------------------

GOOD = {"uuid": A, "type": "AT", "address": "8080", "country": "UG", "config": AT}
BAD = [
    pytest.param({"uuid": "x"}, "uuid: ", id="uuid"),
    pytest.param({"uuid": ""}, "uuid: ", id="no-uuid"),
    pytest.param({"uuid": A}, "uuid: is that of line 2 already", id="uuid-twice"),
    pytest.param({"type": ""}, "type: is missing", id="no-type"),
    pytest.param({"address": ""}, "address: ", id="no-address"),
    pytest.param({"address": "8080"}, "address: address 8080 on at-6f1d2c3b belongs to line 2 already", id="address"),
    pytest.param({"country": "Uganda"}, "country: must be the two capital letters", id="country"),
    pytest.param({"config": "{"}, "config: is not JSON", id="config-not-json"),
    pytest.param({"config": "[1]"}, "config: must be a JSON object", id="config-no-object"),
    pytest.param({"config": {"username": "acme"}}, "config.api_key: required key is missing", id="no-secret"),
    pytest.param({"config": {**AT, "username": ""}}, "config.username: ", id="empty"),
    pytest.param({"config": {**AT, "is_shared": "hunter2"}}, "config.is_shared: ", id="no-flag"),
    pytest.param({"config": {**AT, "api_key": {"hunter2": 1}}}, "config.api_key", id="no-text"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), BAD)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_one_bad_row_and_nothing_is_written(
    jangada: Jangada, file: File, change: dict[str, Any], says: str, form: str
) -> None:
    rows = [GOOD, {**GOOD, "uuid": B, "address": "9090", **change}]
    text = as_csv(rows) if form == "csv" else "[" + ",\n".join([json.dumps(GOOD), *map(json.dumps, rows[1:])]) + "]"
    name = file(f"c.{form}", text if form == "csv" else "\n" + text)
    before = everything()
    ran = jangada("channel", "import", name, *WHERE)
    assert ran.status == 1
    assert f"c.{form}:3: {says}" in ran.err
    assert "1 of 2 channels cannot be brought: nothing has been written" in ran.err
    assert "hunter2" not in ran.out + ran.err
    assert everything() == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "c: no channels in it", id="empty"),
        pytest.param("uuid,type,address\n", "c:1: no column config", id="no-column"),
        pytest.param("uuid,type,address,config\n", "c: no channels in it", id="only-heads"),
        pytest.param('uuid,type,address,config\n"x', "c:2: not CSV: ", id="open-quote"),
        pytest.param(f"uuid,type,address,config\n{A},AT,1,{{,}}\n", "c:2: 5 cells, 4 columns", id="not-quoted"),
        pytest.param('{"uuid": 1}', "c:1: must be an array", id="json-object"),
        pytest.param('[\n{"uuid": }]', "c:2: not JSON", id="bad-json"),
        pytest.param("[[]]", "c:1: is no object", id="no-objects"),
        pytest.param("[" * 100_000, "c: nested too deeply", id="deep"),
    ],
)
def test_a_file_that_is_no_export(jangada: Jangada, file: File, text: str, says: str) -> None:
    ran = jangada("channel", "import", file("c", text), *WHERE)
    assert (ran.status, says in ran.err) == (1, True), ran.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(("--workspace", "u", "--platform", "mian"), "no platform mian; did you mean main?", id="platform"),
        pytest.param(WHERE, "nothing.csv: No such file", id="file"),
    ],
)
def test_what_the_command_cannot_do(jangada: Jangada, options: tuple[str, ...], says: str) -> None:
    ran = jangada("channel", "import", "nothing.csv", *options)
    assert (ran.status, says in ran.err) == (1, True)


def test_a_registered_channel_is_left_as_it_is_unless_it_is_another(jangada: Jangada, file: File, aws: Aws) -> None:
    aws.aggregator("mine", "AT", config={"username": "x"})
    aws.channel(A, aggregator="mine", type="AT", address="8080")
    aws.channel(B, aggregator="mine", type="AT", address="9090")
    rows = [GOOD, {**GOOD, "uuid": B, "type": "EX", "config": {"send_url": "https://x.example.org"}}]
    ran = jangada("channel", "import", file("c.csv", as_csv(rows)), *WHERE)
    assert "c.csv:3: uuid: is registered with type AT already, on mine" in ran.err
    assert jangada("channel", "import", file("c.csv", as_csv(rows[:1])), *WHERE).status == 0
    registry.reset()
    assert registry.channel(A).aggregator == "mine"


@pytest.mark.parametrize("broken", ["put_secret", "put_aggregator", "change_channel"])
@pytest.mark.parametrize("nth", [1, 2])
def test_what_fails_half_way_leaves_nothing(
    jangada: Jangada, file: File, monkeypatch: pytest.MonkeyPatch, broken: str, nth: int
) -> None:
    rows = [row(1, "AT", AT), row(2, "AT", {**AT, "api_key": "another-secret"}), row(3, "AT", AT)]
    name = file("c.json", json.dumps(rows))
    before, parameters = everything(), secrets_kept()
    calls, real = [0], getattr(registry_store, broken)

    def failing(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        answer = real(*arguments, **options)
        if calls[0] == nth:
            raise ConnectionError("AWS is away")  # after it was written: the worst moment
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(registry_store, broken, failing)
        ran = jangada("channel", "import", name, *WHERE)
    assert (ran.status, "AWS is away" in ran.err) == (1, True)
    assert (everything(), secrets_kept()) == (before, parameters)
    assert jangada("channel", "import", name, *WHERE).status == 0
    registry.reset()
    assert len(registry.channels()) == 3


def secrets_kept() -> list[str]:
    """Of the aggregators that these rows would get."""
    names = [f"at-{row(number, 'AT', AT)['uuid'][:8]}" for number in (1, 2, 3)]
    return [name for name in names if registry_store.read_secret("aggregators", name)]


def test_rows_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text('uuid,type,address,config\n1,AT,x,"{\n}"\n\n2,AT,x,{}\n')
    assert [(one.line, one.uuid) for one in importing.read(str(path))] == [(2, "1"), (5, "2")]


def test_the_page_on_migrating_is_true(jangada: Jangada, file: File) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "migrating.md").read_text()
    (export,) = re.findall(r"^```csv\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    file("channels.csv", export)
    commands = re.findall(r"^ *\$ jangada (.*)$", page, re.MULTILINE)
    assert len(commands) == 4
    printed = ""
    for command in commands:
        ran = jangada(*shlex.split(command))
        assert ran.status == 0, ran.err
        printed += ran.out + ran.err
    for said in ("config.callback_domain", "type WAC is not served here", "at-0d5c9a3e", "/send/0d5c9a3e"):
        assert said in printed
    assert "hunter2" not in printed
