"""The config of an SMSC account that speaks UCP/EMI."""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from chalicelib import gsm7
from chalicelib.channels.config import Flag, Secret
from chalicelib.gsm7_national import Language
from smsc_relay import patterns
from smsc_relay.config import Address, LinkConfig, Port
from smsc_relay.protocol import Role
from smsc_relay.ucp.constants import THROTTLED_TEXT, TRNS
from smsc_relay.zones import zone_of

LONGEST_VALIDITY: Final = 63 * 7 * 86_400  # seconds: what GSM has (3GPP TS 23.040 section 9.2.3.12.1)
_HEX_OCTET: Final = re.compile(r"[0-9A-Fa-f]{2}")


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _is_plain(value: str) -> bool:
    """Can it be a field as it is?"""
    return value.isascii() and value.isprintable() and "/" not in value


def _two_digits(value: Any) -> Any:
    """YAML reads 01 as the number 1."""
    return f"{value:02d}" if isinstance(value, int) and not isinstance(value, bool) else value


Octet = Annotated[int, Field(ge=0, le=255)]
Code = Annotated[int, Field(ge=1, le=99)]
Digit = Annotated[Literal["", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], BeforeValidator(_text)]
Pid = Annotated[str, Field(pattern="^([0-9]{4})?$")]
Digits = Annotated[str, Field(pattern="^[0-9]{0,32}$")]
Class = Literal["temporary", "throttled", "permanent", "account"]


