"""The config of an SMSC account that speaks SMPP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, IPvAnyNetwork, field_validator, model_validator

from chalicelib.channels.config import Flag, Secret
from chalicelib.gsm7_national import Language
from smsc_relay import patterns
from smsc_relay.config import Address, LinkConfig, Listening, Port
from smsc_relay.protocol import Role
from smsc_relay.smpp import data
from smsc_relay.smpp.alphabets import CODECS, CODINGS, MADE_GSM7, Alphabet, Limit, check_limits
from smsc_relay.smpp.codec import LIMITS_33, LIMITS_34, LIMITS_50, Limits
from smsc_relay.smpp.constants import VERSION_33, VERSION_34, VERSION_50
from smsc_relay.smpp.rules import MOST_RULES, AddressRule
from smsc_relay.smpp.session_config import SessionConfig
from smsc_relay.smpp.statuses import Apart, Statuses
from smsc_relay.smpp.times import LONGEST
from smsc_relay.smpp.vendor import VendorTlv
from smsc_relay.zones import zone_of

_VERSIONS: Final = {33: VERSION_33, 34: VERSION_34, 50: VERSION_50}
_SHORT_MESSAGE: Final = {33: 160, 34: 254, 50: 255}  # octets of short_message
_LONGEST: Final = 256  # octets, with the NUL: what an operator may hand out, whatever the specification says


def _number(value: Any) -> Any:
    """A registry may give numbers as text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


Version = Annotated[Literal[33, 34, 50], BeforeValidator(_number)]
Octet = Annotated[int, Field(ge=0, le=255)]
Rules = Annotated[tuple[AddressRule, ...], Field(max_length=MOST_RULES)]
IdForm = Literal["text", "hex", "decimal"]


