"""The config of an SMPP account: what is taken, what is refused and how, and what follows from it."""

from __future__ import annotations

import shutil
import ssl
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from chalicelib.channels import UnknownType
from chalicelib.channels.config import ConfigError
from smsc_relay import dialects
from smsc_relay.config import LinkConfig, listening_context, parse_host, tls_context
from smsc_relay.protocol import Role
from smsc_relay.smpp import statuses
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import Status
from smsc_relay.smpp.statuses import Span
from tests.tools import openssl

ACCOUNT: dict[str, Any] = {"host": "10.64.10.20", "system_id": "ilha", "password": "s3cr3t"}


def config(**more: Any) -> SmppConfig:
    return SmppConfig.read({**ACCOUNT, **more})


DATA: dict[str, Any] = {"submit_with": "data_sm"}
OUTBIND: dict[str, Any] = {"outbind_port": 2775, "outbind_networks": ["10.64.10.0/24"]}


def test_the_least_that_is_needed() -> None:
    found = config()
    assert (found.port, found.bind, found.binds, found.window, found.max_tps) == (2775, "transceiver", 1, 10, None)
    assert found.addresses(Role.TRANSCEIVER) == (("10.64.10.20", 2775),)
    assert found.version == 0x34
    assert tls_context(found) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"host": None}, "host: required key is missing", id="no host"),
        pytest.param({"system_id": None}, "system_id: required key is missing", id="no system_id"),
        pytest.param({"host": ""}, "config: host must not be empty", id="empty host"),
        pytest.param({"host": "smsc.example.com:2775"}, "host: must be a host name or IP address alone", id="port"),
        pytest.param({"host": "smpp://smsc"}, "host: must be a host name", id="URL"),
        pytest.param({"host": "a" * 64 + ".com"}, "host: must be a host name: what", id="long label"),
        pytest.param({"fallback_hosts": ["a..b"]}, "fallback_hosts: must be a host name: what", id="empty label"),
        pytest.param({"tls": True, "tls_server_name": ".example.org"}, "tls_server_name: must be a host name: what",
                     id="leading dot"),
        pytest.param({"tls": True, "tls_server_name": "\ud800.org"}, "tls_server_name: must be a host name",
                     id="no text"),
        pytest.param({"tls": True, "tls_server_name": "a\0b"}, "tls_server_name: must be a host name", id="NUL"),
        pytest.param({"tls": True, "tls_server_name": "smsc:2775"}, "tls_server_name: must be a host name",
                     id="name with port"),
        pytest.param({"windows": 3}, "windows: unknown key; this type knows address_range", id="unknown key"),
        pytest.param({"port": 0}, "port: Input should be greater than or equal to 1", id="port 0"),
        pytest.param({"window": 0}, "window: Input should be greater", id="window 0"),
        pytest.param({"max_tps": 0}, "max_tps: Input should be greater than 0", id="max_tps 0"),
        pytest.param({"fallback_hosts": ["a", "b:99999"]}, "fallback_hosts: must be a host name", id="fallback port"),
        pytest.param({"tls": "yes"}, "tls: Input should be a valid boolean", id="tls as text"),
        pytest.param({"tls_ca": "/ca.pem"}, "config: tls must be true", id="ca without tls"),
        pytest.param({"tls": True, "tls_cert": "/c.pem"}, "tls_cert and tls_key need each other", id="cert alone"),
        pytest.param({"reconnect_min": 9, "reconnect_max": 8}, "reconnect_max must not be below", id="reconnect"),
        pytest.param({"interface_version": 52}, "interface_version: Input should be 33, 34 or 50", id="version"),
        pytest.param({"interface_version": 33}, "pair is what 3.3 has", id="3.3 transceiver"),
        pytest.param(
            {"interface_version": 33, "bind": "pair", "long_messages": "sar"}, "has no TLVs", id="3.3 with TLVs"
        ),
        pytest.param({"national_languages": ["klingon"]}, "national_languages.0: Input should be", id="language"),
        pytest.param(
            {"national_languages": ["urdu"], "long_messages": "sar"}, "national_languages needs alphabet", id="sar"
        ),
        pytest.param({"segment_limits": {"latin1": 9}}, "latin1: a part must have at least 10 units", id="segments"),
        pytest.param({"segment_limits": {"gsm7": [140, 150]}}, "no more than one alone", id="parts above one alone"),
        pytest.param({"segment_limits": {"gsm7": 255}}, "more than the 254 octets of short_message", id="too long"),
        pytest.param({"segment_limits": {"utf-8": [254, 249]}}, "more than the 254 octets", id="header too long"),
        pytest.param({"segment_limits": {"ucs2": 128}}, "more than the 254 octets", id="UCS-2 too long"),
        pytest.param({"segment_limits": {"latin1": "many"}}, "must be the units of a short message", id="no number"),
        pytest.param({"segment_limits": {"latin1": [140, 130, 1]}}, "or two numbers", id="three numbers"),
        pytest.param({"segment_limits": {"klingon": 140}}, "segment_limits.klingon", id="limit of no alphabet"),
        pytest.param({"alphabet": "klingon"}, "alphabet: Input should be", id="no alphabet"),
        pytest.param({"mo_charsets": {0: "latin1"}}, "greater than or equal to 1", id="mo_charsets 0"),
        pytest.param({"mo_charsets": {3: "klingon"}}, "mo_charsets.3: Input should be", id="no charset"),
        pytest.param({"id_in_receipt": "hex"}, "must both be text, or neither", id="one id form"),
        pytest.param({"rx_port": 2776}, "rx_host and rx_port are for bind: pair", id="rx without pair"),
        pytest.param({"outbind_port": 2776}, "outbind_port needs outbind_networks", id="outbind from anywhere"),
        pytest.param({"outbind_system_id": "SMSC"}, "outbind_port must be set", id="outbind without a port"),
        pytest.param({**OUTBIND, "outbind_networks": ["10.64.10.1/24"]}, "0: value is not a valid IPv4 or IPv6 network",
                     id="outbind from no network"),
        pytest.param({**OUTBIND, "bind": "transmitter"}, "outbind_port is for what receives", id="outbind, sending"),
        pytest.param({**OUTBIND, "bind": "pair", "interface_version": 33}, "33 has no outbind", id="outbind in 3.3"),
        pytest.param({**OUTBIND, "bind": "pair", "rx_port": 2776}, "no use with outbind_port", id="outbind and rx"),
        pytest.param({**OUTBIND, "tls": True}, "we are the server", id="outbind over TLS without a certificate"),
        pytest.param({**DATA, "interface_version": 33, "bind": "pair"}, "33 has no data_sm", id="data_sm in 3.3"),
        pytest.param({**DATA, "priority_flag": 1, "schedule": 60}, "no field for priority_flag, schedule",
                     id="what data_sm cannot say"),
        pytest.param({**DATA, "validity": 60, "tlvs": [{"tag": 0x17, "type": "octets", "value": "0000003C"}]},
                     "and tlvs has it", id="validity twice in data_sm"),
        pytest.param({"validity": 600, "schedule": 600}, "schedule must be below validity", id="scheduled too late"),
        pytest.param({"password": "a\0b"}, "password: must be printable ASCII", id="NUL in the password"),
        pytest.param({"country": "Uganda"}, "country: String should match pattern", id="country"),
        pytest.param({"receipt_pattern": "(?P<id>"}, "receipt_pattern: is no regular expression", id="bad pattern"),
        pytest.param({"receipt_pattern": "(?P<id>.*)"}, "needs the groups", id="pattern without stat"),
        pytest.param({"message_class": 0, "alphabet": "latin1", "data_coding": 3}, "data_coding 3 has none",
                     id="flash"),
        pytest.param({"message_class": 0, "ucs2_data_coding": 24}, "ucs2_data_coding 24 has none", id="flash in UCS-2"),
        pytest.param({"tlvs": [{"tag": "0x0424", "value": "x"}]}, "0x0424 is written where long_messages: payload asks",
                     id="TLV of the text"),
        pytest.param({"tlvs": [{"tag": "0x020C", "type": "octets", "value": "0001"}]}, "where long_messages: sar asks",
                     id="TLV of parts"),
        pytest.param({"tlvs": [{"tag": "0x0005", "type": "integer", "value": "1", "length": 3}]},
                     "0x0005 has 1 octets by the specification, not 3; with type: octets", id="long TLV"),
        pytest.param({"receipt_timezone": "Mars"}, "receipt_timezone: must be a time zone", id="time zone"),
        pytest.param({"status_classes": {"RNOSUCH": "temporary"}}, "must be a command_status", id="status"),
        pytest.param({"status_classes": {"0x45": "maybe"}}, "status_classes.0x45: Input should be", id="class"),
        pytest.param({"status_classes": {"0x500-0x400": "temporary"}}, "from one to another: 0x400-0x4FF", id="order"),
        pytest.param({"bind_classes": {"0-0x40": "busy"}}, "other than 0", id="success"),
        pytest.param({"bind_classes": {"1-0x100000000": "busy"}}, "must be a command_status", id="too large"),
        pytest.param({"status_classes": {"1-9": "temporary", "5-0x10": "permanent"}},
                     "0x1-0x9 and 0x5-0x10 share some statuses", id="overlap"),
        pytest.param(
            {"tlvs": [{"tag": "0x1400", "type": "integer", "value": "x"}]}, "does not fit the type integer", id="TLV"
        ),
    ],
)  # fmt: skip
def test_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**given)
    assert message in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "data_coding", "mo_alphabet"),
    [
        pytest.param({}, 0, None, id="GSM 7-bit"),
        pytest.param({"alphabet": "latin1"}, 0, None, id="Latin-1"),
        pytest.param({"alphabet": "latin1", "data_coding": 3}, 3, None, id="Latin-1 by its number"),
        pytest.param({"alphabet": "iso8859-5"}, 6, "gsm7", id="Cyrillic"),
        pytest.param({"alphabet": "iso8859-8"}, 7, "gsm7", id="Hebrew"),
        pytest.param({"alphabet": "shift_jis"}, 5, "gsm7", id="JIS"),
        pytest.param({"alphabet": "iso8859-9"}, 0, None, id="Latin-5 has no number"),
        pytest.param({"alphabet": "iso8859-9", "data_coding": 3}, 3, "gsm7", id="Latin-5 by agreement"),
        pytest.param({"alphabet": "iso8859-5", "data_coding": 0}, 0, None, id="Cyrillic as default alphabet"),
        pytest.param({"alphabet": "iso8859-5", "mo_alphabet": "latin1"}, 6, "latin1", id="MOs otherwise"),
    ],
)
def test_what_follows_from_an_alphabet(given: dict[str, Any], data_coding: int, mo_alphabet: str | None) -> None:
    found = config(**given)
    assert (found.data_coding, found.mo_alphabet) == (data_coding, mo_alphabet)


