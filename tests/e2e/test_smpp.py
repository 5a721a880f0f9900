"""The SMSC's way from end to end: relay and simulator as processes, the relay killed at every named point."""

from __future__ import annotations

import json
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from chalicelib import waypoints
from local.gateway import Gateway
from tests.e2e.crowd import dead_letters, enqueue, first_of_each, gateway, phone, platform_file, told, twice, until
from tests.web import serve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CHANNEL = "9d0f4a5c-7e21-4b8d-8a66-5c3b1e9f0d42"
COUNT = 1000
WINDOW = 20
UNRECORDED = max(WINDOW, 50)
POINTS = [point for point in waypoints.WAYPOINTS if point.startswith("relay.")]


def smsc_file(work: Path, **config: Any) -> Path:
    """An SMSC account on the simulator."""
    settings = {"host": "127.0.0.1", "system_id": "jangada", "window": WINDOW, "response_timeout": 3,
                "reconnect_max": 2, **config}  # fmt: skip
    lines = ["name: smsc", "type: SMPP", "config:", "  port: 2775"]
    lines += [f"  {key}: {json.dumps(value)}" for key, value in settings.items()]
    lines += ["channels:", f'  - {{uuid: {CHANNEL}, address: "8090", country: RW, workspace: w, platform: main}}']
    path = work / "smsc.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def ask(running: Gateway, path: str, body: Any = None) -> Any:
    """The simulator's control port."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(running.control + path, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def message(number: int, text: str = "", to: str = "") -> dict[str, Any]:
    return {"id": number, "text": text or f"mt {number}", "to": to or phone(number), "from": "8090", "channel": CHANNEL}


def on_phones(running: Gateway) -> list[str]:
    """The texts, in order of arrival."""
    return [one["text"] for one in ask(running, "/messages?limit=100000")["messages"]]


def test_a_thousand_each_way_though_the_relay_is_killed_everywhere(tmp_path: Path) -> None:
    with serve() as platform:
        files = [platform_file(tmp_path, main=platform.url), smsc_file(tmp_path)]
        with gateway(tmp_path, files) as running:
            running.relay.kill()
            enqueue([message(number) for number in range(1, COUNT + 1)])
            phones = [phone(number).removeprefix("+") for number in range(1, COUNT + 1)]
            mos = [{"from": sender, "to": "8090", "text": f"mo {n}"} for n, sender in enumerate(phones, 1)]
            ask(running, "/mo", mos)
            for point in POINTS:
                running.relay.start("--crash-at", point, "--crash-after", "7")
                assert running.relay.wait(60) == -9, f"{point} was not reached:\n{running.relay.tail()}"
            running.relay.start()

            def complete() -> bool:
                return (
                    len(set(on_phones(running))) == COUNT
                    and len({form["id"] for form in told(platform, "delivered")}) == COUNT
                    and len({form["text"] for form in told(platform, "receive")}) == COUNT
                )

            assert until(complete, 400), (
                len(set(on_phones(running))), len(told(platform, "delivered")), len(told(platform, "receive")),
            )  # fmt: skip
            arrived = on_phones(running)
            messages = ask(running, "/messages?limit=100000")["messages"]
            letters = dead_letters("outbound.fifo", "lane-smsc.fifo", "events.fifo", "deliver-main.fifo")
    assert letters == 0
    assert set(arrived) == {f"mt {number}" for number in range(1, COUNT + 1)}
    replies = [form["text"] for form in told(platform, "receive")]
    doubled = {
        "to phones": twice(arrived),
        "statuses": twice([form["id"] for form in told(platform, "delivered")]),
        "replies": twice(replies),
    }
    print(f"relay killed at {len(POINTS)} points; came twice: {doubled}")
    assert doubled["to phones"] <= len(POINTS) * (WINDOW + UNRECORDED)
    assert doubled["statuses"] == 0
    assert doubled["replies"] == 0, "what the SMSC sends again after a dropped link is swallowed"
    by_contact: dict[str, list[str]] = defaultdict(list)
    for one in messages:
        by_contact[one["to"]].append(one["text"])
    for texts in by_contact.values():
        numbers = [int(text.split()[1]) for text in first_of_each(texts)]
        assert numbers == sorted(numbers)


LONG = "Ijambo rirerire cyane, ryandikwa mu bice byinshi kandi rigasomwa nk'ubutumwa bumwe. " * 6
ARABIC = "رسالة طويلة جدا تصل على عدة أجزاء وتقرأ كرسالة واحدة فقط. " * 6


@pytest.mark.parametrize("long_messages", ["udh8", "udh16", "sar", "payload"])
def test_texts_of_every_kind_both_ways(tmp_path: Path, long_messages: str) -> None:
    texts = ["Muraho {€}", "Ünïcödé ☀ 😀", LONG.strip(), ARABIC.strip(), "1"]
    with serve() as platform:
        files = [platform_file(tmp_path, main=platform.url), smsc_file(tmp_path, long_messages=long_messages)]
        with gateway(tmp_path, files) as running:
            enqueue([message(number, text, "+250788123123") for number, text in enumerate(texts, 1)])
            for text in [*texts, "1"]:
                ask(running, "/mo", {"from": "250788123123", "to": "8090", "text": text})
            assert until(lambda: len(told(platform, "delivered")) == len(texts), 60), told(platform, "failed")
            assert until(lambda: len(told(platform, "receive")) == len(texts) + 1, 60)
            assert on_phones(running) == texts
    assert [form["text"] for form in told(platform, "receive")] == [*texts, "1"], "two honest 1s both arrive"


def test_what_the_smsc_refuses_fails_and_what_it_throttles_arrives(tmp_path: Path) -> None:
    """By the simulator's suffixes: ...0011 is no such destination, ...0088 throttled twice; the receipt of ...0109
    comes before the answer to its submit."""
    senders = {4: "MTN Info", 5: "قناة", 6: "a\ud800b"}
    with serve() as platform:
        files = [platform_file(tmp_path, main=platform.url), smsc_file(tmp_path)]
        with gateway(tmp_path, files) as running:
            rules = {"destinations": {"0088": {"status": "ESME_RTHROTTLED", "times": 2}}}
            ask(running, "/script", rules)
            enqueue([message(1, to="+250788120011"), message(2, to="+250788120088"), message(3, to="+250788120109")])
            enqueue([{**message(n, to=f"+25078812000{n}"), "from": name} for n, name in senders.items()])
            told_all = lambda: len(told(platform, "failed")) + len(told(platform, "delivered")) == 6  # noqa: E731
            assert until(told_all, 60), (told(platform, "failed"), told(platform, "delivered"))
            sources = {one["to"]: one["from"] for one in ask(running, "/messages")["messages"]}
    assert sorted(form["id"] for form in told(platform, "failed")) == ["1", "5", "6"], "no SMSC can write 5's sender"
    assert sorted(form["id"] for form in told(platform, "delivered")) == ["2", "3", "4"]
    assert sources["250788120004"] == "MTN Info"
