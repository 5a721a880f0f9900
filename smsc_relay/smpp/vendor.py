"""TLVs that an operator demands of every submit."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from smsc_relay.smpp.constants import TLVS, Tag

# TLVs that a submit has for other reasons -> the key that is one.
_WRITTEN: Final[dict[int, str]] = {
    Tag.MESSAGE_PAYLOAD: "long_messages: payload",
    Tag.SAR_MSG_REF_NUM: "long_messages: sar",
    Tag.SAR_TOTAL_SEGMENTS: "long_messages: sar",
    Tag.SAR_SEGMENT_SEQNUM: "long_messages: sar",
    Tag.MORE_MESSAGES_TO_SEND: "more_messages",
}


def _tag(value: Any) -> Any:
    try:
        return int(value, 0) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("must be a number, or 0x and hex digits") from None


class VendorTlv(BaseModel):
    """A TLV that every submit_sm carries."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, coerce_numbers_to_str=True)

    tag: Annotated[int, BeforeValidator(_tag), Field(ge=1, le=0xFFFF)] = Field(description="its number, e.g. 0x1400")
    type: Literal["integer", "text", "octets"] = Field("text", description="text is NUL-terminated; octets are in hex")
    value: str = Field(description="what is sent")
    length: int = Field(1, ge=1, le=8, description="octets of an integer")

    @property
    def octets(self) -> bytes:
        """The value on the wire.

        Raises:
            ValueError: the value is not of its type.
        """
        if self.type == "text":
            return self.value.encode("latin-1") + b"\0"
        if self.type == "octets":
            return bytes.fromhex(self.value)
        return int(self.value).to_bytes(self.length, "big")

    @model_validator(mode="after")
    def _of_its_type(self) -> Self:
        try:
            _ = self.octets
        except (ValueError, OverflowError):
            raise ValueError(f"value does not fit the type {self.type}") from None
        if self.tag in _WRITTEN:
            raise ValueError(f"tag 0x{self.tag:04X} is written where {_WRITTEN[self.tag]} asks for it")
        spec, length = TLVS.get(self.tag), len(self.octets)
        if spec is not None and self.type != "octets" and not spec.minimum <= length <= spec.maximum:
            most = f"{spec.minimum}" if spec.minimum == spec.maximum else f"{spec.minimum} to {spec.maximum}"
            what = f"tag 0x{self.tag:04X} has {most} octets by the specification, not {length}"
            raise ValueError(f"{what}; with type: octets it is sent all the same")
        return self
