"""Any text in any alphabet: its parts are the text, none is too long, and there are no more than need be."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib import gsm7, gsm7_national
from chalicelib.gsm7_national import DEFAULT, Shift
from chalicelib.messages import Outgoing
from chalicelib.text import clusters, utf16_units
from smsc_relay.smpp import texts
from smsc_relay.smpp.alphabets import CODECS, Alphabet, carried, limits
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import ESM_UDHI, Tag
from smsc_relay.smpp.dialect import DIALECT
from smsc_relay.smpp.pdus import DeliverSm, SubmitSm

ALPHABETS: list[Alphabet] = [
    "gsm7", "gsm7_packed", "latin1", "ascii", "windows-1252", "utf-8", "iso8859-5", "iso8859-8", "iso8859-9",
    "shift_jis", "ucs2",
]  # fmt: skip
# Texts of many alphabets, of each, and of whatever must not be cut.
MIXED = st.text(st.sampled_from("ab €{@éΔşğжשр日ｱ¥\\😀á\u0301👨\u200d👩🇺🇬"), max_size=330)
PLAIN = st.text(st.sampled_from("abc @€{é"), max_size=330)
OWN = st.sampled_from(["şğıİ a€", "жёЫ a", "שלום a", "日本ｱ a", "Δ€é a", "á a"]).flatmap(
    lambda letters: st.text(st.sampled_from(letters), max_size=330)
)
LONG = st.sampled_from(["udh8", "udh16", "sar", "payload"])


def account(**more: Any) -> SmppConfig:
    return SmppConfig.read({"host": "smsc", "system_id": "ilha", **more})


@st.composite
def accounts(draw: st.DrawFn) -> SmppConfig:
    """Accounts of every alphabet, with limits of their own or without."""
    alphabet = draw(st.sampled_from(ALPHABETS))
    more: dict[str, Any] = {"alphabet": alphabet, "long_messages": draw(LONG)}
    more["interface_version"] = draw(st.sampled_from([34, 50]))
    if draw(st.booleans()):
        alone = draw(st.integers(30, 120))
        more["segment_limits"] = {alphabet: draw(st.sampled_from([alone, [alone, draw(st.integers(20, alone))]]))}
    if alphabet in ("gsm7", "gsm7_packed") and more["long_messages"] in ("udh8", "udh16"):
        more["national_languages"] = draw(st.sampled_from([[], ["turkish"], ["spanish", "portuguese"]]))
    return account(**more)


def submits(text: str, config: SmppConfig) -> tuple[list[SubmitSm], str]:
    message = Outgoing.model_validate(
        {"id": 1, "text": text, "to": "+447700900123", "from": "8080",
         "channel": "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"}
    )  # fmt: skip
    found = DIALECT.plan(message, config, 1)
    return [one.body for one in found.segments], found.encoding


def read(one: SubmitSm, config: SmppConfig) -> str:
    """As a phone of the SMSC would, which takes what we send for what we take what it sends for."""
    pdu = DeliverSm(esm_class=one.esm_class, data_coding=one.data_coding, short_message=one.short_message,
                    tlvs=tuple(tlv for tlv in one.tlvs if tlv[0] == Tag.MESSAGE_PAYLOAD))  # fmt: skip
    return texts.read(pdu, config).text


@given(text=st.one_of(MIXED, PLAIN, OWN), config=accounts())
@example(text="Δ" * 160, config=account(alphabet="utf-8"))
@example(text="日" * 100 + "ｱ" * 10, config=account(alphabet="shift_jis"))
def test_the_parts_are_the_text(text: str, config: SmppConfig) -> None:
    found, _ = submits(text, config)
    seen = "".join(read(one, config) for one in found)
    if config.alphabet == "gsm7_packed":
        # An @ at the end of a part where seven bits are left over cannot be told from none.
        seen, text = seen.replace("@", ""), text.replace("@", "")
    assert seen == text


@given(text=st.one_of(MIXED, PLAIN, OWN), config=accounts())
@example(text="Δ" * 160, config=account(alphabet="utf-8"))
@example(text="€" * 76, config=account(alphabet="utf-8", interface_version=33, bind="pair"))
def test_no_part_is_too_long(text: str, config: SmppConfig) -> None:
    found, encoding = submits(text, config)
    assert all(len(one.short_message) <= config.short_message_max for one in found)
    if config.long_messages == "payload":
        return
    single, joined = _room(encoding, config)
    sizes = [_size(part, encoding, config) for part in _texts(found, encoding, config)]
    assert sizes == [] or (sizes[0] <= single if len(sizes) == 1 else max(sizes) <= joined)


@given(text=st.one_of(MIXED, PLAIN, OWN), config=accounts())
def test_there_are_no_more_parts_than_need_be(text: str, config: SmppConfig) -> None:
    """A part ends only where the next piece that must not be cut would be too much for it."""
    found, encoding = submits(text, config)
    if len(found) == 1 or config.alphabet == "gsm7_packed":
        return
    _, joined = _room(encoding, config)
    parts = _texts(found, encoding, config)
    for part, after in itertools.pairwise(parts):
        piece = clusters(after)[0]
        piece = piece if _fits_alone(piece, encoding, config, joined) else piece[0]
        together = part + piece
        octets = len(together.encode("utf-8")) if encoding == "utf-8" else 0
        most = config.short_message_max - config.part_header
        assert _size(together, encoding, config) > joined or octets > most


@given(text=st.one_of(MIXED, PLAIN, OWN), alphabet=st.sampled_from(ALPHABETS))
def test_ucs2_is_never_the_cheaper(text: str, alphabet: Alphabet) -> None:
    chosen = texts.cut(text, account(alphabet=alphabet)).segments
    plain = texts.cut(text, account(encoding="ucs2")).segments
    assert chosen <= plain


@pytest.mark.parametrize("alphabet", [one for one in ALPHABETS if one in CODECS])
@given(data=st.data())
def test_a_payload_counts_as_the_parts_that_the_smsc_makes(alphabet: Alphabet, data: st.DataObject) -> None:
    """Those that we would make, but for UTF-8, whose octets need not fit short_message."""
    text = data.draw(st.one_of(PLAIN, OWN))
    whole = texts.cut(text, account(alphabet=alphabet, long_messages="payload"))
    parts = texts.cut(text, account(alphabet=alphabet))
    assert len(whole.parts) == 1
    assert whole.segments <= len(parts.parts) if alphabet == "utf-8" else whole.segments == len(parts.parts)


# --- how long a part is, said another way ---------------------------------------------------------------------------


def _shift(encoding: str) -> Shift:
    if ":" not in encoding:
        return DEFAULT
    single, locking = encoding.split(":")[1:]
    return Shift(int(single), int(locking))


def _plain(encoding: str) -> Alphabet:
    found: Alphabet = next(one for one in ALPHABETS if one == encoding.partition(":")[0])
    return found


def _room(encoding: str, config: SmppConfig) -> tuple[int, int]:
    """Of a short message without any header of ours, and beside a concatenation's."""
    single, joined = limits(_plain(encoding), config.segment_limits, config.reference_bits)
    if ":" in encoding:
        taken = len(_shift(encoding).elements)
        single, joined = (-(-single * 7 // 8) - taken - 1) * 8 // 7, (-(-joined * 7 // 8) - taken) * 8 // 7
    return single, joined


def _size(text: str, encoding: str, config: SmppConfig) -> int:
    alphabet = _plain(encoding)
    if alphabet == "ucs2":
        return utf16_units(text)
    if carried(alphabet, config.segment_limits):
        return len(text.encode(CODECS[alphabet]))
    return gsm7_national.septets(text, _shift(encoding)) if ":" in encoding else gsm7.septets(text)


def _fits_alone(piece: str, encoding: str, config: SmppConfig, joined: int) -> bool:
    octets = len(piece.encode("utf-8")) if encoding == "utf-8" else 0
    return _size(piece, encoding, config) <= joined and octets <= config.short_message_max - config.part_header


def _texts(found: list[SubmitSm], encoding: str, config: SmppConfig) -> list[str]:
    return [_text(one, encoding, config) for one in found]


def _text(one: SubmitSm, encoding: str, config: SmppConfig) -> str:
    header = 1 + one.short_message[0] if one.esm_class & ESM_UDHI else 0
    octets = one.short_message[header:]
    alphabet = _plain(encoding)
    if alphabet == "ucs2":
        return octets.decode("utf-16-be")
    if alphabet == "gsm7_packed":
        return read(one, config)
    return gsm7_national.decode(octets, _shift(encoding)) if alphabet == "gsm7" else octets.decode(CODECS[alphabet])
