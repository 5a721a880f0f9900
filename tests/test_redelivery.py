"""λ record and messages from phones that come twice: told once where they are copies, twice where they are not."""

from __future__ import annotations

import pytest

from chalicelib import inbox, queues, receiving, recording
from chalicelib.records import MoEvent, SessionEnd
from tests.support import Aws
from tests.test_recording_mo import HOUR, MINUTE, NOW, OTHER, SECOND, hops, mo, over, tell, texts
from tests.test_recording_mo import gateway as gateway  # a fixture


def again(after: int, *, doubtful: int, end: int, since: int) -> MoEvent:
    """The content of `over("s")` over another session of the relay A, which knows that s ended at NOW plus `end` ms,
    and that what came from NOW plus `doubtful` ms on may have no answer."""
    return over("t", since=since, after=after, relay="A", ended={"s": (NOW + doubtful, NOW + end + 1, NOW + end)})


def ended(doubtful: int, end: int) -> SessionEnd:
    """The end of `s`, as its relay tells it."""
    return SessionEnd(session="s", aggregator="fast", doubtful=NOW + doubtful, unanswered=NOW + end + 1, at=NOW + end)


COPIES = [
    pytest.param([mo(external_id="a"), mo(external_id="a", after=24 * HOUR)], 1, id="its id again"),
    pytest.param([mo(external_id="a"), mo("Other", external_id="a")], 1, id="its id again, whatever it says"),
    pytest.param([mo(external_id="a"), mo(external_id="b")], 2, id="other id"),
    pytest.param([mo(external_id="a"), mo(external_id="a", sender=OTHER)], 2, id="its id, of another phone"),
    pytest.param([mo(external_id="a"), mo(external_id="a", channel=SECOND)], 2, id="its id, on another channel"),
    pytest.param([mo(), mo(after=3_999)], 1, id="same content within four seconds"),
    pytest.param([mo(), mo(after=4_000)], 2, id="same content later"),
    pytest.param([mo(), mo(after=4_000), mo(after=7_999)], 2, id="within four seconds of the second"),
    pytest.param([mo(), mo("Leave", after=1)], 2, id="other content"),
    pytest.param([mo(), mo(sender=OTHER)], 2, id="same content of another phone"),
    pytest.param([mo(), mo(channel=SECOND)], 2, id="same content on another channel"),
    pytest.param([mo(), mo(attachments=("https://x",))], 2, id="with an attachment"),
    pytest.param([mo(received_at=5), mo(received_at=5, after=HOUR)], 1, id="same content with the aggregator's time"),
    pytest.param([mo(received_at=5), mo(received_at=6)], 2, id="same content at another time"),
    pytest.param([over("s"), over("s", after=1)], 2, id="the same session: an honest second message"),
    pytest.param([over("s"), over("t", since=1, after=2)], 1, id="a later session: redelivered"),
    pytest.param([over("s"), over("t", since=-1, after=2)], 2, id="a session that was there already"),
    pytest.param([over("s"), over("t", since=1, after=2), over("t", since=1, after=3)], 2, id="by a session only once"),
    pytest.param([over("s"), over("t", since=1, after=2), over("u", since=3, after=4)], 1, id="and by the next one"),
    pytest.param([over("s"), over("t", "Leave", since=1, after=2)], 2, id="a later session: other content"),
    pytest.param([over("s"), over("t", since=1, after=2, to="9090")], 2, id="a later session: to another number"),
    pytest.param([over("s"), over("t", since=1, after=2, octets="gg==")], 2, id="a later session: other octets"),
    pytest.param([over("s", octets="gg=="), over("t", since=1, after=2, octets="gg==", udh="0605040B8423F0")], 2,
                 id="a later session: another header"),
    # A relay that was killed has told nothing: what came shortly before the next session may come again.
    pytest.param([over("s"), over("t", since=MINUTE, after=7 * MINUTE - 1)], 1, id="killed: sent again in minutes"),
    pytest.param([over("s"), over("t", since=MINUTE, after=7 * MINUTE)], 2, id="killed: after all retries"),
    pytest.param([over("s"), over("t", since=3 * MINUTE - 1, after=3 * MINUTE)], 1, id="killed: away for 3 minutes"),
    pytest.param([over("s"), over("t", since=3 * MINUTE, after=3 * MINUTE)], 2, id="killed: answered long before"),
    pytest.param([over("s"), over("t", since=30 * HOUR, after=30 * HOUR)], 2, id="answered 30 hours before a rebind"),
    pytest.param([over("s", relay="A"), over("t", since=1, after=2, relay="B")], 1, id="killed: another relay's"),
    pytest.param([over("s", relay="A"), over("t", since=30_000 - inbox.SKEW, after=30_000, relay="B")], 1,
                 id="killed: the other relay's clock is late"),
    pytest.param([over("s", relay="A"), over("t", since=30_000 + inbox.SKEW, after=MINUTE, relay="B")], 1,
                 id="killed: the other relay's clock is early"),
    # A relay knows which of its sessions are open, and what was answered in the others.
    pytest.param([over("s", relay="A"), over("t", since=1, after=2, relay="A")], 2, id="the first session goes on"),
    pytest.param([over("s", relay="A"), again(1, doubtful=0, end=0, since=1)], 1, id="no answer before the end"),
    pytest.param([over("s", relay="A"), again(1, doubtful=1, end=5, since=6)], 2, id="answered for certain"),
    pytest.param([over("s", relay="A"), again(30_000, doubtful=1, end=20_000, since=25_000)], 2,
                 id="a link that flaps: two answers"),
    pytest.param([over("s", relay="A"), again(5, doubtful=0, end=4, since=-HOUR)], 1, id="over a bind that stays"),
    pytest.param([over("s", relay="A"), again(4, doubtful=0, end=5 + inbox.SKEW, since=-HOUR)], 2,
                 id="over a bind that stays, before the end"),
    pytest.param([over("s", relay="A"), again(6 * MINUTE, doubtful=0, end=1, since=-HOUR)], 1,
                 id="over a bind that stays, minutes later"),
    pytest.param([over("s", relay="A"), again(6 * MINUTE + 1, doubtful=0, end=1, since=-HOUR)], 2,
                 id="over a bind that stays, after all retries"),
    pytest.param([over("s", relay="A"), again(9 * HOUR, doubtful=0, end=4, since=9 * HOUR - MINUTE)], 1,
                 id="after hours without a link"),
    pytest.param([over("s", relay="A"), again(9, doubtful=0, end=4, since=5), again(30, doubtful=0, end=4, since=5)], 2,
                 id="each copy once"),
    # Who answers "1" answers "1" again: that is not to be lost where it may be no copy.
    pytest.param([over("s", "1"), over("t", "1", since=1, after=2)], 2, id="killed: a short answer"),
    pytest.param([over("s", "1"), over("t", "1", since=1, after=2), over("u", "1", since=3, after=4)], 3,
                 id="killed: a short answer, and again"),
    pytest.param([over("s", "yes"), over("t", "yes", since=1, after=2)], 2, id="killed: a short word"),
    pytest.param([over("s", "oui!"), over("t", "oui!", since=1, after=2)], 1, id="killed: longer than a short answer"),
    pytest.param([over("s", "1", octets="gg=="), over("t", "1", since=1, after=2, octets="gg==")], 1,
                 id="killed: octets are no answer"),
    pytest.param([over("s", "1", relay="A"), over("t", "1", since=6, after=9, relay="A",
                                                  ended={"s": (NOW, NOW + 6, NOW + 5)})],
                 2, id="a short answer, in doubt"),
    pytest.param([over("s", "1", relay="A"), over("t", "1", since=6, after=9, relay="A",
                                                  ended={"s": (NOW + 6, NOW, NOW + 5)})],
                 1, id="a short answer without an answer"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "messages"), COPIES)
