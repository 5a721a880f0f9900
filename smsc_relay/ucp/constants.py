"""Numbers of UCP/EMI: operation types, error codes, reasons (EMI UCP Interface Specification 4.x; ETS 300 133-3)."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final

STX: Final = 0x02
ETX: Final = 0x03
TRNS: Final = 100  # transaction numbers there are: 00 to 99


class Ot(IntEnum):
    """Operation types."""

    CALL_INPUT = 1
    MULTIPLE_CALL_INPUT = 2
    CALL_INPUT_SUPPLEMENTARY = 3
    TRANSFER = 30
    ALERT = 31
    SUBMIT = 51
    DELIVER = 52
    NOTIFICATION = 53
    MODIFY = 54
    INQUIRY = 55
    DELETE = 56
    INQUIRY_RESPONSE = 57
    DELETE_RESPONSE = 58
    NOTIFICATION_59 = 59  # in no specification: a notification with extra services, as met
    SESSION = 60
    LIST = 61


SERIES_5X: Final[frozenset[int]] = frozenset(range(51, 60))  # all with the same 33 fields
WITH_MVP: Final[frozenset[int]] = SERIES_5X | {Ot.TRANSFER}  # their positive results have a modified validity period


class Ec(IntEnum):
    """Error codes of negative results that have a name here; all others are known by number."""

    CHECKSUM = 1
    SYNTAX = 2
    UNSUPPORTED = 3
    NOT_ALLOWED = 4
    CALL_BARRING = 5
    ADC_INVALID = 6
    AUTHENTICATION = 7
    TIME_PERIOD_INVALID = 22
    MESSAGE_TYPE = 23
    MESSAGE_TOO_LONG = 24
    MESSAGE_NOT_FOUND = 27
    DELIVERY_IN_PROGRESS = 37
    LOW_NETWORK_STATUS = 50
    PARTIALLY_SUCCESSFUL = 53
    NOT_SUCCESSFUL = 54
    SYSTEM_ERROR = 55


ERRORS: Final[dict[int, str]] = {
    1: "checksum error",
    2: "syntax error",
    3: "operation not supported by system",
    4: "operation not allowed",
    5: "call barring active",
    6: "AdC invalid",
    7: "authentication failure",
    8: "legitimisation code for all calls failed",
    9: "GA not valid",
    10: "repetition not allowed",
    11: "legitimisation code for repetition failed",
    12: "priority call not allowed",
    13: "legitimisation code for priority failed",
    14: "urgent message not allowed",
    15: "legitimisation code for urgent failed",
    16: "reverse charging not allowed",
    17: "legitimisation code for reverse charging failed",
    18: "deferred delivery not allowed",
    19: "new AC not valid",
    20: "new legitimisation code not valid",
    21: "standard text not valid",
    22: "time period not valid",
    23: "message type not supported by system",
    24: "message too long",
    25: "requested standard text not valid",
    26: "message type not valid for pager type",
    27: "message not found in SMSC",
    28: "invalid character set",
    30: "subscriber hang-up",
    31: "fax group not supported",
    32: "fax message type not supported",
    33: "address already in list",
    34: "address not in list",
    35: "list full, cannot add address to list",
    36: "RPID already in use",
    37: "delivery in progress",
    38: "message forwarded",
    50: "low network status",
    51: "legitimisation code for standard text failed",
    53: "operation partially successful",
    54: "operation not successful",
    55: "system error",
    57: "AdC already a member of GAdC address list",
    58: "AdC not a member of GAdC address list",
    59: "requested standard text list invalid",
    61: "not controller of GAdC address list",
    62: "standard text too large",
    63: "not owner of standard text list",
    64: "address list full",
    65: "GAdC invalid",
    66: "operation restricted to mobile subscribers",
    68: "invalid AdC type",
    69: "cannot add AdC to GAdC address list",
    **dict.fromkeys(range(90, 100), "proprietary error"),
}


def error_name(code: int) -> str:
    """What an error code means."""
    return ERRORS.get(code, "unknown error")


class EcClass(Enum):
    """What to do about a negative result."""

    PERMANENT = "permanent"
    TEMPORARY = "temporary"
    ACCOUNT = "account"


# A checksum error is a damaged line; the rest of these are about the moment. All others are for good.
_CLASSES: Final[dict[int, EcClass]] = {
    Ec.CHECKSUM: EcClass.TEMPORARY,
    Ec.DELIVERY_IN_PROGRESS: EcClass.TEMPORARY,
    Ec.LOW_NETWORK_STATUS: EcClass.TEMPORARY,
    Ec.NOT_SUCCESSFUL: EcClass.TEMPORARY,
    Ec.SYSTEM_ERROR: EcClass.TEMPORARY,
    Ec.AUTHENTICATION: EcClass.ACCOUNT,
}
# There is no code for "too fast": SMSCs say it in the text of 03 or 04, as met in the field.
THROTTLED_TEXT: Final = r"throughput|throttl|too (?:fast|many)|rate (?:limit )?exceeded|window (?:size )?exceeded"


def error_class(code: int) -> EcClass:
    """What a negative result to a submit means, by its code alone."""
    return _CLASSES.get(code, EcClass.PERMANENT)


class Dst(IntEnum):
    """Delivery status of a notification."""

    DELIVERED = 0
    BUFFERED = 1
    NOT_DELIVERED = 2


REASONS: Final[dict[int, str]] = {
    0: "unknown subscriber",
    **dict.fromkeys(range(1, 9), "service temporarily not available"),
    9: "illegal error code",
    10: "network time-out",
    100: "facility not supported",
    101: "unknown subscriber",
    102: "facility not provided",
    103: "call barred",
    104: "operation barred",
    105: "SC congestion",
    106: "facility not supported",
    107: "absent subscriber",
    108: "delivery fail",
    109: "SC congestion",
    110: "protocol error",
    111: "MS not equipped",
    112: "unknown SC",
    113: "SC congestion",
    114: "illegal MS",
    115: "MS not a subscriber",
    116: "error in MS",
    117: "SMS lower layer not provisioned",
    118: "system fail",
    119: "PLMN system failure",
    120: "HLR system failure",
    121: "VLR system failure",
    122: "previous VLR system failure",
    123: "controlling MSC system failure",
    124: "VMSC system failure",
    125: "EIR system failure",
    126: "system failure",
    127: "unexpected data value",
    200: "error in address service centre",
    201: "invalid absolute validity period",
    202: "short message exceeds maximum",
    203: "unable to unpack GSM message",
    204: "unable to convert to IRA alphabet",
    205: "invalid validity period format",
    206: "invalid destination address",
    207: "duplicate message submit",
    208: "invalid message type indicator",
}

# Message types (MT)
NUMERIC: Final = "2"
ALPHANUMERIC: Final = "3"
TRANSPARENT: Final = "4"

# Originator types (OTOA)
OTOA_INTERNATIONAL: Final = "1139"
OTOA_ALPHANUMERIC: Final = "5039"

# Extra services (XSer)
XSER_UDH: Final = 0x01
XSER_DCS: Final = 0x02