class SmppConfig(LinkConfig):
    """Keys of the type SMPP. Field names are those of SMPP 3.4 chapter 5."""

    CONNECTION_KEYS: ClassVar[frozenset[str]] = frozenset((
        "address_range", "bind", "bind_classes", "bind_npi", "bind_ton", "id_in_receipt", "id_in_response",
        "interface_version", "mo_address", "mo_alphabet", "mo_charsets", "mo_dest_rules", "mo_source_rules",
        "outbind_networks", "outbind_password", "outbind_port", "outbind_system_id", "password",
        "receipt_id_from", "receipt_pattern", "receipt_states", "receipt_timezone", "rx_host", "rx_port",
        "status_classes", "system_id", "system_type", "unmarked_receipts", "validity_form",
    ))  # fmt: skip

    LIVE_KEYS: ClassVar[frozenset[str]] = LinkConfig.LIVE_KEYS | {"window"}
    HEARD_KEYS: ClassVar[frozenset[str]] = frozenset(("alphabet", "data_coding", "sender_alphabet", "ucs2_order"))

    port: Port = Field(2775, description="its TCP port; with bind: pair, that of the transmitter")
    bind: Literal["transceiver", "transmitter", "receiver", "pair"] = Field(
        "transceiver", description="what a bind is; pair: a transmitter and a receiver"
    )
    rx_host: str = Field("", description="host of the receiver, where it differs")
    rx_port: Port | None = Field(None, description="port of the receiver, where it differs")
    outbind_port: Port | None = Field(
        None, description="our port for the SMSC's outbind: its call is waited for, and the receiver or transceiver is "
        "not connected; unset: we connect"
    )  # fmt: skip
    outbind_networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description="CIDRs that outbinds may come from; needed with outbind_port"
    )
    outbind_system_id: str = Field("", max_length=64, description="name that an outbind must give; empty: any")
    outbind_password: Secret | None = Field(None, description="password that an outbind must give; unset: any")
    system_id: str = Field(min_length=1, max_length=64, description="name of the account")
    password: Secret | None = Field(None, description="its password; unset: none")
    system_type: str = Field("", max_length=64, description="as the operator says; often empty")
    interface_version: Version = Field(34, description="of SMPP")
    bind_ton: Octet = Field(0, description="addr_ton of the bind")
    bind_npi: Octet = Field(0, description="addr_npi of the bind")
    address_range: str = Field("", max_length=64, description="addresses served by the bind; mostly empty")

    source_addr: str = Field("", max_length=64, description="sender of every message; empty: the channel's address")
    source_rules: Rules = Field(
        (), description="senders by pattern, the first that fits: [{match: regular expression for the whole "
        "address, replace: what to write instead, ton, npi}], see below"
    )  # fmt: skip
    dest_rules: Rules = Field((), description="the same for recipients")
    source_ton: Octet | None = Field(
        None, description="TON of all senders, names too, unless a rule says another; unset: by the sender's look"
    )
    source_npi: Octet | None = Field(None, description="NPI of senders; unset: by the sender's look")
    dest_ton: Octet | None = Field(None, description="TON of recipients; unset: by the number's look")
    dest_npi: Octet | None = Field(None, description="NPI of recipients; unset: by the number's look")
    short_ton: Octet = Field(0, description="TON of short codes and numbers in national form")
    short_npi: Octet = Field(1, description="NPI of short codes and numbers in national form")
    sender_alphabet: Literal["latin1", "ascii", "gsm7", "windows-1252", "utf-8"] = Field(
        "latin1", description="how alphanumeric addresses are written"
    )
    mo_address: str = Field("", max_length=64, description="our address in every MO; empty: what the SMSC says")
    mo_source_rules: Rules = Field(
        (), description="numbers of phones as the SMSC writes them, in MOs and receipts: [{match, replace}]"
    )
    mo_dest_rules: Rules = Field((), description="the same for our address in MOs, where mo_address is empty")

    encoding: Literal["auto", "smart", "ucs2"] = Field(
        "auto", description="smart: look-alikes are replaced where that avoids UCS-2; ucs2: never GSM 7-bit"
    )
    alphabet: Alphabet = Field(
        "gsm7", description="what texts are written in that need no UCS-2, and what the SMSC takes data_coding for"
    )
    segment_limits: dict[Alphabet, Limit] = Field(
        {},
        description="units of a segment, where the SMSC has others: {latin1: 140}, or [140, 130], alone and as a "
        "part; septets of gsm7, UTF-16 units of ucs2, octets of the rest",
    )
    national_languages: tuple[Language, ...] = Field(
        (),
        description="languages whose GSM 7-bit tables SMSC and phones know; used where UCS-2 takes more segments",
    )
    mo_alphabet: Alphabet | None = Field(
        None, description="what data_coding 0 means in MOs; unset: as alphabet, but gsm7 where that has another number"
    )
    mo_charsets: dict[Annotated[int, Field(ge=1, le=255)], Alphabet] = Field(
        {}, description="what other data_codings mean in MOs, where it differs: {3: iso8859-9}"
    )
    data_coding: Octet = Field(
        0,
        description="data_coding of texts that are not UCS-2; unset: 6 with alphabet iso8859-5, 7 with iso8859-8, 5 "
        "with shift_jis, else 0",
    )
    message_class: int | None = Field(
        None, ge=0, le=3, description="class of texts, unless the message has its own; 0 is flash: shown at once"
    )
    class_coding: Literal["general", "class"] = Field(
        "general", description="data_coding of GSM 7-bit with a class: general is 0x10 and the class, class is 0xF0"
    )
    ucs2_data_coding: Octet = Field(8, description="data_coding of UCS-2")
    ucs2_order: Literal["big", "little"] = Field("big", description="order of octets in UCS-2; big by the standard")
    long_messages: Literal["udh8", "udh16", "sar", "payload"] = Field(
        "udh8", description="concatenation header with 8 or 16 bits of reference, sar TLVs, or all in message_payload"
    )
    max_parts: int = Field(255, ge=1, le=255, description="segments of a message; longer ones fail")
    more_messages: Flag = Field(False, description="say with a TLV that more segments follow")

    submit_with: Literal["submit_sm", "data_sm"] = Field(
        "submit_sm", description="the operation that carries messages; data_sm has the text in message_payload"
    )
    service_type: str = Field("", max_length=64, description="as the operator says; mostly empty")
    esm_mode: int = Field(0, ge=0, le=3, description="messaging mode in esm_class; 3: store and forward")
    protocol_id: Octet = Field(0, description="GSM protocol identifier")
    priority_flag: Octet = Field(0, description="0 normal, 1 to 3 more urgent")
    replace_if_present: Flag = Field(False, description="replace an undelivered message from the same sender")
    validity: int | None = Field(
        None, gt=0, le=LONGEST, description="seconds the SMSC tries for; unset: as long as it likes"
    )
    schedule: int = Field(0, ge=0, le=LONGEST, description="seconds the SMSC waits before it delivers; 0: none")
    validity_form: Literal["relative", "absolute"] = Field(
        "relative", description="how validity and schedule are written"
    )
    tlvs: tuple[VendorTlv, ...] = Field((), description="TLVs that every submit carries, as the operator demands")
    status_classes: Annotated[dict[Statuses, Literal["temporary", "throttled", "permanent", "account"]], Apart] = Field(
        {},
        description="what a command_status of a submit means here, where it differs: {RSUBMITFAIL: temporary, "
        "0x400-0x4FF: throttled}; of ranges that have a status, the narrowest counts",
    )
    bind_classes: Annotated[dict[Statuses, Literal["busy", "credentials"]], Apart] = Field(
        {},
        description="what a command_status of a bind means here, where it differs: {RBINDFAIL: busy} waits as after "
        "RALYBND, credentials as after RINVPASWD",
    )

    receipts: Literal["all", "last", "failure", "none"] = Field(
        "all",
        description="which receipts to ask for: of all segments, of the last one, which then speaks for all, or of "
        "failures only",
    )
    intermediate: Flag = Field(False, description="ask for intermediate notifications too")
    id_in_response: IdForm = Field("text", description="how submit_sm_resp writes message ids")
    id_in_receipt: IdForm = Field("text", description="how receipts write message ids")
    receipt_id_from: Literal["tlv", "text"] = Field("tlv", description="which id counts when a receipt has two")
    receipt_pattern: str = Field(
        "", description="regular expression for receipts of another form, with groups id and stat, perhaps err and done"
    )
    receipt_states: dict[str, Literal["delivered", "sent", "failed", "ignored"]] = Field(
        {}, description="what stat in receipts means here, where it differs: {ACCEPTD: delivered}"
    )
    receipt_timezone: str = Field("UTC", description="of dates in receipts: Africa/Kampala, or +03:00")
    unmarked_receipts: Flag = Field(
        True, description="take a text with id: and stat: for a receipt though esm_class does not say so"
    )

    @field_validator(
        "system_id", "password", "system_type", "address_range", "service_type", "outbind_system_id", "outbind_password"
    )
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        if value and (not value.isascii() or not value.isprintable()):
            raise ValueError("must be printable ASCII characters")
        if value and len(value) >= _LONGEST:
            raise ValueError("is too long")
        return value

    @field_validator("mo_source_rules", "mo_dest_rules")
    @classmethod
    def _untyped(cls, value: tuple[AddressRule, ...]) -> tuple[AddressRule, ...]:
        for index, rule in enumerate(value):
            if rule.ton is not None or rule.npi is not None:
                raise ValueError(f"rule {index} has ton or npi, which are for what we send; + in replace does it here")
        return value

    @field_validator("receipt_pattern")
    @classmethod
    def _pattern(cls, value: str) -> str:
        return patterns.check(value, {"id", "stat"})

    @field_validator("receipt_states")
    @classmethod
    def _upper(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {stat.upper(): meaning for stat, meaning in value.items()}

    @field_validator("receipt_timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        zone_of(value)
        return value

    @model_validator(mode="before")
    @classmethod
    def _usual_coding(cls, data: Any) -> Any:
        """An alphabet with a number of its own leaves data_coding 0 to GSM 7-bit."""
        alphabet = data.get("alphabet") if isinstance(data, dict) else None
        if not isinstance(alphabet, str) or alphabet not in CODECS or alphabet in MADE_GSM7:
            return data
        data = {"data_coding": CODINGS.get(alphabet, 0), **data}
        return data if data["data_coding"] in (0, "0") else {"mo_alphabet": "gsm7", **data}

    @model_validator(mode="after")
    def _allowed(self) -> Self:
        check_limits(self.segment_limits, self.reference_bits, self.part_header, self.short_message_max)
        if self.interface_version == 33:
            if self.bind == "transceiver":
                raise ValueError("bind must not be transceiver with interface_version 33; pair is what 3.3 has")
            if self.long_messages in ("sar", "payload") or self.tlvs or self.more_messages:
                raise ValueError("interface_version 33 has no TLVs: no sar, no payload, no tlvs, no more_messages")
        if self.submit_with == "data_sm":
            data.check(self)
        if self.national_languages and (
            self.alphabet not in ("gsm7", "gsm7_packed") or self.long_messages not in ("udh8", "udh16")
        ):
            raise ValueError("national_languages needs alphabet gsm7 or gsm7_packed, and long_messages udh8 or udh16")
        if self.message_class is not None:
            for key, coding in (("data_coding", self.data_coding), ("ucs2_data_coding", self.ucs2_data_coding)):
                if coding not in (0, 8):
                    raise ValueError(f"message_class needs numbers that have a class: {key} {coding} has none")
        if (self.id_in_response == "text") != (self.id_in_receipt == "text"):
            raise ValueError("id_in_response and id_in_receipt must both be text, or neither")
        if self.validity is not None and self.schedule >= self.validity:
            raise ValueError("schedule must be below validity, or messages expire before they are delivered")
        if self.bind != "pair" and (self.rx_host or self.rx_port):
            raise ValueError("rx_host and rx_port are for bind: pair")
        self._outbind_allowed()
        return self

    def _outbind_allowed(self) -> None:
        if self.outbind_port is None:
            if self.outbind_networks or self.outbind_system_id or self.outbind_password:
                raise ValueError("outbind_port must be set where other outbind keys are")
            return
        if not self.outbind_networks:
            raise ValueError("outbind_port needs outbind_networks: where the SMSC calls from, e.g. [10.64.10.0/24]")
        if self.interface_version == 33:
            raise ValueError("interface_version 33 has no outbind")
        if self.bind == "transmitter":
            raise ValueError("outbind_port is for what receives: bind: transceiver, receiver or pair")
        if self.rx_host or self.rx_port:
            raise ValueError("rx_host and rx_port have no use with outbind_port: the receiver is not connected")
        if self.tls and not self.tls_cert:
            raise ValueError("outbind_port with tls needs tls_cert and tls_key: we are the server")

    # --- what the rest of the package reads ---------------------------------------------------------------------------

    def addresses(self, role: Role) -> tuple[Address, ...]:
        """Where a connection of this role goes to, in the order to try."""
        if role is Role.RECEIVER and (self.rx_host or self.rx_port):
            return self._with_fallbacks(self.rx_host or self.host, self.rx_port or self.port)
        return super().addresses(role)

    def listens(self, role: Role) -> Listening | None:
        """Receivers and transceivers begin with the SMSC's outbind, where it has one."""
        if self.outbind_port is None or role is Role.TRANSMITTER:
            return None
        return Listening(self.outbind_port, self.outbind_networks)

    @property
    def version(self) -> int:
        """interface_version as it is on the wire."""
        return _VERSIONS[self.interface_version]

    @property
    def zone(self) -> tzinfo:
        """The time zone of dates in receipts that name none."""
        return zone_of(self.receipt_timezone)

    @property
    def short_message_max(self) -> int:
        """Octets that short_message holds, which 3.4 has made more (section 5.2.21)."""
        return _SHORT_MESSAGE[self.interface_version]

    @property
    def reference_bits(self) -> Literal[8, 16]:
        """Of the number that joins the parts of a long message; where the SMSC makes them, 8 is usual."""
        return 16 if self.long_messages == "udh16" else 8

    @property
    def part_header(self) -> int:
        """Octets of a concatenation header that we write into short_message."""
        return {"udh8": 6, "udh16": 7}.get(self.long_messages, 0)

    @property
    def limits(self) -> Limits:
        """Field sizes when encoding: operators hand out longer names and passwords than the specification has."""
        return Limits(
            system_id=_LONGEST,
            password=_LONGEST,
            system_type=_LONGEST,
            address_range=_LONGEST,
            service_type=_LONGEST,
            short_message=self.short_message_max,
        )

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Names longer than the specification has them: operators do hand them out, and some SMSCs cut them."""
        most = {33: LIMITS_33, 34: LIMITS_34, 50: LIMITS_50}[self.interface_version]
        for key in ("system_id", "password", "system_type", "address_range", "service_type"):
            allowed = getattr(most, key) - 1
            if len(getattr(self, key) or "") > allowed:
                told = f"{self.interface_version / 10} has {allowed} characters for it; some SMSCs cut or refuse more"
                yield key, f"is longer than usual: SMPP {told}"

    def session(self) -> SessionConfig:
        """The settings of a session."""
        return SessionConfig(
            interface_version=self.version,
            limits=self.limits,
            session_init_timeout=self.login_timeout,
            response_timeout=self.response_timeout,
            enquire_link_interval=self.keepalive or None,
            enquire_link_fixed=self.keepalive_fixed,
            enquire_link_misses=self.keepalive_misses,
            inactivity_timeout=self.inactivity,
            unbind_timeout=self.logout_timeout,
        )
