"""Keys of an account, and keys that a channel may have for itself: what a message is cut and written by."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bench.engine import CONFIGS
from chalicelib.messages import Outgoing
from cli import aggregator_files
from smsc_relay import dialects
from smsc_relay.accounts import Kind, kind_of
from smsc_relay.protocol import CannotEncode
from tests.relay.conftest import World, relaying
from tests.relay.test_every_protocol import PROTOCOLS, Protocol, simulator
from tests.support import CHANNEL

TEXTS = ("hi", "x" * 300, "Жаркий день " * 20, "ağlama çocuğum " * 12, "é{€}")
SENDERS = ("8080", "ACME", "+256772123456")


class Watched:
    """A config that remembers which keys have been asked for, by its own properties too."""

    def __init__(self, config: Any) -> None:
        self._config = config
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        kind = type(self._config)
        if name in kind.model_fields:
            self.asked.add(name)
            return getattr(self._config, name)
        found = getattr(kind, name)
        return found.fget(self) if isinstance(found, property) else getattr(self._config, name)


@pytest.mark.parametrize("protocol", sorted(CONFIGS))
def test_each_key_is_the_accounts_or_is_read_for_each_message(protocol: str) -> None:
    dialect, model = dialects.load(protocol), dialects.config_of(protocol)
    config = Watched(model.read({"host": "127.0.0.1", **CONFIGS[protocol]}))
    for text, sender, flash in itertools.product(TEXTS, SENDERS, (None, 0)):
        words = {"id": "1", "text": text, "to": "+250788123456", "channel": CHANNEL, "from": sender,
                 "message_class": flash}  # fmt: skip
        with suppress(CannotEncode):
            dialect.plan(Outgoing.model_validate(words), config, 5)
    # SMPP's version is the session's, and decides how long a short_message may be.
    assert config.asked & model.of_account() <= {"interface_version"}
    assert set(model.model_fields) - config.asked <= model.of_account()


MORE = {
    "SMPP": {"validity": 3600, "validity_form": "absolute"},
    "CIMD2": {"validity": 3600, "validity_form": "absolute", "timezone": "UTC"},
}


class Watching:
    """A dialect whose conversations have watched configs."""

    def __init__(self, dialect: Any, found: list[Watched]) -> None:
        self._dialect, self._found = dialect, found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dialect, name)

    def conversation(self, config: Any, *others: Any) -> Any:
        self._found.append(Watched(config))
        return self._dialect.conversation(self._found[-1], *others)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=[one.name for one in PROTOCOLS])
async def test_a_connection_reads_no_key_that_changes_while_it_is_open(world: World, protocol: Protocol) -> None:
    """Messages, a refusal, receipts, and MOs in every alphabet and form, over one session that ends in a logout."""
    watched: list[Watched] = []
    kind = kind_of(protocol.name)
    watching = Kind(Watching(kind.dialect, watched), kind.config)  # one, or each look at the registry finds a change
    script = {"destinations": {"0009": {"status": "ESME_RINVDSTADR"}}}
    async with simulator({"receipts": {"when": "always"}}, script=script) as smsc:
        protocol.account(world, smsc, country="RW", **MORE.get(protocol.name, {}))
        for number, text in enumerate((*TEXTS, "refused"), 1):
            world.put(number if text != "refused" else 9, text=text)
        async with relaying(kinds=lambda _: watching):
            await world.lane_empty()
            for alphabet in ("gsm7", "latin1", "ucs2") if protocol.name == "SMPP" else ("gsm7", "ucs2"):
                smsc.inject(source="250788123456", to="8080", text="OK", alphabet=alphabet)
            smsc.inject(source="250788123456", to="8080", octets="0102030405")
            for text in (*TEXTS, "x"):
                smsc.inject(source="ACME" if text == "x" else "250788123456", to="8080", text=text)
            await smsc.wait_for(lambda it: all(one.state == "acknowledged" for one in it.mos))
    (config,) = watched
    model = kind.config
    assert config.asked & (set(model.model_fields) - model.of_connections()) == set()
    assert set(model.model_fields) >= model.LIVE_KEYS | model.HEARD_KEYS
    assert not model.HEARD_KEYS & model.of_account()
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert [key for key in model.LIVE_KEYS | model.HEARD_KEYS if f"`{key}`" not in page] == []


@pytest.mark.parametrize("key", ["window", "host", "tls_verify", "status_classes", "id_in_response", "receipt_states"])
def test_a_channel_cannot_have_a_key_of_its_account(key: str) -> None:
    values: dict[str, Any] = {"window": 5, "host": "smsc.example", "tls_verify": False, "id_in_response": "hex"}
    channel = {"uuid": "a86f686f-9168-4dd9-a03e-77f11b265b56", "address": "8080", "workspace": "w", "platform": "main",
               "config": {key: values.get(key, {})}}  # fmt: skip
    _, problems = aggregator_files.channel_entry(channel, "SMPP", {"host": "smsc.example", "system_id": "s"})
    assert f"config.{key}: is one for all channels of an account: it goes into the aggregator's config" in problems
    channel["config"] = {"service_type": "CMT", "validity": 3600}
    _, problems = aggregator_files.channel_entry(channel, "SMPP", {"host": "smsc.example", "system_id": "s"})
    assert problems == []
