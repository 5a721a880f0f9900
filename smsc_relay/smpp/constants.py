"""The numbers of SMPP 3.3, 3.4 and 5.0: commands, statuses, TLV tags and one-octet fields.

Source: SMPP 3.4 chapter 5 and SMPP 5.0 chapter 4. Values that a peer sends are plain ``int`` everywhere in this
package, because deployed SMSCs use numbers that no version defines; the enums here compare equal to them. One
long file, since it is tables.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final, NamedTuple

RESPONSE_BIT: Final = 0x80000000
HEADER_SIZE: Final = 16
MAX_SEQUENCE: Final = 0x7FFFFFFF

# 64 KiB is the longest message_payload a TLV can carry; 1 KiB is room for every other field. Some
# gateways stop at 7,424 octets and so refuse PDUs that are legal.
DEFAULT_MAX_PDU: Final = 64 * 1024 + 1024

VERSION_33: Final = 0x33
VERSION_34: Final = 0x34
VERSION_50: Final = 0x50


class CommandId(IntEnum):
    """command_id of the requests and of generic_nack (SMPP 3.4 section 5.1.2.1, SMPP 5.0 section 4.7.5).

    A response has the id of its request with bit 31 set.
    """

    GENERIC_NACK = 0x80000000
    BIND_RECEIVER = 0x00000001
    BIND_TRANSMITTER = 0x00000002
    QUERY_SM = 0x00000003
    SUBMIT_SM = 0x00000004
    DELIVER_SM = 0x00000005
    UNBIND = 0x00000006
    REPLACE_SM = 0x00000007
    CANCEL_SM = 0x00000008
    BIND_TRANSCEIVER = 0x00000009
    OUTBIND = 0x0000000B
    ENQUIRE_LINK = 0x00000015
    SUBMIT_MULTI = 0x00000021
    PARAM_RETRIEVE = 0x00000022  # 3.3 only
    QUERY_LAST_MSGS = 0x00000023  # 3.3 only
    QUERY_MSG_DETAILS = 0x00000024  # 3.3 only
    ALERT_NOTIFICATION = 0x00000102
    DATA_SM = 0x00000103
    BROADCAST_SM = 0x00000111
    QUERY_BROADCAST_SM = 0x00000112
    CANCEL_BROADCAST_SM = 0x00000113


class Status(IntEnum):
    """command_status (SMPP 3.4 section 5.1.3, SMPP 5.0 section 4.7.6)."""

    ESME_ROK = 0x00000000  # success
    ESME_RINVMSGLEN = 0x00000001  # message length wrong
    ESME_RINVCMDLEN = 0x00000002  # command length wrong
    ESME_RINVCMDID = 0x00000003  # unknown or unsupported command
    ESME_RINVBNDSTS = 0x00000004  # operation not allowed in this bind state
    ESME_RALYBND = 0x00000005  # already bound
    ESME_RINVPRTFLG = 0x00000006  # bad priority_flag
    ESME_RINVREGDLVFLG = 0x00000007  # bad registered_delivery
    ESME_RSYSERR = 0x00000008  # SMSC internal error
    ESME_RINVSRCADR = 0x0000000A  # bad source address
    ESME_RINVDSTADR = 0x0000000B  # bad destination address
    ESME_RINVMSGID = 0x0000000C  # unknown message_id
    ESME_RBINDFAIL = 0x0000000D  # bind refused, unspecified
    ESME_RINVPASWD = 0x0000000E  # wrong password
    ESME_RINVSYSID = 0x0000000F  # unknown system_id
    ESME_RCANCELFAIL = 0x00000011  # cancel failed
    ESME_RREPLACEFAIL = 0x00000013  # replace failed
    ESME_RMSGQFUL = 0x00000014  # SMSC (or destination) queue full
    ESME_RINVSERTYP = 0x00000015  # bad service_type
    ESME_RINVNUMDESTS = 0x00000033  # bad number of destinations
    ESME_RINVDLNAME = 0x00000034  # bad distribution list name
    ESME_RINVDESTFLAG = 0x00000040  # bad dest_flag
    ESME_RINVSUBREP = 0x00000042  # submit with replace not possible
    ESME_RINVESMCLASS = 0x00000043  # bad esm_class
    ESME_RCNTSUBDL = 0x00000044  # distribution list not allowed
    ESME_RSUBMITFAIL = 0x00000045  # submit failed, unspecified
    ESME_RINVSRCTON = 0x00000048  # bad source TON
    ESME_RINVSRCNPI = 0x00000049  # bad source NPI
    ESME_RINVDSTTON = 0x00000050  # bad destination TON
    ESME_RINVDSTNPI = 0x00000051  # bad destination NPI
    ESME_RINVSYSTYP = 0x00000053  # bad system_type
    ESME_RINVREPFLAG = 0x00000054  # bad replace_if_present_flag
    ESME_RINVNUMMSGS = 0x00000055  # bad number of messages
    ESME_RTHROTTLED = 0x00000058  # rate or window exceeded
    ESME_RINVSCHED = 0x00000061  # bad schedule time
    ESME_RINVEXPIRY = 0x00000062  # bad validity
    ESME_RINVDFTMSGID = 0x00000063  # unknown canned message
    ESME_RX_T_APPN = 0x00000064  # ESME receiver: temporary
    ESME_RX_P_APPN = 0x00000065  # ESME receiver: permanent
    ESME_RX_R_APPN = 0x00000066  # ESME receiver: rejected
    ESME_RQUERYFAIL = 0x00000067  # query failed
    ESME_RINVTLVSTREAM = 0x000000C0  # TLV part unreadable
    ESME_RTLVNOTALLWD = 0x000000C1  # TLV not allowed here
    ESME_RINVTLVLEN = 0x000000C2  # TLV length wrong
    ESME_RMISSINGTLV = 0x000000C3  # required TLV missing
    ESME_RINVTLVVAL = 0x000000C4  # TLV value wrong
    ESME_RDELIVERYFAILURE = 0x000000FE  # data_sm transaction delivery failed
    ESME_RUNKNOWNERR = 0x000000FF  # unknown error
    ESME_RSERTYPUNAUTH = 0x00000100  # not authorised for service_type
    ESME_RPROHIBITED = 0x00000101  # operation prohibited for this ESME
    ESME_RSERTYPUNAVAIL = 0x00000102  # service_type unavailable now
    ESME_RSERTYPDENIED = 0x00000103  # service_type denied
    ESME_RINVDCS = 0x00000104  # bad data_coding
    ESME_RINVSRCADDRSUBUNIT = 0x00000105  # bad source subunit
    ESME_RINVDSTADDRSUBUNIT = 0x00000106  # bad destination subunit
    ESME_RINVBCASTFREQINT = 0x00000107  # bad broadcast interval
    ESME_RINVBCASTALIAS_NAME = 0x00000108  # bad broadcast alias
    ESME_RINVBCASTAREAFMT = 0x00000109  # bad broadcast area format
    ESME_RINVNUMBCAST_AREAS = 0x0000010A  # bad number of areas
    ESME_RINVBCASTCNTTYPE = 0x0000010B  # bad content type
    ESME_RINVBCASTMSGCLASS = 0x0000010C  # bad broadcast class
    ESME_RBCASTFAIL = 0x0000010D  # broadcast failed
    ESME_RBCASTQUERYFAIL = 0x0000010E  # broadcast query failed
    ESME_RBCASTCANCELFAIL = 0x0000010F  # broadcast cancel failed
    ESME_RINVBCAST_REP = 0x00000110  # bad repetition count
    ESME_RINVBCASTSRVGRP = 0x00000111  # bad service group
    ESME_RINVBCASTCHANIND = 0x00000112  # bad channel indicator


class StatusClass(Enum):
    """What a sender does about a command_status."""

    OK = "ok"
    TEMPORARY = "temporary"  # try this message again later; the attempt counts
    THROTTLED = "throttled"  # slow the whole session down and try again; the attempt does not count
    PERMANENT = "permanent"  # this message will never be taken
    SESSION = "session"  # nothing wrong with the message: the session has to be made anew
    CONFIGURATION = "configuration"  # no bind will work until someone changes the account's settings


# Every status that is absent here is PERMANENT, and so are vendor codes (0x400-0x4FF) and unknown ones: a retry of a
# message that is refused for what it is only costs money. Operators disagree most about RSUBMITFAIL, RUNKNOWNERR and
# their own vendor codes, which is why a connection's settings may override this table.
_CLASSES: Final[dict[int, StatusClass]] = {
    Status.ESME_ROK: StatusClass.OK,
    Status.ESME_RINVBNDSTS: StatusClass.SESSION,
    Status.ESME_RALYBND: StatusClass.SESSION,
    Status.ESME_RSYSERR: StatusClass.TEMPORARY,
    Status.ESME_RBINDFAIL: StatusClass.SESSION,
    Status.ESME_RINVPASWD: StatusClass.CONFIGURATION,
    Status.ESME_RINVSYSID: StatusClass.CONFIGURATION,
    Status.ESME_RMSGQFUL: StatusClass.THROTTLED,
    Status.ESME_RINVSYSTYP: StatusClass.CONFIGURATION,
    Status.ESME_RTHROTTLED: StatusClass.THROTTLED,
    Status.ESME_RX_T_APPN: StatusClass.TEMPORARY,
    Status.ESME_RDELIVERYFAILURE: StatusClass.TEMPORARY,
    Status.ESME_RUNKNOWNERR: StatusClass.TEMPORARY,
    Status.ESME_RSERTYPUNAVAIL: StatusClass.TEMPORARY,
}

# A refused bind says nothing about a message: whatever is neither a known fault of the settings nor a request to wait
# is a failed session, to be tried again with back-off.
_BIND_CLASSES: Final[dict[int, StatusClass]] = {
    Status.ESME_ROK: StatusClass.OK,
    Status.ESME_RALYBND: StatusClass.TEMPORARY,  # the SMSC has not noticed yet that the last session died
    Status.ESME_RSYSERR: StatusClass.TEMPORARY,
    Status.ESME_RINVPASWD: StatusClass.CONFIGURATION,
    Status.ESME_RINVSYSID: StatusClass.CONFIGURATION,
    Status.ESME_RINVSYSTYP: StatusClass.CONFIGURATION,
    Status.ESME_RTHROTTLED: StatusClass.THROTTLED,
}


def status_class(status: int) -> StatusClass:
    """The class of the command_status of any response but a bind's; PERMANENT for unknown codes."""
    return _CLASSES.get(status, StatusClass.PERMANENT)


