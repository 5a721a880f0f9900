"""Rules for addresses by pattern: what an account's SMSC is given, what it means, and what is no rule."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.config import ConfigError
from chalicelib.messages import Outgoing
from smsc_relay.protocol import CannotEncode, Inquiry
from smsc_relay.smpp import address
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.dialect import DIALECT
from smsc_relay.smpp.pdus import CancelSm, SubmitSm

CHANNEL = "6f1d2c3b-9a44-4e0b-8c55-2f7a90b1d3e4"
NATIONAL = {"match": r"\+256(7\d{8})", "replace": r"0\1"}
SENDERS = [
    {"match": r"\+256(\d{9})", "replace": r"\1", "ton": 2, "npi": 8},
    {"match": "[0-9]{3,6}", "ton": 3, "npi": 0},
    {"match": "[A-Za-z].*", "ton": 5, "npi": 9},
]
Triple = tuple[int, int, str]


def config(**more: Any) -> SmppConfig:
    return SmppConfig.read({"host": "smsc", "system_id": "ilha", **more})


def submitted(to: str = "+256772123456", sender: str = "8080", **more: Any) -> SubmitSm:
    message = Outgoing.model_validate({"id": 1, "text": "Hi", "to": to, "from": sender, "channel": CHANNEL})
    body = DIALECT.plan(message, config(**more), 1).segments[0].body
    assert isinstance(body, SubmitSm)
    return body


def source_of(pdu: SubmitSm) -> Triple:
    return pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr


def destination_of(pdu: SubmitSm) -> Triple:
    return pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr


# --- what we send ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "rules", "more", "expected"),
    [
        pytest.param("+256772123456", [NATIONAL], {}, (0, 1, "0772123456"), id="national form"),
        pytest.param("256772123456", [NATIONAL], {}, (0, 1, "0772123456"), id="however it is written: no plus"),
        pytest.param("00256772123456", [NATIONAL], {}, (0, 1, "0772123456"), id="however it is written: 00"),
        pytest.param("+256 772 123-456", [NATIONAL], {}, (0, 1, "0772123456"), id="however it is written: separators"),
        pytest.param("+254722123456", [NATIONAL], {}, (1, 1, "254722123456"), id="no rule fits"),
        pytest.param("+2567721234567", [NATIONAL], {}, (1, 1, "2567721234567"), id="only a part fits"),
        pytest.param("+256772123456", [{**NATIONAL, "ton": 2, "npi": 8}], {}, (2, 8, "0772123456"), id="TON and NPI"),
        pytest.param("+256772123456", [{"match": r"\+256.*", "ton": 4}], {}, (4, 1, "256772123456"), id="TON alone"),
        pytest.param(
            "+256772123456", [{"match": r"\+(.*)", "replace": r"00\1", "ton": 0}], {}, (0, 1, "00256772123456"),
            id="00 stays where a rule has written it",
        ),
        pytest.param(
            "0772123456", [{"match": "0(.*)", "replace": r"+256\1"}], {}, (1, 1, "256772123456"), id="to international"
        ),
        pytest.param(
            "+256772123456", [{"match": r"\+25677\d*"}, NATIONAL], {}, (1, 1, "256772123456"), id="the first alone"
        ),
        pytest.param(
            "+256772123456", [{"match": r"\+25678\d*"}, NATIONAL], {}, (0, 1, "0772123456"), id="the second fits"
        ),
        pytest.param(
            "+256772123456", [NATIONAL], {"short_ton": 2, "short_npi": 8}, (2, 8, "0772123456"), id="by its new look"
        ),
        pytest.param(
            "+256772123456", [{**NATIONAL, "ton": 2}], {"dest_ton": 6, "dest_npi": 9}, (2, 9, "0772123456"),
            id="what the rule leaves open the account says",
        ),
        pytest.param(
            "+254722123456", [{**NATIONAL, "ton": 2}], {"dest_ton": 6}, (6, 1, "254722123456"), id="the account alone"
        ),
    ],
)  # fmt: skip
def test_recipients(to: str, rules: list[dict[str, Any]], more: dict[str, Any], expected: Triple) -> None:
    assert destination_of(submitted(to, dest_rules=rules, **more)) == expected


@pytest.mark.parametrize(
    ("sender", "rules", "more", "expected"),
    [
        pytest.param("+256200123456", SENDERS, {}, (2, 8, "200123456"), id="phone"),
        pytest.param("8080", SENDERS, {}, (3, 0, "8080"), id="short code"),
        pytest.param("ACME", SENDERS, {}, (5, 9, "ACME"), id="name"),
        pytest.param("ACME", SENDERS[:2], {"source_ton": 1}, (1, 0, "ACME"), id="name that no rule fits"),
        pytest.param("ACME", SENDERS, {"source_ton": 1, "source_npi": 1}, (5, 9, "ACME"), id="name, before all"),
        pytest.param("8080", [{"match": "8080", "replace": "ACME"}], {}, (5, 0, "ACME"), id="a name for a number"),
        pytest.param("8080", [{"match": 8080, "ton": 5, "npi": 0}], {}, (5, 0, "8080"), id="a number as a name"),
        pytest.param("ACME", [{"match": "A.*", "replace": "São"}], {"sender_alphabet": "utf-8"},
                     (5, 0, "S\xc3\xa3o"), id="alphabet"),
        pytest.param("8080", [{"match": "8080", "replace": ""}], {}, (0, 0, ""), id="none"),
        pytest.param("", [{"match": ".*", "replace": "8080"}], {}, (0, 0, ""), id="none from the beginning"),
        pytest.param("ACME", [{"match": "8181", "ton": 6}], {"source_addr": "8181"}, (6, 1, "8181"), id="source_addr"),
    ],
)  # fmt: skip
def test_senders(sender: str, rules: list[dict[str, Any]], more: dict[str, Any], expected: Triple) -> None:
    assert source_of(submitted(sender=sender, source_rules=rules, **more)) == expected


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param(
            {"dest_rules": [{"match": ".*", "replace": "ACME"}]}, "recipient is not a phone number", id="name"
        ),
        pytest.param({"dest_rules": [{"match": ".*", "replace": ""}]}, "recipient is not a phone number", id="nothing"),
        pytest.param(
            {"dest_rules": [{"match": r"\+(.*)", "replace": r"\1\1"}]}, "recipient has more than 20", id="long"
        ),
        pytest.param({"source_rules": [{"match": ".*", "replace": "A NAME TOO LONG"}]}, "sender has more", id="sender"),
        pytest.param({"source_rules": [{"match": ".*", "replace": r"A\0"}]}, "is NUL in latin1", id="NUL"),
    ],
)
def test_what_a_rule_makes_must_be_an_address(more: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotEncode, match=why):
        submitted(**more)


def test_an_inquiry_has_the_addresses_of_its_message() -> None:
    rules = {"dest_rules": [NATIONAL], "source_rules": SENDERS}
    asked = Inquiry(kind="cancel", external_id="a1", source="8080", destination="+256772123456")
    pdu = DIALECT.inquiry(asked, config(**rules))
    assert isinstance(pdu, CancelSm)
    sent = submitted(**rules)
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) == source_of(sent)
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr) == destination_of(sent)


# --- what we are told -----------------------------------------------------------------------------------------------

BACK = {"match": r"0(7\d{8})", "replace": r"+256\1"}


@pytest.mark.parametrize(
    ("ton", "addr", "rules", "more", "expected"),
    [
        pytest.param(2, "0772123456", [BACK], {}, "+256772123456", id="national"),
        pytest.param(0, "0772 123 456", [BACK], {}, "+256772123456", id="blanks"),
        pytest.param(1, "256772123456", [BACK], {}, "+256772123456", id="no rule fits"),
        pytest.param(1, "256772123456", [{"match": r"\+25677(.*)", "replace": r"+25078\1"}], {}, "+250782123456",
                     id="rules see + where it is international"),
        pytest.param(0, "99788123123", [{"match": "99(.*)", "replace": r"0\1"}], {"country": "RW"}, "+250788123123",
                     id="then the country's rules"),
        pytest.param(5, "A\x11B", [{"match": "A_B", "replace": "8080"}], {"sender_alphabet": "gsm7"}, "8080",
                     id="name"),
        pytest.param(0, "8080", [{"match": "8080", "replace": "Ilha São"}], {}, "Ilha São", id="to a name"),
        pytest.param(0, "0772123456", [{"match": "077.*"}, BACK], {}, "0772123456", id="left alone"),
        pytest.param(0, "", [{"match": ".*", "replace": "8080"}], {}, "", id="none"),
    ],
)  # fmt: skip
def test_phones(ton: int, addr: str, rules: list[dict[str, Any]], more: dict[str, Any], expected: str) -> None:
    assert address.phone(ton, addr, config(mo_source_rules=rules, **more)) == expected


@pytest.mark.parametrize(
    ("addr", "expected"),
    [
        pytest.param("25680", "8080", id="short code"),
        pytest.param("0200123456", "+256200123456", id="national"),
        pytest.param("ACME", "8181", id="name"),
        pytest.param("8282", "8282", id="no rule fits"),
    ],
)
def test_our_own_address(addr: str, expected: str) -> None:
    rules = [
        {"match": "25680", "replace": "8080"},
        {"match": "0(20.*)", "replace": r"+256\1"},
        {"match": "ACME", "replace": "8181"},
    ]
    assert address.own(0, addr, config(mo_dest_rules=rules)) == expected


# --- what is no rule ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "rule", "message"),
    [
        pytest.param("dest_rules", {"match": "+256.*"}, r"1.match: is no regular expression: nothing to repeat; write "
                     r"\+ for a plus sign", id="a plus sign"),
        pytest.param("dest_rules", {"match": "(7"}, "dest_rules.1.match: is no regular expression", id="no expression"),
        pytest.param("dest_rules", {"match": ""}, "dest_rules.1.match: String should have at least 1", id="empty"),
        pytest.param("dest_rules", {"match": "7" * 201}, "1.match: String should have at most 200", id="long"),
        pytest.param("dest_rules", {"replace": "8080"}, "dest_rules.1.match: required key is missing", id="no match"),
        pytest.param("source_rules", {"match": "(7)", "replace": r"0\2"},
                     "source_rules.1: replace does not go with match: invalid group reference 2", id="no such group"),
        pytest.param("source_rules", {"match": "(?P<a>7)", "replace": r"\g<b>"}, "unknown group name", id="no name"),
        pytest.param("source_rules", {"match": "7", "replace": "\\"}, "go with match: bad escape", id="escape"),
        pytest.param("source_rules", {"match": "7", "ton": 256}, "source_rules.1.ton: Input should be less", id="TON"),
        pytest.param("source_rules", {"match": "7", "npi": -1}, "1.npi: Input should be greater", id="NPI"),
        pytest.param("source_rules", {"match": "7", "type": 1}, "source_rules.1.type: unknown key", id="unknown key"),
        pytest.param("mo_source_rules", {"match": "7", "ton": 1}, "mo_source_rules: rule 1 has ton", id="MO TON"),
        pytest.param("mo_dest_rules", {"match": "7", "npi": 1}, "mo_dest_rules: rule 1 has ton or npi", id="MO NPI"),
        pytest.param("dest_rules", {"match": "(7+)+x"}, "1.match: must not repeat a group", id="repeated group"),
        pytest.param("dest_rules", {"match": r"(?:7|77)*x"}, "must not repeat a group", id="repeated alternatives"),
        pytest.param("dest_rules", {"match": r"(\)7?){2,}"}, "must not repeat a group", id="escaped parenthesis"),
        pytest.param("dest_rules", {"match": "7*7*7*7*7*7*x"}, "more than 5 repeats", id="many repeats"),
        pytest.param("dest_rules", {"match": "7?7+7*7{1,}7{,2}7{1,2}"}, "more than 5 repeats", id="of every kind"),
    ],
)  # fmt: skip
def test_refused(key: str, rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**{key: [{"match": "8080"}, rule]})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "match",
    [
        pytest.param(r"(?:\+|00)?256(7[0-9]{8})", id="group that may be missing"),
        pytest.param(r"[)*+?]{3}", id="signs in a set"),
        pytest.param(r"\(\)+\*\+\?7", id="escaped signs"),
        pytest.param("(?i:acme)[0-9]{2}[0-9]{3}[0-9]{2}(?P<rest>.{4})", id="fixed lengths"),
    ],
)
def test_taken(match: str) -> None:
    assert config(dest_rules=[{"match": match}]).dest_rules[0].match == match


def test_an_address_that_smpp_has_no_room_for_is_shown_to_no_rule() -> None:
    rules = config(mo_source_rules=[{"match": ".*", "replace": "8080"}])
    assert address.phone(5, "A" * 21, rules) == "8080"
    assert address.phone(5, "A" * 22, rules) == "A" * 22


def test_no_more_than_fifty_rules() -> None:
    assert len(config(dest_rules=[NATIONAL] * 50).dest_rules) == 50
    with pytest.raises(ConfigError, match="dest_rules: Tuple should have at most 50"):
        config(dest_rules=[NATIONAL] * 51)


def test_what_is_sent_may_be_a_channels_own_and_what_arrives_is_the_accounts() -> None:
    keys = {"source_rules", "dest_rules", "schedule", "mo_source_rules", "mo_dest_rules"}
    assert keys & SmppConfig.of_account() == {"mo_source_rules", "mo_dest_rules"}
