"""Pieces of a script: what each part of a simulated SMSC does, as frozen models with defaults.

All times are seconds. What happens to one message in many is counted (`every: 5` is the fifth, the tenth, ...), never
drawn, so that a run can be repeated. Statuses are written as SMPP's command_status, by name or number.
"""

from __future__ import annotations

import re
from string import Formatter
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from smsc_relay.simulator.content import ALPHABETS
from smsc_relay.smpp.constants import Status
from smsc_relay.smpp.statuses import StatusCode
from smsc_relay.smpp.vendor import VendorTlv


class Model(BaseModel):
    """A part of the script. An unknown key is an error that names it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _span(value: Any) -> Any:
    return (value, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("must be [shortest, longest]")
    return value


def _not_negative(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] < 0:
        raise ValueError("must not be negative")
    return value


# A time, or the two ends of a range to draw from.
SignedSpan = Annotated[tuple[float, float], BeforeValidator(_span), AfterValidator(_ascending)]
Span = Annotated[SignedSpan, AfterValidator(_not_negative)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
State = Literal[
    "SCHEDULED", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD", "SKIPPED"
]


def _alphabet(value: str) -> str:
    if value not in ALPHABETS:
        raise ValueError(f"must be one of {', '.join(ALPHABETS)}")
    return value


Alphabet = Annotated[str, AfterValidator(_alphabet)]


def _one_octet_each(value: str) -> str:
    if "\0" in value or any(ord(character) > 255 for character in value):
        raise ValueError("must be characters of Latin-1, one octet each")
    return value


def _fitting(value: tuple[VendorTlv, ...]) -> tuple[VendorTlv, ...]:
    if sum(len(tlv.octets) + 4 for tlv in value) > _LONGEST_TLVS:
        raise ValueError(f"must be at most {_LONGEST_TLVS} octets")
    return value


_LONGEST_ID: Final = 240  # octets: more than SMPP allows, as some SMSCs do, and less than any client must read
_LONGEST_TLVS: Final = 60_000
Latin = Annotated[str, AfterValidator(_one_octet_each)]
Tlvs = Annotated[tuple[VendorTlv, ...], AfterValidator(_fitting)]

# --- templates ------------------------------------------------------------------------------------------------------

# How a message id is written: {n} is a number, {uuid} a UUID made of it.
ID_FORMS: Final = {
    "decimal": "{n}",
    "padded": "{n:010d}",
    "hex": "{n:x}",
    "hex_upper": "{n:X}",
    "hex_padded": "{n:010x}",
    "uuid": "{uuid}",
    "none": "",
}
# How the text of a receipt is written: the forms met in the field.
RECEIPT_STYLES: Final = {
    "standard": "id:{id} sub:001 dlvrd:{dlvrd:03d} submit date:{submit10} done date:{done10} stat:{stat} err:{err} "
    "text:{text}",
    "short": "id:{id} stat:{stat} err:{err}",
    "seconds": "id:{id} sub:1 dlvrd:{dlvrd} submit date:{submit12} done date:{done12} stat:{stat} err:{err:0>4} "
    "Text:{text}",
    "no_text": "id:{id} sub:001 dlvrd:{dlvrd:03d} submit date:{submit10} done date:{done10} stat:{stat} err:{err} "
    "text:",
    "spaced": "id:{id} submit date:{submit10} done date:{done10} stat:{stat} err: {err} text:{text}",
    "reordered": "id:{id} stat:{stat} err:{err} done date:{done10}",
    "smpp_time": "id:{id} sub:001 dlvrd:{dlvrd:03d} submit date:{submit16} done date:{done16} stat:{stat} err:{err}",
    "upper": "ID:{id} STAT:{stat} ERR:{err}",
    "empty": "id:{id} sub:001 dlvrd:{dlvrd:03d} submit date: done date: stat:{stat} err:",
    "repeated": "id:{id} sub:001 dlvrd:{dlvrd:03d} submit date:{submit10} done date:{done10} stat:{stat} err:{err} "
    "text:id:99 stat:UNDELIV",
    "csv": "{state},{done14},{submit14},{err},{to},{id},",
}
_ID_SAMPLE: Final[dict[str, Any]] = {"n": 1, "uuid": "7f3c1f0e-66aa-4a51-9c1b-0d3f5f4f2a10"}
_RECEIPT_SAMPLE: Final[dict[str, Any]] = {
    "id": "1", "dlvrd": 1, "stat": "DELIVRD", "state": 2, "err": "000", "text": "", "to": "", "from": "",
    **{f"{name}{length}": "" for name in ("submit", "done") for length in (10, 12, 14, 16)},
}  # fmt: skip


def _template(value: Any, named: dict[str, str], sample: dict[str, Any]) -> Any:
    """A named template, or one written out."""
    if not isinstance(value, str) or value in named:
        return named.get(value, value) if isinstance(value, str) else value
    known = ", ".join(f"{{{name}}}" for name in sample)
    try:
        fields = [name for _, name, _, _ in Formatter().parse(value) if name is not None]
        if value not in named.values() and not fields:
            raise ValueError(f"must be one of {', '.join(named)}, or a text with {known}")
        if not set(fields) <= sample.keys():
            raise ValueError(f"knows only {known}")
        _ = value.format_map(sample).encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("must be characters of Latin-1") from None
    except (LookupError, AttributeError):
        raise ValueError(f"knows only {known}") from None
    return value


def _id_form(value: Any) -> Any:
    form = _template(value, ID_FORMS, _ID_SAMPLE)
    if isinstance(form, str) and len(form.format_map(_ID_SAMPLE)) > _LONGEST_ID:
        raise ValueError(f"makes ids of more than {_LONGEST_ID} characters")
    return form


def _receipt_style(value: Any) -> Any:
    return _template(value, RECEIPT_STYLES, _RECEIPT_SAMPLE)


IdForm = Annotated[str, BeforeValidator(_id_form)]
ReceiptStyle = Annotated[str, BeforeValidator(_receipt_style)]

# --- behaviour ------------------------------------------------------------------------------------------------------


class Login(Model):
    """How logins are answered."""

    smsc: Latin = Field("SMSC", max_length=255, description="what the SMSC calls itself")
    version: Literal[0, 33, 34, 50] | None = Field(
        34, description="sc_interface_version of the answer, to clients of 3.4 or later; null: not said"
    )
    delay: Span = Field((0, 0), description="until the answer")
    status: StatusCode | None = Field(None, description="refuse with it, whatever the password")
    times: Count | None = Field(None, description="refuse so many logins of an account only, then accept")
    answer: bool = Field(True, description="false: never answer")
    tlvs: Tlvs = Field((), description="TLVs of the answer")


class Ids(Model):
    """How message ids are written."""

    answer: IdForm = Field(ID_FORMS["padded"], description="in the answer to the submit")
    receipt: IdForm | None = Field(None, description="in the text of a receipt; null: as in the answer")
    tlv: IdForm | None = Field(None, description="in receipted_message_id; null: as in the text")
    first: int | None = Field(None, ge=1, le=0xFFFFFFFF, description="number of the first message; null: any")


class Burst(Model):
    """Refusals in a row: of `after + length` submits the last `length`."""

    after: Count = 10
    length: Count = 5
    status: StatusCode = Status.ESME_RTHROTTLED


class Answers(Model):
    """How submits are answered."""

    delay: Span = Field((0, 0), description="until the answer; a range mixes the order")
    reorder: int = Field(0, ge=0, description="hold so many answers, then send them last first")
    hold: Seconds = Field(0.2, description="with reorder: send what there is after so long")
    drop_every: Count | None = Field(None, description="every so many accepted submits one is not answered")
    nack_every: Count | None = Field(None, description="every so many submits one is answered by a generic_nack")
    nack_status: StatusCode = Field(Status.ESME_RINVCMDID, description="its status")
    stray_every: Count | None = Field(None, description="every so many, an answer to nothing comes first")
    burst: Burst | None = Field(None, description="refusals in a row")
    over_tps: StatusCode = Field(Status.ESME_RTHROTTLED, description="to a submit above the account's tps")
    over_window: StatusCode | Literal["silence"] = Field(
        Status.ESME_RTHROTTLED, description="to a submit above the account's window"
    )
    refusal: Literal["header", "nul", "id", "tlv"] = Field(
        "header", description="what a refusal carries: nothing, an empty id, an id, a TLV right after the header"
    )
    congestion: tuple[Annotated[int, Field(ge=0, le=100)], ...] = Field(
        (), description="congestion_state of the answers, one level after the other; the last one stays"
    )
    congestion_step: Count = Field(10, description="answers per level")
    tlvs: Tlvs = Field((), description="TLVs of the answer to an accepted submit")


class Receipts(Model):
    """Which receipts come, when, and in what form."""

    when: Literal["requested", "always", "never"] = "requested"
    delay: SignedSpan = Field((0.1, 0.1), description="after the answer; negative: so long before the answer")
    state: State = "DELIVRD"
    err: str = Field("000", max_length=10)
    intermediate: tuple[State, ...] = Field((), description="states told on the way, where asked for (or `always`)")
    intermediate_as: Literal["notification", "receipt"] = Field(
        "notification", description="esm_class of these: 0x20 or 0x04"
    )
    words: dict[str, str] = Field({}, description="what stat says instead: {DELIVRD: DELIVERED}")
    style: ReceiptStyle = Field(RECEIPT_STYLES["standard"], description="form of the text")
    via: Literal["both", "text", "tlv", "payload", "data_sm"] = Field(
        "both", description="text and TLVs, or one of them; text in message_payload; text and TLVs in a data_sm"
    )
    marked: bool = Field(True, description="false: esm_class does not say that it is a receipt")
    network_error: bool = Field(False, description="add the TLV network_error_code, made of err")
    data_coding: int = Field(0, ge=0, le=255)
    utc_offset: float = Field(0, ge=-12, le=14, description="hours by which the SMSC's clock is ahead of UTC")
    lose_every: Count | None = Field(None, description="every so many one is never sent")
    duplicate_every: Count | None = Field(None, description="every so many one is sent twice")
    tlvs: Tlvs = Field((), description="further TLVs")


class Network(Model):
    """The way from the SMSC to the phones."""

    delay: Span = Field((0, 0), description="until the phone has a message; until then it can be cancelled or replaced")


class Mo(Model):
    """How MOs and receipts are delivered to the client."""

    window: Count = Field(10, description="unanswered at a time, per session")
    retry: Seconds = Field(1.0, description="until what was refused for the moment, or not answered, is sent again")
    attempts: Count = Field(100, description="then it is given up")


class Link(Model):
    """How a connection behaves."""

    answer_enquire_link: bool = True
    answer_unbind: bool = Field(True, description="false: neither answer an unbind nor close")
    enquire_link: Seconds | None = Field(None, description="send enquire_link that often")
    idle_close: Seconds | None = Field(None, description="close without unbind after so long a silence of the client")
    idle_unbind: Seconds | None = Field(None, description="unbind after so long a silence of the client")
    close_after: Count | None = Field(None, description="close without unbind instead of answering that submit")
    freeze_after: Count | None = Field(None, description="from that submit on neither read, write nor close")
    unbind_after: Count | None = Field(None, description="unbind after the answer to that submit")
    bad_length_after: Count | None = Field(None, description="after that submit, send a PDU of a length that cannot be")
    bad_length: Literal["oversize", "undersize"] = "oversize"
    read_rate: float | None = Field(None, gt=0, description="octets per second read, however many have come")
    chunk: int = Field(0, ge=0, description="octets per write; 0: all at once")
    chunk_pause: float = Field(0, ge=0, description="between two of them")
    gather: float = Field(0, ge=0, description="collect what is to be sent for so long, then write all of it")


class Ucp(Model):
    """What only UCP has."""

    trusts: str | None = Field(None, description="account of who does not log in; unset: a login is needed")
    names: bool = Field(True, description="false: answers to submits have no AdC:SCTS")
    same_stamps: bool = Field(False, description="two messages to one recipient in one second get one time stamp")
    scts: bool = Field(True, description="false: notifications have the time stamp in their text alone")
    dscts: bool = Field(True, description="false: notifications have no DSCTS")
    mo_operation: Literal["52", "01", "30"] = Field("52", description="what MOs come with")
    crlf: bool = Field(False, description="CR LF after every frame")
    wrong_checksum_every: Count | None = Field(None, description="every so many frames one has a wrong checksum")
    wrong_length_every: Count | None = Field(None, description="every so many frames one has a LEN one too large")


class Cimd2(Model):
    """What only CIMD2 has."""

    greeting: Latin = Field(
        "CIMD2-A ConnectionInfo: SessionId = {session} PortId = 1 Time = {time} AccessType = TCPIP_SOCKET PIN = 1",
        description="line sent on connection, with {session} and {time}; empty: none",
    )
    checksum: Literal["auto", "upper", "lower", "none"] = Field("upper", description="auto: as the client writes it")
    characters: Literal["escapes", "latin1"] = Field("escapes", description="how letters are written in MOs (033)")
    timestamps: Literal["unique", "second"] = Field(
        "unique", description="second: messages of one second to one destination have the same (060), as of old"
    )
    window_max: int | None = Field(
        128, ge=1, le=128, description="largest window that a login may ask for (019); null: none"
    )
    subaddresses: bool = Field(True, description="sessions of one user must have different ones (012)")
    prohibited: tuple[Literal[23, 27, 44, 50, 51, 52, 53, 54, 55, 56, 58, 64, 65, 67], ...] = Field(
        (), description="parameters that a submit may not have"
    )
    report_originator: bool = Field(False, description="status reports have the message's originator (023)")
    noise: Latin = Field("", max_length=1000, description="text sent after every answer, outside of packets")

    @field_validator("greeting")
    @classmethod
    def _template(cls, value: str) -> str:
        try:
            _ = value.format_map({"session": 1, "time": ""})
        except (LookupError, ValueError, AttributeError):
            raise ValueError("knows only {session} and {time}") from None
        return value


class Rule(Model):
    """What happens to submits to numbers that end in certain digits."""

    status: StatusCode | None = Field(None, description="refuse with it")
    times: Count | None = Field(None, description="the first so many submits to each number only")
    answer: bool = Field(True, description="false: no answer")
    taken: bool = Field(True, description="false, without status: the phone gets nothing")
    nack: bool = Field(False, description="answer with a generic_nack of `status`")
    link: Literal["close", "unbind", "freeze"] | None = Field(None, description="end the session instead of answering")
    delay: Span | None = Field(None, description="until the answer")
    state: State | None = Field(None, description="in the final receipt")
    err: str | None = Field(None, max_length=10)
    receipts: int | None = Field(None, ge=0, le=10, description="final receipts to send, where one is due")
    receipt_delay: SignedSpan | None = None
    intermediate: tuple[State, ...] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Rule:
        if self.nack and self.status is None:
            raise ValueError("nack needs a status")
        return self


class Behaviour(Model):
    """All of it."""

    login: Login = Login()
    ids: Ids = Ids()
    answers: Answers = Answers()
    network: Network = Network()
    receipts: Receipts = Receipts()
    mo: Mo = Mo()
    link: Link = Link()
    cimd2: Cimd2 = Cimd2()
    ucp: Ucp = Ucp()


DEFAULT_RULES: Final[dict[str, Rule]] = {
    "0008": Rule(status=Status.ESME_RSYSERR),
    "0010": Rule(status=Status.ESME_RINVSRCADR),
    "0011": Rule(status=Status.ESME_RINVDSTADR),
    "0014": Rule(status=Status.ESME_RMSGQFUL, times=1),
    "0045": Rule(status=Status.ESME_RSUBMITFAIL),
    "0088": Rule(status=Status.ESME_RTHROTTLED),
    "0089": Rule(status=Status.ESME_RTHROTTLED, times=3),
    "0095": Rule(delay=(5, 5)),
    "0096": Rule(status=Status.ESME_RINVCMDID, nack=True),
    "0097": Rule(link="close", taken=False),
    "0098": Rule(answer=False),
    "0099": Rule(answer=False, taken=False),
    "0100": Rule(receipts=0),
    "0101": Rule(intermediate=("ENROUTE", "ACCEPTD")),
    "0102": Rule(receipts=2),
    "0103": Rule(state="EXPIRED", err="003"),
    "0104": Rule(state="DELETED", err="004"),
    "0105": Rule(state="UNDELIV", err="005"),
    "0107": Rule(state="UNKNOWN", err="007"),
    "0108": Rule(state="REJECTD", err="008"),
    "0109": Rule(receipt_delay=(-0.2, -0.2)),
}

_SUFFIX: Final = re.compile("[0-9]{1,20}")


def suffixes(value: Any) -> Any:
    """Keys of `destinations` must be quoted digits: YAML reads 0011 as the number 9."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or not _SUFFIX.fullmatch(key):
                raise ValueError(f'{key} is no suffix: write the digits in quotes, such as "0011"')
    return value
