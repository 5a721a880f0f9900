"""A canary from end to end: the relay and the simulator as processes, and a platform that hears nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import app
from chalicelib import canaries, canary, clock
from chalicelib.canaries import Last
from tests.e2e.crowd import dead_letters, enqueue, gateway, platform_file, told, until
from tests.e2e.test_smpp import CHANNEL, ask, message, on_phones, smsc_file
from tests.support import Context
from tests.test_canary import SCHEDULED
from tests.web import serve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TEST_NUMBER, OTHER = "+250788120007", "+250788123123"
TEN = 600_000


def last() -> Last:
    found = canaries.last("smsc")
    assert found is not None
    return found


def test_a_canary_goes_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivered and answered; then two that are refused; then a platform's own message, which is all that it hears
    of."""
    began, ahead = clock.now_ms(), [0]
    monkeypatch.setattr(canary, "now_ms", lambda: began + ahead[0])  # no canary is due but where the test says so
    smsc = smsc_file(tmp_path)
    smsc.write_text(f'{smsc.read_text()}canary: {{channel: {CHANNEL}, to: "{TEST_NUMBER}", mo: true, text: ping}}\n')
    with serve() as platform, gateway(tmp_path, [platform_file(tmp_path, main=platform.url), smsc]) as running:
        app.canary(SCHEDULED, Context())
        assert until(lambda: last().delivered_at > 0, 60)
        assert last().verdict == "", "the answer is waited for"
        ask(running, "/mo", {"from": TEST_NUMBER.removeprefix("+"), "to": "8090", "text": "pong"})
        assert until(lambda: last().answered_at > 0, 60)
        app.canary(SCHEDULED, Context())
        assert (last().verdict, last().failing) == ("delivered", 0)
        assert on_phones(running) == ["ping"]
        # From here on the SMSC refuses the number.
        refused = {"destinations": {TEST_NUMBER[-4:]: {"status": "ESME_RINVDSTADR"}}}
        ask(running, "/script", refused)
        for in_a_row in (1, 2):
            ahead[0] += TEN
            app.canary(SCHEDULED, Context())
            sent = last().id

            def judged(sent: str = sent) -> bool:
                app.canary(SCHEDULED, Context())
                return last().id == sent and last().verdict == "failed"

            assert until(judged, 60)
            assert last().failing == in_a_row
            assert last().why.startswith("ESME_RINVDSTADR")
        enqueue([message(1, to=OTHER)])
        assert until(lambda: len(told(platform, "delivered")) == 1, 60)
        paths = {asked.path.rpartition("/")[2] for asked in platform.asked}
        ids = {asked.form.get("id") for asked in platform.asked}
        assert (paths, ids) == ({"delivered"}, {"1"}), "the platform has heard of its own message only"
        assert dead_letters("outbound.fifo", "lane-smsc.fifo", "events.fifo", "deliver-main.fifo") == 0