def test_segment_limits_are_written_in_three_ways() -> None:
    found = config(segment_limits={"latin1": 140, "gsm7": [150, "140"], "ucs2": ["60"]})
    assert found.segment_limits == {"latin1": (140,), "gsm7": (150, 140), "ucs2": (60,)}
    assert config(segment_limits={"utf-8": [254, 254]}, long_messages="sar").segment_limits == {"utf-8": (254, 254)}


def test_secrets_show_themselves_nowhere() -> None:
    found = config(tls=True, tls_cert="/cert.pem", tls_key="/key.pem")
    assert SmppConfig.secret_keys() == ("tls_key", "outbind_password", "password")
    assert found.secrets() == ("/key.pem", "s3cr3t")
    assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("smsc.example.com", ("smsc.example.com", 2775), id="name"),
        pytest.param("10.0.0.1:3550", ("10.0.0.1", 3550), id="IPv4 and port"),
        pytest.param("::1", ("::1", 2775), id="IPv6"),
        pytest.param("[fd00::7]:3550", ("fd00::7", 3550), id="IPv6 and port"),
        pytest.param("[fd00::7]", ("fd00::7", 2775), id="IPv6 in brackets"),
    ],
)
def test_hosts(text: str, expected: tuple[str, int]) -> None:
    assert parse_host(text, 2775) == expected


