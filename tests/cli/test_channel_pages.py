"""docs/channels is made from the code, and docs/adding-a-channel.md leads to a type that works."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from chalicelib import channels
from chalicelib.channels.base import HttpChannel
from chalicelib.outcomes import Accepted
from cli import channel_pages, kinds
from tests.channels import support
from tests.channels.support import Json, make, mo, offer, request, told
from tests.cli.conftest import Jangada

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDE = (DOCS / "adding-a-channel.md").read_text()


def test_the_committed_pages_are_fresh(cli: Jangada) -> None:
    ran = cli("docs", "channels", "--check", str(DOCS / "channels"))
    assert (ran.status, ran.err) == (0, "")


def test_a_page_that_is_stale_missing_or_of_no_type_is_named(cli: Jangada, tmp_path: Path) -> None:
    assert cli("docs", "channels", str(tmp_path)).status == 0
    (tmp_path / "twilio.md").write_text("Twilio")
    (tmp_path / "infobip.md").unlink()
    (tmp_path / "gone.md").write_text("an aggregator that is no more")
    ran = cli("docs", "channels", "--check", str(tmp_path))
    assert ran.status == 1
    assert "infobip.md, twilio.md, gone.md; run `jangada docs channels`" in ran.err
    assert cli("docs", "channels", str(tmp_path)).status == 0
    assert cli("docs", "channels", "--check", str(tmp_path)).status == 0


@pytest.mark.parametrize("code", channels.CODES)
def test_every_key_is_described(code: str) -> None:
    assert [key["key"] for key in kinds.keys(code) if not key["about"]] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("AT", (True, True, "no", "no", "the aggregator cuts"), id="both ways"),
        pytest.param("RR", (False, False, "no", "no", "the aggregator cuts"), id="sends only"),
        pytest.param("M3", (True, False, "no", "no", "160"), id="no reports"),
        pytest.param("BRV", (False, True, "no", "callback", "1600"), id="reports only"),
        pytest.param("SW", (True, True, "yes", "callback and refusal", "1600"), id="what its base class does"),
        pytest.param("SNC", (True, True, "with `mms`", "no", "1600"), id="media by choice"),
        pytest.param("YO", (True, False, "no", "refusal", "1600"), id="opt-outs at sending"),
    ],
)
def test_facts_are_those_of_the_code(code: str, expected: tuple[bool, bool, str, str, str]) -> None:
    found = channel_pages.facts(channels.load(code))
    assert (found.receives, found.receipts, found.media, found.optout, found.longest) == expected


def test_the_guides_sample_is_a_type_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("sample")
    monkeypatch.setitem(sys.modules, "sample", module)
    source, tests = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    exec(compile(source, "docs/adding-a-channel.md", "exec"), module.__dict__)
    written: dict[str, support.Sample] = {}
    exec(compile(tests, "docs/adding-a-channel.md", "exec"), written)
    kind: type[HttpChannel] = module.Example
    monkeypatch.setattr(channels, "load", lambda code: kind)
    monkeypatch.setattr(support, "sample", lambda code: written["SAMPLE"])
    channel = make("XMP")
    date = "2026-03-01T10:11:12Z"
    reply = channel.receive(
        request("XMP", "receive", Json({"id": "7", "from": "0700111222", "text": "Hi", "date": date}))
    )
    assert reply.events == (mo("+254700111222", "Hi", external_id="7", received_at=1_772_359_872_000),)
    assert told(channel.receive(request("XMP", "status", Json({"id": "7", "status": "delivered"})))) == ["delivered"]
    sent = offer("XMP")
    assert sent.outcomes == [Accepted("x-1")]
    assert "s3cr3t-k3y" not in str(sent.http.exchanges)


def test_the_guide_names_what_there_is() -> None:
    for outcome in re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE):
        assert hasattr(__import__("chalicelib.outcomes").outcomes, outcome)
