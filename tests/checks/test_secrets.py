"""The scan for secrets finds what is one, and only that. The samples are put together here, so that it finds none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from checks import secrets

RANDOM = "x7Kq9" + "ZpL2mW4" + "vT8rB3nD6"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("-----BEGIN RSA PRIVATE " + "KEY-----\n" + "MIIEow" * 10, "private key", id="private key"),
        pytest.param("id AKIA" + "Q" * 16, "AWS access key", id="AWS"),
        pytest.param("ghp_" + "a1B2" * 9, "GitHub token", id="GitHub"),
        pytest.param("xoxb-" + "1234567890-abc", "Slack token", id="Slack"),
        pytest.param("AIza" + "b2" * 17 + "c", "Google API key", id="Google"),
        pytest.param("pypi-AgEI" + "x" * 60, "package index token", id="index"),
        pytest.param("jgd_" + "a" * 43, "token of ours", id="ours"),
        pytest.param("amqp://user:" + "s3cret@broker.example", "password in a URL", id="URL"),
        pytest.param("api_key: " + RANDOM, "random value", id="yaml"),
        pytest.param('"password": "' + RANDOM + '"', "random value", id="json"),
        pytest.param("AUTH_TOKEN=" + RANDOM, "random value", id="environment"),
        pytest.param("Authorization_token = 'Token " + RANDOM + "'", "random value", id="with a scheme"),
        pytest.param("api_key: !secret", "", id="our placeholder"),
        pytest.param("password = os.environ['SMSC_PASSWORD_OF_MTN']", "", id="from the environment"),
        pytest.param("secret = module.state.parameter_arns_of_all", "", id="a name"),
        pytest.param("token = 'aaaaaaaaaaaaaaaaaaaaaaaaaaa1'", "", id="too plain"),
        pytest.param("token: 9d0f4a5c-7e21-4b8d-8a66-5c3b1e9f0d42", "", id="a UUID"),
        pytest.param("http://host.example:8080/path@x", "", id="a port"),
        pytest.param("sha256 = " + RANDOM, "", id="another name"),
    ],
)
def test_scan(text: str, kind: str) -> None:
    assert [one.kind for one in secrets.scan("a.txt", "first line\n" + text)] == ([kind] if kind else [])


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("ignored\n")
    (tmp_path / "ignored").write_text(f"token = {RANDOM}")
    (tmp_path / "picture").write_bytes(b"\0token = " + RANDOM.encode())
    (tmp_path / "kept").write_text(f"\ntoken = {RANDOM}\n")
    return tmp_path


def test_a_finding_names_the_place_and_not_the_value(repository: Path) -> None:
    (line,) = secrets.check(secrets.tracked(repository), repository, {})
    assert line.startswith("kept:2: random value; ")
    assert secrets.fingerprint(RANDOM) in line
    assert RANDOM not in line


def test_this_repository_has_none() -> None:
    assert secrets.check(secrets.tracked(secrets.ROOT), secrets.ROOT, secrets.exceptions()) == []


def test_an_exception_counts_and_one_for_nothing_is_told(repository: Path) -> None:
    allowed = {secrets.fingerprint(RANDOM): "made up for a test"}
    assert secrets.check(secrets.tracked(repository), repository, allowed) == []
    (repository / "kept").write_text("")
    (line,) = secrets.check(secrets.tracked(repository), repository, allowed)
    assert line.endswith("(made up for a test) fits nothing")


def test_a_file_too_large_to_look_at_is_an_error(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "LARGEST", 10)
    assert "kept: " in "\n".join(secrets.check(secrets.tracked(repository), repository, {}))


def test_an_exception_wants_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "not_secrets.txt"
    path.write_text("# comment\n0123456789abcdef\n")
    with pytest.raises(ValueError, match=r"not_secrets.txt:2: write a fingerprint and the reason"):
        secrets.exceptions(path)
