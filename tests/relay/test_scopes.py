"""Keys of an account, and keys that a channel may have for itself: what a message is cut and written by."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import Any

import pytest

from bench.engine import CONFIGS
from chalicelib.messages import Outgoing
from cli import aggregator_files
from smsc_relay import dialects
from smsc_relay.protocol import CannotEncode
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
