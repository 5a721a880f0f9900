"""query_sm, cancel_sm and replace_sm (SMPP 3.4 sections 4.8 to 4.10): what an operator asks about one message."""

from __future__ import annotations

from smsc_relay.protocol import CannotEncode, Inquiry
from smsc_relay.smpp import address, texts
from smsc_relay.smpp.config import SmppConfig
from smsc_relay.smpp.constants import MessageState
from smsc_relay.smpp.pdus import CancelSm, Pdu, QuerySm, QuerySmResp, ReplaceSm


def request(inquiry: Inquiry, config: SmppConfig, registered: int) -> Pdu:
    """The PDU to send. The addresses are written as the message's were: an SMSC compares them. `registered`:
    registered_delivery of the new message.

    Raises:
        CannotEncode: the new text is too long, or needs another data_coding than the message has.
    """
    source = address.sender(inquiry.source, config)
    if inquiry.kind == "query":
        return QuerySm(
            message_id=inquiry.external_id,
            **source.as_source(),
        )
    if inquiry.kind == "cancel":
        destination = address.recipient(inquiry.destination, config)
        return CancelSm(
            service_type=config.service_type,
            message_id=inquiry.external_id,
            **source.as_source(),
            **destination.as_destination(),
        )
    return ReplaceSm(
        message_id=inquiry.external_id,
        **source.as_source(),
        registered_delivery=registered,
        short_message=_text(inquiry, config),
    )


def _text(inquiry: Inquiry, config: SmppConfig) -> bytes:
    """replace_sm has neither data_coding nor header: the text is written as the one before it."""
    found = texts.cut(inquiry.text, config)
    if found.segments > 1 or found.elements or len(found.parts[0]) > config.short_message_max:
        raise CannotEncode("replace_sm takes a text of one short message")
    if inquiry.encoding and found.encoding != inquiry.encoding:
        raise CannotEncode(
            f"the message was sent in {inquiry.encoding} and this text needs {found.encoding}: replace_sm cannot say so"
        )
    return found.parts[0]


def said(pdu: Pdu) -> tuple[tuple[str, str], ...]:
    """What an answer says."""
    if not isinstance(pdu, QuerySmResp):
        return ()
    try:
        state = MessageState(pdu.message_state).name
    except ValueError:
        state = f"unknown state {pdu.message_state}"
    found = [("message_state", state)]
    if pdu.final_date:
        found.append(("final_date", pdu.final_date))
    if pdu.error_code:
        found.append(("error_code", str(pdu.error_code)))
    return tuple(found)