class UcpConfig(LinkConfig):
    """Keys of the type UCP. Names in capitals are the fields of the EMI UCP Interface Specification."""

    CONNECTION_KEYS: ClassVar[frozenset[str]] = frozenset((
        "after_timeout", "bind", "decline_error", "deferral", "error_classes", "keepalive_address", "keepalive_pid",
        "lenient", "login_encoding", "login_list_address", "login_list_npi", "login_list_ton", "login_npi",
        "login_opid", "login_ton", "login_type", "login_version", "match_digits", "mo_address", "mo_transparent",
        "password", "receipt_pattern", "recipient_gap", "rx_host", "rx_port", "throttled_text", "timezone",
        "username", "validity",
    ))  # fmt: skip

    HEARD_KEYS: ClassVar[frozenset[str]] = frozenset(("receipts", "substitutions"))

    port: Port = Field(5000, description="its TCP port; with bind: pair, that of the transmitter")
    bind: Literal["transceiver", "transmitter", "receiver", "pair"] = Field(
        "transceiver",
        description="what a bind is: one connection for everything, one for one direction, or (pair) one for each",
    )
    rx_host: str = Field("", description="host of the receiver, where it differs")
    rx_port: Port | None = Field(None, description="port of the receiver, where it differs")
    window: int = Field(10, ge=1, le=TRNS, description="submits without an answer, per bind; 1: stop and wait")

    username: str = Field(
        "", max_length=64, description="OAdC of the login: short number or large account; empty: the account has no "
        "login, the SMSC knows us by our IP address"
    )  # fmt: skip
    password: Secret | None = Field(None, description="PWD of the login")
    login_encoding: Literal["ira", "packed", "plain"] = Field(
        "ira", description="how PWD is written: hex of characters, hex of packed septets, or as it is"
    )
    login_ton: Digit = Field("6", description="OTON of the login: 1 international, 2 national, 6 abbreviated")
    login_npi: Digit = Field("5", description="ONPI of the login: 1 E.164, 3 X.121, 5 private")
    login_type: Digit = Field("1", description="STYP of the login: 1 open session, 4 open provisioning session")
    login_version: str = Field("0100", pattern="^([0-9]{4})?$", description="VERS of the login")
    login_list_address: Digits = Field("", description="LAdC of the login; mostly empty")
    login_list_ton: Digit = Field("", description="LTON of the login; mostly empty")
    login_list_npi: Digit = Field("", description="LNPI of the login; mostly empty")
    login_opid: str = Field("", pattern="^([0-9]{2})?$", description="OPID of the login: 00 mobile, 39 PC application")

    keepalive_address: Digits = Field("", description="AdC of alerts (31); empty: username, else mo_address")
    keepalive_pid: Pid = Field("0539", description="PID of alerts")
    after_timeout: Literal["wait", "reconnect"] = Field(
        "wait", description="what to do when a submit has not been answered in time, beside what in_doubt says"
    )
    lenient: Flag = Field(False, description="read frames whose LEN or checksum is wrong")

    operation: Annotated[Literal["51", "30", "01"], BeforeValidator(_two_digits)] = Field(
        "51", description="what messages are submitted with; 30 and 01: SMSCs of before EMI 3, GSM 7-bit texts only"
    )
    source_addr: str = Field("", max_length=64, description="sender of every message; empty: the channel's address")
    sender_otoa: Literal["auto", "international", "none"] = Field(
        "auto", description="OTOA of numeric senders: 1139 for international numbers, for all, or for none"
    )
    sender_length: Literal["used", "written"] = Field(
        "used", description="what an alphanumeric sender's length counts: half-octets used, or hex digits written"
    )
    international_prefix: Digits = Field("", description="put before international recipients, such as 00")
    ac: Digits = Field("", description="AC of every message: authentication code of the originator")
    mo_address: str = Field("", max_length=64, description="our address in every MO; empty: what the SMSC says")

    encoding: Literal["auto", "smart", "ucs2"] = Field(
        "auto", description="smart: look-alikes are replaced where that avoids UCS-2; ucs2: never GSM 7-bit"
    )
    substitutions: dict[str, str] = Field(
        {},
        description="septets that are written as others on this link, both ways, in hex; a German ISO 646 link has "
        "{5E: 5D, 7E: 7D, 1E: 7E, 5F: 5E}",
    )
    national_languages: tuple[Language, ...] = Field(
        (),
        description="languages whose GSM 7-bit tables SMSC and phones know; used where UCS-2 takes more segments",
    )
    long_messages: Literal["udh8", "udh16", "smsc", "separate"] = Field(
        "udh8",
        description="concatenation header with 8 or 16 bits of reference; the SMSC cuts, up to 320 septets; or parts "
        "that are messages of their own, as always with operation 30 and 01",
    )
    max_parts: int = Field(255, ge=1, le=255, description="segments of a message; longer ones fail")
    more_messages: Flag = Field(False, description="say with MMS that more segments follow")
    recipient_gap: float = Field(
        0, ge=0, le=60, description="seconds from the answer to a submit until the next one to the same recipient, for "
        "SMSCs that give two messages one time stamp, which is all that tells their notifications apart"
    )  # fmt: skip
    ucs2_dcs: Octet = Field(8, description="GSM data coding scheme of UCS-2")
    ucs2_class: Digit = Field("1", description="MCLs of UCS-2, which many SMSCs ask for with MT 4; empty: none")
    transparent_dcs: Flag = Field(False, description="DCs 1 with MT 4, as some SMSCs of EMI 3 demand")
    mo_transparent: Literal["binary", "ucs2", "gsm7"] = Field(
        "binary", description="what MT 4 without a data coding scheme is in MOs"
    )

    validity: int | None = Field(
        None, gt=0, le=LONGEST_VALIDITY, description="seconds the SMSC tries for; unset: as long as it likes"
    )
    deferral: int | None = Field(
        None, gt=0, le=LONGEST_VALIDITY, description="seconds the SMSC holds messages back for"
    )
    timezone: str = Field("UTC", description="of the SMSC's clock: Africa/Kampala, or +03:00")
    protocol_id: Pid = Field("", description="RPID: GSM protocol identifier")
    priority: Digit = Field("", description="PR: 1 urgent")
    reply_path: Digit = Field("", description="RPI: 1 asks for a reply path")
    hplmn: Digits = Field("", description="HPLMN, as the operator says")
    extra_services: str = Field("", description="XSer that every message carries, in hex, such as a billing identifier")
    last_resort_addr: Digits = Field("", description="LRAd: who gets what cannot be delivered; empty: nobody")
    last_resort_pid: Pid = Field("", description="LPID")

    receipts: Literal["all", "last", "failure", "none"] = Field(
        "all",
        description="which notifications to ask for: of all segments, of the last one, which then speaks for all, or "
        "of failures only",
    )
    intermediate: Flag = Field(False, description="ask for buffered notifications too")
    notification_request: Digit = Field("1", description="NRq where notifications are asked for; empty where the SMSC "
                                        "wants NT alone")  # fmt: skip
    notification_addr: Digits = Field("", description="NAdC: where notifications go; mostly empty, else as the "
                                      "operator says")  # fmt: skip
    notification_pid: Pid = Field("", description="NPID of that address, such as 0539 for TCP/IP")
    match_digits: int = Field(
        7, ge=4, le=16, description="last digits of a recipient that must agree for a notification to be its own"
    )
    receipt_pattern: str = Field(
        "", description="regular expression for the text of notifications without SCTS, with groups phone and stamp "
        "(YYMMDDhhmmss)"
    )  # fmt: skip

    error_classes: dict[Code, Class] = Field(
        {}, description="what an error code (EC) of a submit means here, where it differs: {54: permanent}"
    )
    throttled_text: str = Field(
        THROTTLED_TEXT, description="regular expression: refusals whose text has it say that we are too fast"
    )
    decline_error: int = Field(
        55,
        ge=0,
        le=99,
        description="EC of the answer to what cannot be kept for the moment, so that the SMSC sends it again; 0: none",
    )

    @field_validator("username")
    @classmethod
    def _as_it_is(cls, value: str) -> str:
        if not _is_plain(value):
            raise ValueError("must be printable ASCII characters without a slash")
        return value

    @field_validator("substitutions", mode="before")
    @classmethod
    def _table(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        found = {str(old).upper(): str(new).upper() for old, new in value.items()}
        if not all(_HEX_OCTET.fullmatch(one) and int(one, 16) < 0x80 for pair in found.items() for one in pair):
            raise ValueError("must be septets in hex, 00 to 7F: quote those without a letter")
        if len(set(found.values())) < len(found):
            raise ValueError("writes two septets as one: they could not be told apart")
        return found

    @field_validator("throttled_text")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error.msg}") from None
        return value

    @field_validator("receipt_pattern")
    @classmethod
    def _groups(cls, value: str) -> str:
        return patterns.check(value, {"phone", "stamp"})

    @field_validator("extra_services")
    @classmethod
    def _services(cls, value: str) -> str:
        try:
            octets = bytes.fromhex(value)
        except ValueError:
            raise ValueError("must be hex") from None
        at = 0
        while at + 1 < len(octets):
            at += 2 + octets[at + 1]
        if at != len(octets):
            raise ValueError("must be types, lengths and values: the last one is cut short")
        return value.upper()

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        zone_of(value)
        return value

    @model_validator(mode="after")
    def _allowed(self) -> Self:
        if self.password and not self.username:
            raise ValueError("password needs username: without one there is no login")
        if self.password and self.login_encoding == "plain" and not _is_plain(self.password):
            raise ValueError("password must be printable ASCII characters without a slash where it is sent as it is")
        if self.password and self.login_encoding != "plain" and not gsm7.is_gsm7(self.password):
            raise ValueError("password has a character that is not GSM 7-bit")
        if self.bind != "pair" and (self.rx_host or self.rx_port):
            raise ValueError("rx_host and rx_port are for bind: pair")
        if self.operation != "51":
            for key in ("national_languages", "validity", "deferral"):
                if getattr(self, key) and (self.operation == "01" or key == "national_languages"):
                    raise ValueError(f"{key} is nothing that operation {self.operation} has")
            if self.encoding == "ucs2":
                raise ValueError("encoding ucs2 needs operation 51")
        if self.national_languages and self.long_messages not in ("udh8", "udh16"):
            raise ValueError("national_languages needs long_messages udh8 or udh16")
        if bool(self.notification_addr) != bool(self.notification_pid):
            raise ValueError("notification_addr and notification_pid need each other")
        return self

    # --- what the rest of the package reads ---------------------------------------------------------------------------

    def addresses(self, role: Role) -> tuple[Address, ...]:
        """Where a connection of this role goes to, in the order to try."""
        if role is Role.RECEIVER and (self.rx_host or self.rx_port):
            return self._with_fallbacks(self.rx_host or self.host, self.rx_port or self.port)
        return super().addresses(role)

    @property
    def zone(self) -> tzinfo:
        """The time zone of the SMSC's clock."""
        return zone_of(self.timezone)

    @property
    def alert_address(self) -> str:
        """AdC of alerts; "": there can be none."""
        own = self.mo_address if self.mo_address.isascii() and self.mo_address.isdigit() else ""
        return self.keepalive_address or self.username or own

    @property
    def separate(self) -> bool:
        """Parts of a long message have nothing that joins them."""
        return self.long_messages == "separate" or self.operation != "51"