def test_addresses_of_a_pair() -> None:
    found = config(bind="pair", rx_port=2776, fallback_hosts=["10.64.10.21", "10.64.10.22:9000"])
    assert found.addresses(Role.TRANSMITTER) == (
        ("10.64.10.20", 2775),
        ("10.64.10.21", 2775),
        ("10.64.10.22", 9000),
    )
    assert found.addresses(Role.RECEIVER) == (("10.64.10.20", 2776), ("10.64.10.21", 2776), ("10.64.10.22", 9000))
    assert config(bind="pair", rx_host="10.64.11.1").addresses(Role.RECEIVER) == (("10.64.11.1", 2775),)


@pytest.mark.parametrize(
    ("version", "wire"), [(33, 0x33), (34, 0x34), (50, 0x50), ("34", 0x34)], ids=["3.3", "3.4", "5.0", "as text"]
)
def test_versions(version: Any, wire: int) -> None:
    assert config(interface_version=version, bind="pair").session().interface_version == wire


def test_settings_of_the_session() -> None:
    session = config(
        login_timeout=5, response_timeout=20, keepalive=0, keepalive_fixed=True, keepalive_misses=3, inactivity=900,
        logout_timeout=4,
    ).session()  # fmt: skip
    assert (session.session_init_timeout, session.response_timeout, session.unbind_timeout) == (5, 20, 4)
    assert (session.enquire_link_interval, session.enquire_link_fixed, session.enquire_link_misses) == (None, True, 3)
    assert session.inactivity_timeout == 900