def bind_status_class(status: int) -> StatusClass:
    """The class of the command_status of a bind response; SESSION for unknown codes."""
    return _BIND_CLASSES.get(status, StatusClass.SESSION)


def status_name(status: int) -> str:
    """``ESME_RTHROTTLED`` for 0x58; ``0x00000412`` for a code that no version of SMPP defines."""
    try:
        return Status(status).name
    except ValueError:
        return f"0x{status:08X}"


class Tag(IntEnum):
    """TLV tags (SMPP 3.4 section 5.3.2, SMPP 5.0 section 4.8.4)."""

    DEST_ADDR_SUBUNIT = 0x0005
    DEST_NETWORK_TYPE = 0x0006
    DEST_BEARER_TYPE = 0x0007
    DEST_TELEMATICS_ID = 0x0008
    SOURCE_ADDR_SUBUNIT = 0x000D
    SOURCE_NETWORK_TYPE = 0x000E
    SOURCE_BEARER_TYPE = 0x000F
    SOURCE_TELEMATICS_ID = 0x0010
    QOS_TIME_TO_LIVE = 0x0017
    PAYLOAD_TYPE = 0x0019
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    MS_MSG_WAIT_FACILITIES = 0x0030
    PRIVACY_INDICATOR = 0x0201
    SOURCE_SUBADDRESS = 0x0202
    DEST_SUBADDRESS = 0x0203
    USER_MESSAGE_REFERENCE = 0x0204
    USER_RESPONSE_CODE = 0x0205
    SOURCE_PORT = 0x020A
    DESTINATION_PORT = 0x020B
    SAR_MSG_REF_NUM = 0x020C
    LANGUAGE_INDICATOR = 0x020D
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    CALLBACK_NUM_PRES_IND = 0x0302
    CALLBACK_NUM_ATAG = 0x0303
    NUMBER_OF_MESSAGES = 0x0304
    CALLBACK_NUM = 0x0381
    DPF_RESULT = 0x0420
    SET_DPF = 0x0421
    MS_AVAILABILITY_STATUS = 0x0422
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    DELIVERY_FAILURE_REASON = 0x0425
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427
    CONGESTION_STATE = 0x0428
    USSD_SERVICE_OP = 0x0501
    BROADCAST_CHANNEL_INDICATOR = 0x0600
    BROADCAST_CONTENT_TYPE = 0x0601
    BROADCAST_CONTENT_TYPE_INFO = 0x0602
    BROADCAST_MESSAGE_CLASS = 0x0603
    BROADCAST_REP_NUM = 0x0604
    BROADCAST_FREQUENCY_INTERVAL = 0x0605
    BROADCAST_AREA_IDENTIFIER = 0x0606
    BROADCAST_ERROR_STATUS = 0x0607
    BROADCAST_AREA_SUCCESS = 0x0608
    BROADCAST_END_TIME = 0x0609
    BROADCAST_SERVICE_GROUP = 0x060A
    BILLING_IDENTIFICATION = 0x060B
    SOURCE_NETWORK_ID = 0x060D
    DEST_NETWORK_ID = 0x060E
    SOURCE_NODE_ID = 0x060F
    DEST_NODE_ID = 0x0610
    DEST_ADDR_NP_RESOLUTION = 0x0611
    DEST_ADDR_NP_INFORMATION = 0x0612
    DEST_ADDR_NP_COUNTRY = 0x0613
    DISPLAY_TIME = 0x1201
    SMS_SIGNAL = 0x1203
    MS_VALIDITY = 0x1204
    ALERT_ON_MESSAGE_DELIVERY = 0x130C
    ITS_REPLY_TYPE = 0x1380
    ITS_SESSION_INFO = 0x1383


