"""The config of an SMSC account that speaks CIMD2."""

from __future__ import annotations

from datetime import tzinfo
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from chalicelib.channels.config import Flag, Secret
from chalicelib.gsm7_national import Language
from smsc_relay.cimd2.constants import ALL_REPORTS, USUAL_REPORTS
from smsc_relay.cimd2.session_config import SessionConfig
from smsc_relay.cimd2.times import LONGEST
from smsc_relay.config import LinkConfig, Port, Seconds
from smsc_relay.zones import zone_of


def _number(value: Any) -> Any:
    """YAML's and JSON's keys may be text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


Octet = Annotated[int, Field(ge=0, le=255)]
ErrorCode = Annotated[int, BeforeValidator(_number), Field(ge=1, le=999)]
StatusCode = Annotated[int, BeforeValidator(_number), Field(ge=0, le=99)]


class Cimd2Config(LinkConfig):
    """Keys of the type CIMD2. In parentheses are the parameters of the CIMD Interface Specification."""

    CONNECTION_KEYS: ClassVar[frozenset[str]] = frozenset((
        "checksum", "declined", "error_classes", "greeting_wait", "ip_address", "mo_address", "mo_septets",
        "password", "poll", "receipt_states", "resends", "subaddresses", "timezone", "username", "verify_checksum",
        "window_negotiation",
    ))  # fmt: skip

    HEARD_KEYS: ClassVar[frozenset[str]] = frozenset(("validity", "validity_form"))

    port: Port = Field(9971, description="its TCP port")
    username: str = Field(min_length=1, max_length=32, description="name of the account: user identity (010)")
    password: Secret = Field(max_length=32, description="its password (011)")
    subaddresses: tuple[Annotated[int, Field(ge=0, le=9)], ...] = Field(
        (), description="subaddresses (012) of sessions of the same user, one for each bind; none: not sent"
    )
    ip_address: str = Field("", max_length=39, description="our IP address as the login has to tell it (071)")
    greeting_wait: float = Field(
        0.5, ge=0, le=60, description="seconds to wait for the SMSC's line of greeting before logging in"
    )
    window: int = Field(1, ge=1, le=127, description="submits without an answer, per bind (019)")
    window_negotiation: Literal["auto", "always", "never"] = Field(
        "auto", description="whether the login asks for the window; auto: where it is not 1"
    )
    checksum: Literal["auto", "upper", "lower", "none"] = Field(
        "auto", description="how we write checksums; auto: as the SMSC does, upper at first"
    )
    verify_checksum: Flag = Field(True, description="false: believe packets with a wrong checksum")
    resends: int = Field(3, ge=0, le=20, description="times a packet is sent again that the SMSC has not understood")
    poll: Seconds | None = Field(
        None, description="seconds between requests for waiting messages (05), for accounts of querying applications"
    )
    declined: Literal["hold", "error", "close"] = Field(
        "hold",
        description="what to do with a message that we cannot keep now: no answer, an error (900), or disconnect",
    )

    international: Literal["plus", "00", "bare"] = Field("plus", description="how international numbers begin")
    source_addr: str = Field("", max_length=64, description="sender of every message; empty: the channel's address")
    senders: Literal["all", "numeric", "none"] = Field(
        "all", description="senders to tell; of others, or with none, the SMSC puts its own"
    )
    own_number: str = Field(
        "", pattern="^[0-9]*$", description="number that the SMSC puts in front of senders (023): taken off; senders "
        "without it are not told"
    )  # fmt: skip
    mo_address: str = Field("", max_length=64, description="our address in every MO; empty: what the SMSC says")

    encoding: Literal["auto", "smart", "ucs2"] = Field(
        "auto", description="smart: look-alikes are replaced where that avoids UCS-2; ucs2: never GSM 7-bit"
    )
    national_languages: tuple[Language, ...] = Field(
        (),
        description="languages whose GSM 7-bit tables SMSC and phones know; used where UCS-2 takes more segments",
    )
    characters: Literal["escapes", "latin1"] = Field(
        "escapes", description="how letters such as ä are written (033): escapes, or octets of ISO 8859-1"
    )
    data_coding: Octet = Field(0, description="data coding scheme of GSM texts (030); 0: told with a header only")
    ucs2_data_coding: Octet = Field(8, description="data coding scheme of UCS-2 texts (030)")
    mo_septets: Literal["packed", "octets"] = Field(
        "packed", description="how GSM text is written in binary user data (034) of MOs"
    )
    long_messages: Literal["udh8", "udh16"] = Field(
        "udh8", description="concatenation header (032) with 8 or 16 bits of reference"
    )
    max_parts: int = Field(255, ge=1, le=255, description="segments of a message; longer ones fail")
    more_messages: Flag = Field(False, description="say that more segments follow (044)")

    validity: int | None = Field(
        None, gt=0, le=LONGEST, description="seconds the SMSC tries for (050, 051); unset: as long as it likes"
    )
    validity_form: Literal["relative", "absolute"] = Field("relative", description="how validity is written")
    timezone: str = Field(
        "", description="of the SMSC's clock: Africa/Kampala, or +03:00; empty: unknown, its times are not used"
    )
    protocol_id: Octet | None = Field(None, description="GSM protocol identifier (052)")
    reply_path: Flag | None = Field(None, description="reply path (055)")
    cancel_enabled: Flag | None = Field(None, description="whether messages can be cancelled (058)")
    tariff_class: int | None = Field(None, ge=0, le=99, description="tariff class (064)")
    service_description: int | None = Field(None, ge=0, le=9, description="service description (065)")
    priority: int | None = Field(None, ge=1, le=9, description="priority (067); 1 is mostly the highest")
    error_classes: dict[ErrorCode, Literal["temporary", "throttled", "permanent", "account"]] = Field(
        {}, description="what an error code (900) of a submit means here, where it differs: {9: permanent}"
    )

    receipts: Literal["all", "last", "failure", "none"] = Field(
        "all",
        description="which status reports to ask for: of all segments, of the last one, which then speaks for all, or "
        "of failures only",
    )
    report_mask: int = Field(
        USUAL_REPORTS, ge=0, le=ALL_REPORTS,
        description="events to ask for (056): 2 expired, 4 failed, 8 delivered, 16 cancelled, 32 deleted",
    )  # fmt: skip
    intermediate: Flag = Field(False, description="ask for reports of temporary errors too (056, bit 1)")
    receipt_states: dict[StatusCode, Literal["delivered", "sent", "failed", "ignored"]] = Field(
        {}, description="what a status code (061) means here, where it differs: {6: sent}"
    )

    @field_validator("username", "password", "ip_address")
    @classmethod
    def _plain(cls, value: str) -> str:
        if value and (not value.isascii() or not value.isprintable()):
            raise ValueError("must be printable ASCII characters")
        return value

    @field_validator("subaddresses")
    @classmethod
    def _different(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("must be different from each other")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value:
            zone_of(value)
        return value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.binds > 1 and len(self.subaddresses) < self.binds:
            raise ValueError("binds above 1 need as many subaddresses: one user has one session without")
        if self.validity_form == "absolute" and not self.timezone:
            raise ValueError("validity_form absolute needs the timezone of the SMSC")
        return self

    # --- what the rest of the package reads ---------------------------------------------------------------------------

    @property
    def zone(self) -> tzinfo | None:
        """The time zone of the SMSC's clock, where it is known."""
        return zone_of(self.timezone) if self.timezone else None

    @property
    def negotiates(self) -> bool:
        """The login asks for the window."""
        return self.window_negotiation == "always" or (self.window_negotiation == "auto" and self.window > 1)

    def session(self) -> SessionConfig:
        """The settings of a session."""
        return SessionConfig(
            checksum=self.checksum,
            verify_checksum=self.verify_checksum,
            login_timeout=self.login_timeout,
            response_timeout=self.response_timeout,
            alive_interval=self.keepalive or None,
            alive_fixed=self.keepalive_fixed,
            alive_misses=self.keepalive_misses,
            inactivity_timeout=self.inactivity,
            logout_timeout=self.logout_timeout,
            resends=self.resends,
        )
