"""`jangada channel test`: a message the deployed way, and the requests that one would make."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import responses

import app
from chalicelib import channels, pauses, queues, registry, trace
from cli import trying
from tests.channels.support import sample
from tests.cli.conftest import Jangada
from tests.support import CHANNEL, Aws
from tests.web import Site, serve

STAGES = ((queues.OUTBOUND, app.route), ("lane-fast.fifo", app.send), (queues.EVENTS, app.record))
TO = ("--to", "+250788123123")


@pytest.fixture
def aggregator(aws: Aws) -> Iterator[Site]:
    with serve() as site:
        aws.platform("main")
        config = {"send_url": f"{site.url}/send", "body": "id={{id}}&text={{text}}&to={{to}}"}
        aws.aggregator("fast", lane="own", config=config, secrets={"send_authorization": "Token s3cret"})
        aws.channel(id=346)
        yield site


@pytest.fixture
def deployed(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The functions run while the command waits; answers the invocations of each wait."""
    runs: list[int] = []
    monkeypatch.setattr(trying, "_wait", lambda: runs.append(sum(aws.drain(*stage) for stage in STAGES)))
    return runs


@pytest.mark.usefixtures("deployed")
def test_a_message_goes_the_deployed_way_and_its_exchange_is_shown(jangada: Jangada, aggregator: Site) -> None:
    ran = jangada("channel", "test", "346", *TO, "--text", "Hello & goodbye")
    assert (ran.status, ran.err.splitlines()[0].endswith("is in outbound.fifo")) == (0, True), ran.err
    (asked,) = aggregator.asked
    assert (asked.form["text"], asked.form["to"]) == ("Hello & goodbye", "+250788123123")
    assert re.search(r"^state +wired", ran.out, re.MULTILINE)
    assert "> Authorization: Token **********" in ran.out
    assert "< HTTP/1.1 200" in ran.out
    assert [line.split()[1] for line in ran.err.splitlines()[1:]][:2] == ["queued", "claimed"]
    assert "s3cret" not in ran.out + ran.err


@pytest.mark.usefixtures("deployed")
def test_a_refusal_is_shown_and_is_a_failure(jangada: Jangada, aggregator: Site) -> None:
    aggregator.answer = lambda asked: (404, "no such sender")
    ran = jangada("channel", "test", CHANNEL, *TO, "--text", "Hello")
    assert ran.status == 1
    assert "no such sender" in ran.out
    assert ran.err.splitlines()[-1] == "jangada: it has not been accepted: failed"


@pytest.mark.usefixtures("deployed")
def test_what_has_no_outcome_in_time_is_said_to_have_none(jangada: Jangada, aggregator: Site) -> None:
    aggregator.answer = lambda asked: (503, "later")
    ran = jangada("channel", "test", "346", *TO, "--text", "Hello", "--timeout", "0.2")
    assert ran.status == 1
    assert "-> 503" in ran.out
    assert "no outcome in 0.2 s; later: `jangada why " in ran.err


@pytest.mark.usefixtures("aggregator")
def test_without_functions_it_stays_where_it_is(jangada: Jangada) -> None:
    ran = jangada("channel", "test", "346", *TO, "--text", "Hello", "--timeout", "0.1")
    assert (ran.status, ran.out) == (1, "")
    assert "nobody has taken it out of outbound.fifo in 0.1 s" in ran.err


def test_an_outcome_whose_trace_is_lost_is_an_outcome(
    jangada: Jangada, aggregator: Site, deployed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "LATE", 0.0)
    monkeypatch.setattr(trace, "flush", lambda: None)
    ran = jangada("channel", "test", "346", *TO, "--text", "Hello")
    assert (ran.status, len(aggregator.asked)) == (0, 1)
    assert re.search(r"^state +wired", ran.out, re.MULTILINE)


def test_a_dry_run_shows_the_requests_and_makes_none(jangada: Jangada, aws: Aws, aggregator: Site) -> None:
    ran = jangada("channel", "test", "346", *TO, "--text", "word " * 50, "--dry-run")
    assert ran.status == 0
    assert re.findall(r"^# part (\d) of 2: POST http://127", ran.out, re.MULTILINE) == ["1", "2"]
    assert "Authorization: Token **********" in ran.out
    assert "text=word+word" in ran.out
    assert "s3cret" not in ran.out + ran.err
    assert ran.err == "nothing has been sent (--dry-run); what follows may depend on the answers\n"
    assert (aggregator.asked, aws.depth(queues.OUTBOUND), pauses.lane_pause("fast")) == ([], 0, None)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(("--to", "12", "--text", "Hi"), "--to 12: not a possible number for RW", id="no number"),
        pytest.param(TO, "nothing to send: give --text, or --attachment", id="nothing to send"),
    ],
)
@pytest.mark.usefixtures("aggregator")
def test_what_cannot_be_sent_is_refused_at_once(jangada: Jangada, arguments: tuple[str, ...], problem: str) -> None:
    ran = jangada("channel", "test", "346", *arguments)
    assert ran.status == 1
    assert problem in ran.err


def test_an_smsc_has_no_requests_to_show(jangada: Jangada, aws: Aws) -> None:
    aws.aggregator("mtn", "SMPP", config={"host": "192.0.2.1", "port": 2775, "system_id": "x", "password": "y"})
    aws.channel(aggregator="mtn", type="SMPP")
    ran = jangada("channel", "test", CHANNEL, *TO, "--text", "Hi", "--dry-run")
    assert (ran.status, ran.err) == (1, "jangada: SMPP makes no requests: send for real, without --dry-run\n")


@pytest.mark.parametrize("code", channels.CODES)
def test_every_type_shows_its_urls_and_its_requests(jangada: Jangada, aws: Aws, code: str) -> None:
    """No socket is opened: `responses` has none to offer, and the emulator is spoken to by botocore."""
    config = dict(sample(code).config)
    hidden = {key: config.pop(key) for key in channels.load(code).Config.secret_keys() if key in config}
    aws.aggregator("fast", code, config=config, secrets=hidden)
    aws.channel(type=code, address="20990", country="KE")
    urls = jangada("channel", "url", CHANNEL)
    assert urls.status == 0
    for action in channels.load(code).routes():
        assert f"/c/{code.lower()}/{CHANNEL}/{action}" in urls.out
    registry.reset()
    with responses.RequestsMock():
        ran = jangada("channel", "test", CHANNEL, "--to", "+254700111222", "--text", "Hello", "--dry-run")
    assert ran.status == 0, ran.err
    assert re.search(r"^# part 1 of 1: [A-Z]+ https?://", ran.out, re.MULTILINE)
    told = urls.out + urls.err + ran.out + ran.err
    assert [key for key, value in hidden.items() if str(value) in told] == []