@pytest.mark.parametrize("key", ["RSUBMITFAIL", "ESME_RSUBMITFAIL", "rsubmitfail", "0x45", "69", 69, "0x45-0x45"])
def test_status_classes_by_any_name(key: Any) -> None:
    only = Span(Status.ESME_RSUBMITFAIL, Status.ESME_RSUBMITFAIL)
    assert config(status_classes={key: "temporary"}).status_classes == {only: "temporary"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x3FF, None), (0x400, "throttled"), (0x410, "temporary"), (0x412, "permanent"), (0x41F, "temporary"),
        (0x420, "throttled"), (0x4FF, "throttled"), (0x500, None), (0x14, "account"), (0x15, None),
    ],
)  # fmt: skip
def test_the_narrowest_range_counts(status: int, expected: str | None) -> None:
    classes = {"0x400-0x4FF": "throttled", "0x412": "permanent", "0x410 - 1055": "temporary", "RMSGQFUL": "account"}
    assert statuses.meaning(status, config(status_classes=classes).status_classes) == expected


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        pytest.param("UTC", timedelta(0), id="UTC"),
        pytest.param("+03:00", timedelta(hours=3), id="ahead"),
        pytest.param("-0430", timedelta(hours=-4, minutes=-30), id="behind"),
    ],
)
def test_time_zones(name: str, offset: timedelta) -> None:
    zone = config(receipt_timezone=name).zone
    assert zone in (UTC, timezone(offset))
    assert zone.utcoffset(None) == offset


@pytest.mark.parametrize(
    ("given", "octets"),
    [
        pytest.param({"tag": "0x1400", "value": "1001"}, b"1001\0", id="text"),
        pytest.param({"tag": 0x1401, "type": "octets", "value": "00ff"}, b"\x00\xff", id="octets"),
        pytest.param({"tag": 0x1402, "type": "integer", "value": 7, "length": 2}, b"\x00\x07", id="integer"),
    ],
)
def test_tlvs(given: dict[str, Any], octets: bytes) -> None:
    assert config(tlvs=[given]).tlvs[0].octets == octets