class TlvKind(Enum):
    INT = "integer"
    CSTR = "NUL-terminated"
    OCTETS = "octets"


class TlvSpec(NamedTuple):
    """What the specifications say of a TLV's value: its kind and its length in octets, a closing NUL included."""

    kind: TlvKind
    minimum: int
    maximum: int


_INT1, _INT2, _INT4 = TlvSpec(TlvKind.INT, 1, 1), TlvSpec(TlvKind.INT, 2, 2), TlvSpec(TlvKind.INT, 4, 4)

TLVS: Final[dict[int, TlvSpec]] = {
    Tag.DEST_ADDR_SUBUNIT: _INT1,
    Tag.DEST_NETWORK_TYPE: _INT1,
    Tag.DEST_BEARER_TYPE: _INT1,
    Tag.DEST_TELEMATICS_ID: _INT2,
    Tag.SOURCE_ADDR_SUBUNIT: _INT1,
    Tag.SOURCE_NETWORK_TYPE: _INT1,
    Tag.SOURCE_BEARER_TYPE: _INT1,
    Tag.SOURCE_TELEMATICS_ID: TlvSpec(TlvKind.INT, 1, 2),  # 1 in 3.4, 2 in 5.0
    Tag.QOS_TIME_TO_LIVE: _INT4,
    Tag.PAYLOAD_TYPE: _INT1,
    Tag.ADDITIONAL_STATUS_INFO_TEXT: TlvSpec(TlvKind.CSTR, 1, 256),
    Tag.RECEIPTED_MESSAGE_ID: TlvSpec(TlvKind.CSTR, 1, 65),
    Tag.MS_MSG_WAIT_FACILITIES: _INT1,
    Tag.PRIVACY_INDICATOR: _INT1,
    Tag.SOURCE_SUBADDRESS: TlvSpec(TlvKind.OCTETS, 2, 23),
    Tag.DEST_SUBADDRESS: TlvSpec(TlvKind.OCTETS, 2, 23),
    Tag.USER_MESSAGE_REFERENCE: _INT2,
    Tag.USER_RESPONSE_CODE: _INT1,
    Tag.SOURCE_PORT: _INT2,
    Tag.DESTINATION_PORT: _INT2,
    Tag.SAR_MSG_REF_NUM: _INT2,
    Tag.LANGUAGE_INDICATOR: _INT1,
    Tag.SAR_TOTAL_SEGMENTS: _INT1,
    Tag.SAR_SEGMENT_SEQNUM: _INT1,
    Tag.SC_INTERFACE_VERSION: _INT1,
    Tag.CALLBACK_NUM_PRES_IND: _INT1,
    Tag.CALLBACK_NUM_ATAG: TlvSpec(TlvKind.OCTETS, 0, 65),
    Tag.NUMBER_OF_MESSAGES: _INT1,
    Tag.CALLBACK_NUM: TlvSpec(TlvKind.OCTETS, 4, 19),
    Tag.DPF_RESULT: _INT1,
    Tag.SET_DPF: _INT1,
    Tag.MS_AVAILABILITY_STATUS: _INT1,
    Tag.NETWORK_ERROR_CODE: TlvSpec(TlvKind.OCTETS, 3, 3),
    Tag.MESSAGE_PAYLOAD: TlvSpec(TlvKind.OCTETS, 0, 65535),
    Tag.DELIVERY_FAILURE_REASON: _INT1,
    Tag.MORE_MESSAGES_TO_SEND: _INT1,
    Tag.MESSAGE_STATE: _INT1,
    Tag.CONGESTION_STATE: _INT1,
    Tag.USSD_SERVICE_OP: TlvSpec(TlvKind.OCTETS, 1, 1),
    Tag.BROADCAST_CHANNEL_INDICATOR: _INT1,
    Tag.BROADCAST_CONTENT_TYPE: TlvSpec(TlvKind.OCTETS, 3, 3),
    Tag.BROADCAST_CONTENT_TYPE_INFO: TlvSpec(TlvKind.OCTETS, 1, 255),
    Tag.BROADCAST_MESSAGE_CLASS: _INT1,
    Tag.BROADCAST_REP_NUM: _INT2,
    Tag.BROADCAST_FREQUENCY_INTERVAL: TlvSpec(TlvKind.OCTETS, 3, 3),
    Tag.BROADCAST_AREA_IDENTIFIER: TlvSpec(TlvKind.OCTETS, 1, 101),
    Tag.BROADCAST_ERROR_STATUS: _INT4,
    Tag.BROADCAST_AREA_SUCCESS: _INT1,
    Tag.BROADCAST_END_TIME: TlvSpec(TlvKind.CSTR, 16, 17),  # with or without its NUL
    Tag.BROADCAST_SERVICE_GROUP: TlvSpec(TlvKind.OCTETS, 1, 255),
    Tag.BILLING_IDENTIFICATION: TlvSpec(TlvKind.OCTETS, 1, 1024),
    Tag.SOURCE_NETWORK_ID: TlvSpec(TlvKind.CSTR, 7, 66),
    Tag.DEST_NETWORK_ID: TlvSpec(TlvKind.CSTR, 7, 66),
    Tag.SOURCE_NODE_ID: TlvSpec(TlvKind.OCTETS, 6, 6),
    Tag.DEST_NODE_ID: TlvSpec(TlvKind.OCTETS, 6, 6),
    Tag.DEST_ADDR_NP_RESOLUTION: _INT1,
    Tag.DEST_ADDR_NP_INFORMATION: TlvSpec(TlvKind.OCTETS, 10, 10),
    Tag.DEST_ADDR_NP_COUNTRY: TlvSpec(TlvKind.OCTETS, 1, 5),
    Tag.DISPLAY_TIME: _INT1,
    Tag.SMS_SIGNAL: _INT2,
    Tag.MS_VALIDITY: TlvSpec(TlvKind.INT, 1, 4),  # 1; 5.0 also 4
    Tag.ALERT_ON_MESSAGE_DELIVERY: TlvSpec(TlvKind.INT, 0, 1),  # empty in 3.4; 5.0 also 1
    Tag.ITS_REPLY_TYPE: _INT1,
    Tag.ITS_SESSION_INFO: TlvSpec(TlvKind.OCTETS, 2, 2),
}


