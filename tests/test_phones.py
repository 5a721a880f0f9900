"""Addresses: senders in one form, written forms of one number, and what of a number a log may show."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.phones import (
    NotAPhoneNumber,
    contact_key,
    digits_match,
    digits_of,
    mask,
    national,
    normalise_sender,
)


@pytest.mark.parametrize(
    ("raw", "country", "expected"),
    [
        pytest.param("0788112233", "RW", "+250788112233", id="national"),
        pytest.param("788112233", "RW", "+250788112233", id="without its zero"),
        pytest.param("250788112233", "RW", "+250788112233", id="international without plus"),
        pytest.param("+250788112233", "RW", "+250788112233", id="E.164"),
        pytest.param("+250788112233", "", "+250788112233", id="E.164 without a country"),
        pytest.param("+250788112233", "KE", "+250788112233", id="of another country"),
        pytest.param("254 700 111 222", "KE", "+254700111222", id="spaces"),
        pytest.param(" (254) 700-111.222 ", "KE", "+254700111222", id="written as people write"),
        pytest.param("12065551234", "", "+12065551234", id="eleven digits without a country"),
        pytest.param("250788112233", "KE", "+250788112233", id="eleven digits and more, of another country"),
        pytest.param("40404", "KE", "40404", id="short code of KE"),
        pytest.param("2020", "RW", "2020", id="short code of RW"),
        pytest.param("123", "RW", "123", id="three digits"),
        pytest.param("123456", "RW", "123456", id="six digits"),
        pytest.param("1800FLOWERS", "US", "+18003569377", id="a vanity number"),
    ],
)
def test_senders(raw: str, country: str, expected: str) -> None:
    assert normalise_sender(raw, country) == expected


@pytest.mark.parametrize(
    ("raw", "country"),
    [
        pytest.param("0254700111222", "KE", id="a zero before the country code"),
        pytest.param("12", "RW", id="too short for a short code"),
        pytest.param("02020", "RW", id="a short code with a zero"),
        pytest.param("1234567", "RW", id="seven digits"),
        pytest.param("+2020", "RW", id="a short code with a plus"),
        pytest.param("0788112233", "", id="national without a country"),
        pytest.param("40404", "", id="short code without a country"),
        pytest.param("MTN", "RW", id="name"),
        pytest.param("MTN", "", id="name without a country"),
        pytest.param("+999788112233", "RW", id="unknown country code"),
        pytest.param("", "RW", id="empty"),
        pytest.param("+", "RW", id="a plus alone"),
        pytest.param("شركة", "RW", id="no letter or digit of ASCII"),
        pytest.param("+250788112233123456", "RW", id="too long"),
        pytest.param("\x00\ufffd", "", id="rubbish"),
    ],
)
def test_what_is_no_sender(raw: str, country: str) -> None:
    with pytest.raises(NotAPhoneNumber) as caught:
        normalise_sender(raw, country)
    assert not re.search(r"\d{5}", str(caught.value))  # an error's text may be logged


@given(st.text(), st.sampled_from(["", "RW", "US", "KE", "XX"]))
def test_a_sender_is_e164_or_a_short_code_or_refused(raw: str, country: str) -> None:
    try:
        found = normalise_sender(raw, country)
    except NotAPhoneNumber:
        return
    assert re.fullmatch(r"\+[0-9]{7,15}|[1-9][0-9]{1,7}", found), found
    assert normalise_sender(found, country) == found


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        pytest.param("+250788112233", "788112233", id="E.164"),
        pytest.param("250788112233", "788112233", id="without plus"),
        pytest.param("+390612345678", "0612345678", id="Italy keeps its zero"),
        pytest.param("+12065551234", "2065551234", id="US"),
        pytest.param("40404", "40404", id="a short code stays"),
        pytest.param("MTN", "MTN", id="a name stays"),
        pytest.param("", "", id="nothing"),
        pytest.param("+999123", "+999123", id="no country"),
    ],
)
def test_national(number: str, expected: str) -> None:
    assert national(number) == expected


# --- one number, many forms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param("+250788112233", "250788112233", True, id="plus"),
        pytest.param("+250788112233", "00250788112233", True, id="00"),
        pytest.param("+250788112233", "0788112233", True, id="national"),
        pytest.param("+250788112233", "788 112-233", True, id="separators"),
        pytest.param("+250788112233", "+250788112234", False, id="another phone"),
        pytest.param("+250788112233", "112233", False, id="too few digits to be sure"),
        pytest.param("8112233", "+250788112233", True, id="seven digits"),
        pytest.param("40404", "40404", True, id="short codes"),
        pytest.param("40404", "140404", False, id="short codes that end alike"),
        pytest.param("MTN Info", " mtn info", True, id="names"),
        pytest.param("MTN", "Airtel", False, id="other names"),
        pytest.param("MTN", "+250788112233", False, id="a name is no number"),
        pytest.param("", "", True, id="nothing"),
        pytest.param("", "40404", False, id="nothing and something"),
    ],
)
def test_which_forms_name_the_same_phone(one: str, other: str, expected: bool) -> None:
    assert digits_match(one, other) is expected
    assert digits_match(other, one) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [("+250 (788) 112-233", "250788112233"), ("00250", "250"), ("MTN", ""), ("", ""), ("000", ""), ("٣4", "4")],
)
def test_digits_of(given: str, expected: str) -> None:
    assert digits_of(given) == expected


@pytest.mark.parametrize(
    "forms",
    [
        pytest.param(["+250788112233", "250788112233", "00250788112233", "+250 788 112-233"], id="a number"),
        pytest.param(["8080", " 8080 "], id="a short code"),
        pytest.param(["MTN Info", " mtn info ", "MTN INFO"], id="a name"),
        pytest.param(["Équipe", "e\u0301quipe"], id="a name with an accent, composed or not"),
        pytest.param(["شركة"], id="Arabic"),
    ],
)
def test_one_contact_has_one_key(forms: list[str]) -> None:
    assert len({contact_key(form) for form in forms}) == 1


def test_contacts_have_keys_of_their_own() -> None:
    contacts = ["+250788112233", "+250788112234", "0788112233", "8080", "80", "MTN", "MTN1", "شركة", "+MTN", ""]
    assert len({contact_key(contact) for contact in contacts}) == len(contacts)


# --- in a log -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("+250788112233", "+25078*****33", id="E.164"),
        pytest.param("0788112233", "078811**33", id="national"),
        pytest.param("40404", "4**04", id="short code"),
        pytest.param("8080", "****", id="four"),
        pytest.param("", "", id="none"),
        pytest.param("MTN Info", "MTN **fo", id="name"),
    ],
)
def test_mask(address: str, expected: str) -> None:
    assert mask(address) == expected


@given(st.text(st.sampled_from("0123456789+ABC")))
def test_a_masked_address_keeps_its_length_and_never_all_of_itself(address: str) -> None:
    found = mask(address)
    assert len(found) == len(address)
    assert found.count("*") >= min(2, len(address))
