"""What the class attributes say that the pages of docs/channels show, and nothing else checks."""

from __future__ import annotations

import pytest

from chalicelib import channels
from chalicelib.channels.base import HttpChannel
from tests.channels.support import make, message, sample, unsigned

pytestmark = pytest.mark.parametrize("code", channels.CODES)


def test_proof_is_named_where_callbacks_are_checked(code: str) -> None:
    kind = channels.load(code)
    checked = kind.authenticate is not HttpChannel.authenticate or code == "AWS"  # whose envelopes are SNS's
    assert bool(kind.proof) == checked
    if sample(code).sign is not unsigned:
        assert kind.proof
    for key in kind.proof.split("`")[1::2]:
        assert key in kind.Config.model_fields


def test_media_are_where_they_are_said_to_be(code: str) -> None:
    kind = channels.load(code)
    attachments = ["image/jpeg:https://cdn.example.org/a.jpg"]
    assert bool(make(code).plan(message("Look", attachments=attachments))[0].attachments) is kind.media
    if not kind.media and "mms" in kind.Config.model_fields:
        assert kind.media_when.startswith("with `mms`")
        assert make(code, mms=True).plan(message("Look", attachments=attachments))[0].attachments