class MessageState(IntEnum):
    """message_state (SMPP 3.4 section 5.2.28, SMPP 5.0 section 4.7.15)."""

    SCHEDULED = 0  # 5.0 only
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9  # 5.0 only


class Ton(IntEnum):
    """Type of number (SMPP 3.4 section 5.2.5)."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    SUBSCRIBER = 4
    ALPHANUMERIC = 5
    ABBREVIATED = 6


class Npi(IntEnum):
    """Numbering plan indicator (SMPP 3.4 section 5.2.6)."""

    UNKNOWN = 0
    E164 = 1
    X121 = 3
    F69 = 4
    E212 = 6
    NATIONAL = 8
    PRIVATE = 9
    ERMES = 10
    INTERNET = 14
    WAP_CLIENT = 18


# esm_class (SMPP 3.4 section 5.2.12): two bits of mode, four of type, two of features. A type is compared after
# masking, since 0x44 (a receipt with a UDH) is met in the field.
ESM_MODE_MASK: Final = 0x03
ESM_MODE_DEFAULT: Final = 0x00
ESM_MODE_DATAGRAM: Final = 0x01
ESM_MODE_FORWARD: Final = 0x02
ESM_MODE_STORE_AND_FORWARD: Final = 0x03
ESM_TYPE_MASK: Final = 0x3C
ESM_RECEIPT: Final = 0x04
ESM_DELIVERY_ACK: Final = 0x08
ESM_MANUAL_ACK: Final = 0x10
ESM_CONVERSATION_ABORT: Final = 0x18
ESM_INTERMEDIATE: Final = 0x20
ESM_UDHI: Final = 0x40
ESM_REPLY_PATH: Final = 0x80

# registered_delivery (SMPP 3.4 section 5.2.17)
REGISTERED_MASK: Final = 0x03
REGISTERED_NONE: Final = 0x00
REGISTERED_FINAL: Final = 0x01
REGISTERED_FAILURE: Final = 0x02
REGISTERED_SUCCESS: Final = 0x03  # 5.0 only
REGISTERED_INTERMEDIATE: Final = 0x10