def test_every_key_is_described_and_has_a_schema() -> None:
    properties = SmppConfig.model_json_schema()["properties"]
    assert [key for key, about in properties.items() if not about.get("description")] == []
    assert set(LinkConfig.model_fields) < set(properties)


def test_tls() -> None:
    context = tls_context(config(tls=True))
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    lax = tls_context(config(tls=True, tls_verify=False))
    assert lax is not None
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        pytest.param({"tls_ca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, "tls_ca", id="ca"),
        pytest.param({"tls_ca": "/nowhere/ca.pem"}, "tls_ca", id="no such file"),
        pytest.param({"tls_ca": "/"}, "tls_ca", id="no file"),
        pytest.param({"tls_ca": "a\0b"}, "tls_ca", id="no path"),
        pytest.param({"tls_ca": "-----BEGIN \ud800"}, "tls_ca", id="no text"),
        pytest.param({"tls_cert": "a\0b", "tls_key": "\ud800"}, "tls_key", id="no path of a key"),
        pytest.param(
            {"tls_cert": "-----BEGIN CERTIFICATE-----", "tls_key": "-----BEGIN PRIVATE KEY-----"}, "tls_key", id="key"
        ),
    ],
)
def test_bad_certificates(given: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        tls_context(config(tls=True, **given))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with cert.pem, key.pem and encrypted.pem, the same key under a passphrase."""
    place = tmp_path_factory.mktemp("tls")
    for command in (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=smsc -keyout key.pem -out cert.pem",
        "pkey -in key.pem -aes256 -passout pass:hidden -out encrypted.pem",
    ):
        openssl(*command.split(), cwd=place)
    return place


@pytest.mark.parametrize("as_text", [True, False], ids=["PEM text", "paths"])
def test_certificates(certificate: Path, as_text: bool) -> None:
    cert, key = certificate / "cert.pem", certificate / "key.pem"
    given = [path.read_text() if as_text else str(path) for path in (cert, key)]
    context = tls_context(config(tls=True, tls_ca=given[0], tls_cert=given[0], tls_key=given[1]))
    assert context is not None
    (trusted,) = context.get_ca_certs()  # this one alone, not the system's
    assert trusted["subject"] == ((("commonName", "smsc"),),)


def test_a_context_is_made_anew_where_its_keys_or_files_have_changed(certificate: Path, tmp_path: Path) -> None:
    """And there alone: it takes tens of milliseconds."""
    files = [tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem")]
    for path, source in zip(files, ("cert.pem", "cert.pem", "key.pem"), strict=True):
        shutil.copy(certificate / source, path)
    ca, cert, key = map(str, files)

    def made(**changes: Any) -> list[ssl.SSLContext | None]:
        given = config(**{"tls": True, "tls_ca": ca, "tls_cert": cert, "tls_key": key, **changes})
        return [tls_context(given), listening_context(given)]

    first = made()
    files[0].touch()
    assert made(window=3) == first
    assert len({*first, *made(tls_verify=False), *made(tls_ca=files[0].read_text())}) == 6
    for path in files:
        text = path.read_text()
        path.write_text(text + "\n")
        assert not {*made()}.intersection(first)
        path.write_text(text)
        assert made() == first


def test_an_encrypted_key_is_refused_without_asking(certificate: Path) -> None:
    text = (certificate / "encrypted.pem").read_text()
    with pytest.raises(ConfigError, match="unencrypted"):
        tls_context(config(tls=True, tls_cert=str(certificate / "cert.pem"), tls_key=text))


def test_the_table_of_dialects() -> None:
    assert dialects.config_of("smpp") is SmppConfig
    with pytest.raises(UnknownType, match="no SMSC type 'XMPP'; there are"):
        dialects.config_of("XMPP")