def test_what_comes_twice_is_told_once(gateway: Aws, events: list[MoEvent], messages: int) -> None:
    tell(gateway, *events)
    assert len(texts(gateway)) == messages
    assert sum(len(hops(event, "duplicate")) for event in events) == len(events) - messages


@pytest.mark.parametrize(
    ("end", "second", "messages"),
    [
        pytest.param(ended(1, 5), over("t", since=6, after=9, relay="B"), 2, id="a rolling restart: two answers"),
        pytest.param(ended(0, 5), over("t", since=6, after=9, relay="B"), 1, id="not answered: redelivered"),
        pytest.param(ended(0, 5), over("t", since=9 * HOUR, after=9 * HOUR, relay="B"), 1, id="after hours"),
        pytest.param(ended(0, 5), over("t", since=6, after=7 * MINUTE, relay="B"), 2, id="after all retries"),
        pytest.param(ended(0, 5), over("t", since=-HOUR, after=9, relay="B"), 1, id="over another relay's bind"),
        pytest.param(ended(0, inbox.SKEW), over("t", since=-HOUR, after=1, relay="B"), 1, id="whose clock is late"),
        pytest.param(ended(0, 5), over("t", since=6, after=9, relay="A"), 1, id="of the same relay, later"),
    ],
)
def test_what_a_relay_tells_of_a_session_counts_for_all(
    gateway: Aws, end: SessionEnd, second: MoEvent, messages: int
) -> None:
    tell(gateway, over("s", relay="A"), end, end, second)
    assert len(texts(gateway)) == messages


@pytest.mark.parametrize("event", [mo(external_id="a"), mo(), over("s"), over("s", "")], ids=["id", "none", "smsc", ""])
def test_an_event_given_again_is_no_repeat_of_itself(gateway: Aws, event: MoEvent) -> None:
    """λ record may have died before it queued the message: it has to come through, and once."""
    assert not inbox.is_repeat(receiving.with_channel(event))
    for _ in range(2):
        gateway.put_raw(queues.EVENTS, queues.event_entry(event).body)
        assert gateway.run(queues.EVENTS, recording.record) == []
    assert len(texts(gateway)) == 1


def test_a_redelivery_given_again_stays_one(gateway: Aws) -> None:
    """λ record has died after it swallowed the message, before the event was out of its queue."""
    again = over("t", since=1, after=2)
    tell(gateway, over("s"), again)
    gateway.put_raw(queues.EVENTS, queues.event_entry(again).body)
    assert gateway.run(queues.EVENTS, recording.record) == []
    assert len(texts(gateway)) == 1
