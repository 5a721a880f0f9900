"""`jangada aggregator new`: asked at a prompt or read from a file; what is in the file, in SSM and on the screen."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from chalicelib import channels, registry_store
from cli import aggregator_files, kinds, new_aggregator
from tests.channels.support import sample
from tests.cli.conftest import Jangada
from tests.support import Aws

File = Callable[[str, str], str]
UUID = "a86f686f-9168-4dd9-a03e-77f11b265b56"
ROOT = Path(__file__).resolve().parents[2]


def typed(*answers: str) -> str:
    return "".join(f"{answer}\n" for answer in answers)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_questions_of_a_type_become_a_file(jangada: Jangada, here: Path) -> None:
    answers = typed("AT", "at-ug", "ilha", "hunter2-secret", "yes", "", UUID, "20990", "UG", "unicef-uganda", "main")
    ran = jangada("aggregator", "new", stdin=answers)
    assert ran.status == 0, ran.err
    text = (here / "at-ug.yaml").read_text()
    assert text.startswith("name: at-ug\ntype: AT  # Africa's Talking\nconfig:\n  username: ilha  # ")
    file = aggregator_files.load(text, "at-ug.yaml").aggregator
    assert file is not None
    assert file.config == {"username": "ilha", "api_key": aggregator_files.SECRET, "is_shared": True}
    assert [(str(one.uuid), one.address, one.country, one.workspace, one.platform) for one in file.channels] == [
        (UUID, "20990", "UG", "unicef-uganda", "main")
    ]
    assert registry_store.read_secret("aggregators", "at-ug") == {"api_key": "hunter2-secret"}
    assert "hunter2" not in text + ran.out + ran.err
    assert f"receive: POST https://sms.example.org/c/at/{UUID}/receive\n" in ran.out
    assert "to do: `jangada aggregator apply at-ug.yaml`" in ran.out
    assert "jangada aggregator secret" not in ran.out


def test_what_was_written_can_be_applied(jangada: Jangada, aws: Aws) -> None:
    aws.platform()
    answers = typed("ilha", "hunter2-secret", "", "", UUID, "20990", "", "unicef", "main")
    assert jangada("aggregator", "new", "at-ug", "--type", "at", stdin=answers).status == 0
    ran = jangada("aggregator", "apply", "at-ug.yaml")
    assert ran.status == 0, ran.err
    assert "give the secret" not in ran.out, "it is kept already"


def test_each_answer_is_checked_at_once_and_asked_for_again(jangada: Jangada, here: Path) -> None:
    answers = typed("ATT", "AT", "At Ug", "at-ug", "", "ilha", "", "maybe", "false", "ftp://x", "", "x", UUID, "",
                    "20990", "Uganda", "UG", "", "unicef", "Main", "main")  # fmt: skip
    ran = jangada("aggregator", "new", stdin=answers)
    assert ran.status == 0, ran.err
    for said in (
        "no such type; did you mean AT?",
        "must be 1 to 40 of a-z, 0-9 and -",
        "this one is needed",
        "Input should be a valid boolean",
        "String should match pattern",
        "Input should be a valid UUID",
        "String should have at least 1 character",
        "must be the two capital letters of a country",
    ):
        assert said in ran.err, ran.err
    assert "to do: `jangada aggregator secret at-ug api_key`" in ran.out, "it was not given"
    assert yaml.load((here / "at-ug.yaml").read_text(), aggregator_files._Loader)["config"]["is_shared"] is False


def test_answers_that_end_write_nothing(jangada: Jangada, here: Path) -> None:
    ran = jangada("aggregator", "new", "at-ug", "--type", "AT", stdin=typed("ilha"))
    assert (ran.status, "no answer to: api_key" in ran.err) == (1, True)
    assert list(here.iterdir()) == []


def test_somebody_who_never_answers_well_is_not_asked_for_ever(jangada: Jangada) -> None:
    ran = jangada("aggregator", "new", "at-ug", stdin=typed(*["XX"] * 11))
    assert (ran.status, "no usable answer to: type" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["at-ug", "--type", "SMPP"], "SMPP is an SMSC", id="smsc"),
        pytest.param(["at-ug", "--type", "ATT"], "ATT: no such type; did you mean AT?", id="type"),
        pytest.param(["shared", "--type", "AT"], "shared: its queue would be another's", id="name"),
        pytest.param(["--from", "nothing.yaml"], "nothing.yaml: No such file", id="no-answers"),
        pytest.param(["--output", "there.yaml"], "there.yaml is there already", id="output"),
        pytest.param(["--from", "there.yaml"], "there.yaml is there already", id="over-itself"),
        pytest.param(["other", "--from", "there.yaml"], "there.yaml is of name there, not other", id="another-name"),
        pytest.param(["--type", "EX", "--from", "there.yaml"], "is of type AT, not EX", id="another-type"),
        pytest.param(["--from", "bad.yaml"], "bad.yaml:4: config.user: unknown key; did you mean username?", id="key"),
    ],
)
def test_what_cannot_be_done_is_said_and_no_file_is_overwritten(
    jangada: Jangada, file: File, here: Path, options: list[str], says: str
) -> None:
    good = "name: there\ntype: AT\nconfig: {username: ilha, api_key: !secret }\n"
    file("there.yaml", good)
    file("bad.yaml", "name: bad\ntype: AT\nconfig:\n  user: ilha\n  api_key: !secret\n")
    ran = jangada("aggregator", "new", *options)
    assert (ran.status, says in ran.err) == (1, True), ran.err
    assert (here / "there.yaml").read_text() == good
    assert len(list(here.iterdir())) == 2


@pytest.mark.parametrize("code", sorted(channels.CODES))
def test_a_file_of_every_type_is_written_from_answers(cli: Jangada, file: File, code: str) -> None:
    hidden = kinds.secret_keys(kinds.config_of(code))
    config = {key: "SECRET" if key in hidden else value for key, value in sample(code).config.items()}
    data = {"name": "made", "type": code, "config": config, "contacts": {"noc": "a: b"}}
    answers = yaml.safe_dump(data).replace(" SECRET\n", " !secret\n")
    text = new_aggregator.written(
        aggregator_files.load(answers, "a").aggregator.model_dump(mode="json", exclude_defaults=True)  # type: ignore[union-attr]
    )
    assert aggregator_files.load(text, "b").aggregator == aggregator_files.load(answers, "a").aggregator


def test_answers_from_a_file_ask_nothing(jangada: Jangada, file: File, here: Path) -> None:
    file("answers.yaml", "name: own\ntype: EX\nconfig: {send_url: !secret , secret: !secret }\n")
    ran = jangada("aggregator", "new", "--from", "answers.yaml")
    assert ran.status == 0, ran.err
    assert "/c/ex/UUID/receive?token=SECRET" in ran.out
    assert "to do: `jangada aggregator secret own send_url`" in ran.out
    assert "send_url: !secret" in (here / "own.yaml").read_text()


def test_a_secret_is_not_echoed(here: Path) -> None:
    """At a real terminal."""
    ours, theirs = pty.openpty()
    code = "from cli.new_aggregator import _hidden; print('got', _hidden('api_key') == 'hunter2-secret')"
    asked = subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
                             start_new_session=True)  # fmt: skip
    os.close(theirs)
    shown = b""
    while b"api_key: " not in shown:
        shown += os.read(ours, 1000)
    os.write(ours, b"hunter2-secret\n")
    while b"got" not in shown or b"\n" not in shown.partition(b"got")[2]:
        shown += os.read(ours, 1000)
    assert asked.wait(20) == 0
    os.close(ours)
    assert b"got True" in shown
    assert b"hunter2" not in shown


def test_without_aws_the_file_is_written_and_the_rest_is_said(
    cli: Jangada, monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    for name in ("JANGADA_PREFIX", "JANGADA_SSM_PREFIX", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    from chalicelib import settings

    settings.reset()
    answers = typed("ilha", "hunter2-secret", "", "", "")
    ran = cli("aggregator", "new", "at-ug", "--type", "AT", stdin=answers)
    assert ran.status == 1
    assert "the file is written, but its secrets are not kept: " in ran.err
    assert "hunter2" not in ran.out + ran.err + (here / "at-ug.yaml").read_text()


def test_a_secret_is_taken_though_another_key_is_still_wrong(
    jangada: Jangada, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with a config as a whole, as a password without its user name, names no key."""
    aws.aggregator("ib", "IB", secrets={"password": "old-secret"})
    monkeypatch.setenv("GIVEN", "hunter2-secret")
    ran = jangada("aggregator", "secret", "ib", "password", "--from-env", "GIVEN")
    assert ran.status == 0, ran.err
    assert registry_store.read_secret("aggregators", "ib") == {"password": "hunter2-secret"}
