"""Known faults of dependencies: matched offline, fetched over real HTTP, and never passed over in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from checks import advisories, requirements

RANGES = [["0", "1.5", None], ["2.0", "2.3", None], ["3.0", None, "3.2"], ["4.0", None, None]]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("0.1", True, id="from the beginning"),
        pytest.param("1.5", False, id="fixed"),
        pytest.param("1.10", False, id="numbers, not letters"),
        pytest.param("2.0", True, id="introduced again"),
        pytest.param("2.3rc1", True, id="a candidate of the fix"),
        pytest.param("2.3.post1", False, id="after the fix"),
        pytest.param("3.2", True, id="the last that is affected"),
        pytest.param("3.2.1", False, id="after the last"),
        pytest.param("9", True, id="never fixed"),
        pytest.param("not a version", False, id="no version"),
        pytest.param("1.7-special", True, id="listed by name"),
    ],
)
def test_ranges(version: str, expected: bool) -> None:
    assert advisories.matches({"affected": RANGES, "versions": ["1.7-special"]}, version) is expected


SNAPSHOT = {
    "taken": "2026-01-02",
    "source": "x",
    "packages": {"requests": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "affected": [["0", "2.31.0", None]]}], "six": []},
}


def test_what_matches_is_named_with_its_fix_and_what_is_unknown_is_named() -> None:
    versions = [("requests", "2.30.0"), ("six", "1.0"), ("nobody", "1")]
    wrong, unknown = advisories.check(versions, SNAPSHOT, {})
    assert wrong == ["requests 2.30.0: PYSEC-1 (CVE-1); fixed in 2.31.0"]
    assert unknown == ["nobody"]
    assert advisories.check(versions, SNAPSHOT, {"CVE-1": "no proxy is used"}) == ([], ["nobody"])


def vulnerability(**more: Any) -> dict[str, Any]:
    affected = {
        "package": {"ecosystem": "PyPI", "name": "Six"},
        "ranges": [
            {"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "abc"}]},
            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0.9"}, {"introduced": "1.0"}]},
        ],
        "versions": ["0.1"],
    }
    other = {"package": {"ecosystem": "npm", "name": "six"}, "versions": ["7"]}
    return {"id": "GHSA-1", "aliases": ["CVE-2"], "affected": [affected, other], **more}


Answers = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


@pytest.fixture
def service() -> Iterator[Callable[[Answers], str]]:
    """An OSV on a socket that answers as told."""
    servers: list[ThreadingHTTPServer] = []

    def start(answers: Answers) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, body = answers(asked) if self.path == "/v1/query" else (404, {})
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_refresh_asks_for_every_page_and_keeps_what_counts(service: Callable[[Answers], str]) -> None:
    def answers(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if asked["package"] != {"name": "six", "ecosystem": "PyPI"}:
            return 200, {}
        if "page_token" not in asked:
            return 200, {"vulns": [vulnerability()], "next_page_token": "more"}
        return 200, {"vulns": [vulnerability(id="GHSA-0", withdrawn="2026-01-01"), vulnerability(id="GHSA-2")]}

    made = advisories.refresh(["six", "attrs"], service(answers))
    kept = {"aliases": ["CVE-2"], "affected": [["0", "0.9", None], ["1.0", None, None]]}
    assert made["packages"] == {"attrs": [], "six": [{"id": "GHSA-1", **kept}, {"id": "GHSA-2", **kept}]}
    assert advisories.check([("six", "1.17")], made, {})[0] == [
        "six 1.17: GHSA-1 (CVE-2); fixed in 0.9",
        "six 1.17: GHSA-2 (CVE-2); fixed in 0.9",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((503, {}), id="down"),
        pytest.param((200, {"vulns": [{"aliases": []}]}), id="something else"),
    ],
)
def test_a_refresh_that_fails_says_so_and_leaves_the_snapshot(
    service: Callable[[Answers], str], answer: tuple[int, dict[str, Any]], tmp_path: Path, capsys: Any
) -> None:
    snapshot = tmp_path / "advisories.json"
    snapshot.write_text(json.dumps(SNAPSHOT))
    url = service(lambda asked: answer)
    assert advisories.main(["--refresh", "--service", url, "--snapshot", str(snapshot)]) == 2
    assert "gave no answer on" in capsys.readouterr().err
    assert json.loads(snapshot.read_text()) == SNAPSHOT


def test_a_vulnerable_pin_fails_and_an_old_snapshot_is_told(tmp_path: Path, capsys: Any) -> None:
    version = requirements.pins(requirements.ROOT / "requirements.txt")["requests"]
    snapshot = tmp_path / "advisories.json"
    found = {"id": "PYSEC-9", "aliases": [], "affected": [["0", None, version]]}
    snapshot.write_text(json.dumps({"taken": "2020-01-01", "source": "x", "packages": {"requests": [found]}}))
    assert advisories.main(["--snapshot", str(snapshot)]) == 1
    said = capsys.readouterr().err
    assert f"requests {version}: PYSEC-9" in said
    assert "WARNING: the snapshot is" in said
    assert "urllib3" in said  # brought by requests, deployed, and not covered


@pytest.mark.parametrize("text", [pytest.param("", id="empty"), pytest.param('{"taken": "2026-01-01"}', id="cut")])
def test_a_snapshot_that_cannot_be_read_fails(tmp_path: Path, text: str, capsys: Any) -> None:
    (tmp_path / "a.json").write_text(text)
    assert advisories.main(["--snapshot", str(tmp_path / "a.json")]) == 2
    assert "make advisories" in capsys.readouterr().err


def test_our_own_snapshot_can_be_read_and_every_acceptance_has_a_reason() -> None:
    snapshot = advisories.load()
    assert {"requests", "aiohttp"} <= snapshot["packages"].keys()
    assert all(len(reason) > 20 for reason in snapshot["accepted"].values())


def test_a_line_that_pins_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("# why\n-r other.txt\nPyYAML==6.0.4  # held\nsix>=1\n")
    with pytest.raises(requirements.PinError, match=r"requirements.txt:4: 'six>=1' pins no version"):
        requirements.pins(path)
    path.write_text("PyYAML==6.0.4  # held\n")
    assert requirements.pins(path) == {"pyyaml": "6.0.4"}
