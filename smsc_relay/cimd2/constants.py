"""Numbers of CIMD2 (Nokia SMS Center, CIMD Interface Specification)."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final

STX: Final = 0x02
ETX: Final = 0x03
RESPONSE: Final = 50  # operation code of a response minus that of its request
FIRST_APPLICATION: Final = 1  # packet numbers of the application are odd, 001 to 255
FIRST_SMSC: Final = 0  # those of the SMSC even, 000 to 254
NUMBERS: Final = 128  # packet numbers of one side
WINDOW_MAX: Final = 128


class Operation(IntEnum):
    """Operation codes."""

    LOGIN = 1
    LOGOUT = 2
    SUBMIT = 3
    ENQUIRE = 4
    DELIVERY_REQUEST = 5
    CANCEL = 6
    SET = 8
    GET = 9
    DELIVER = 20
    STATUS_REPORT = 23
    ALIVE = 40
    LOGIN_RESPONSE = 51
    LOGOUT_RESPONSE = 52
    SUBMIT_RESPONSE = 53
    ENQUIRE_RESPONSE = 54
    DELIVERY_REQUEST_RESPONSE = 55
    CANCEL_RESPONSE = 56
    SET_RESPONSE = 58
    GET_RESPONSE = 59
    DELIVER_RESPONSE = 70
    STATUS_REPORT_RESPONSE = 73
    ALIVE_RESPONSE = 90
    GENERAL_ERROR = 98
    NACK = 99


class Tag(IntEnum):
    """Parameter numbers."""

    USER = 10
    PASSWORD = 11
    SUBADDRESS = 12
    WINDOW = 19
    DESTINATION = 21
    ORIGINATOR = 23
    IMSI = 26
    ALPHANUMERIC = 27
    VISITED_MSC = 28
    DCS = 30
    UDH = 32
    USER_DATA = 33
    BINARY = 34
    MORE_MESSAGES = 44
    VALIDITY_RELATIVE = 50
    VALIDITY_ABSOLUTE = 51
    PROTOCOL_ID = 52
    FIRST_DELIVERY_RELATIVE = 53
    FIRST_DELIVERY_ABSOLUTE = 54
    REPLY_PATH = 55
    STATUS_REPORT = 56
    CANCEL_ENABLED = 58
    CANCEL_MODE = 59
    TIMESTAMP = 60
    STATUS = 61
    STATUS_ERROR = 62
    DISCHARGE_TIME = 63
    TARIFF_CLASS = 64
    SERVICE_DESCRIPTION = 65
    MESSAGE_COUNT = 66
    PRIORITY = 67
    REQUEST_MODE = 68
    SERVICE_CENTRE = 69
    IP_ADDRESS = 71
    GET = 500
    SMSC_TIME = 501
    ERROR = 900
    ERROR_TEXT = 901


class Report(IntEnum):
    """Bits of the status report request: events that are to be told."""

    TEMPORARY = 1
    EXPIRED = 2
    FAILED = 4
    DELIVERED = 8
    CANCELLED = 16
    DELETED = 32


USUAL_REPORTS: Final = Report.EXPIRED | Report.FAILED | Report.DELIVERED
ALL_REPORTS: Final = 63


class Delivery(IntEnum):
    """Status codes: what has become of a message."""

    IN_PROCESS = 1
    EXPIRED = 2
    FAILED = 3
    SUCCESSFUL = 4
    NO_RESPONSE = 5
    LAST_NO_RESPONSE = 6
    CANCELLED = 7
    DELETED = 8
    DELETED_BY_CANCEL = 9


DELIVERY_NAMES: Final[dict[int, str]] = {
    Delivery.IN_PROCESS: "in process",
    Delivery.EXPIRED: "validity period expired",
    Delivery.FAILED: "delivery failed",
    Delivery.SUCCESSFUL: "delivery successful",
    Delivery.NO_RESPONSE: "no response",
    Delivery.LAST_NO_RESPONSE: "last no response",
    Delivery.CANCELLED: "message cancelled",
    Delivery.DELETED: "message deleted",
    Delivery.DELETED_BY_CANCEL: "message deleted by cancel",
}

# Status error codes: why the last attempt to deliver has failed.
DELIVERY_ERRORS: Final[dict[int, str]] = {
    1: "unknown subscriber",
    9: "illegal subscriber",
    11: "teleservice not provisioned",
    13: "call barred",
    15: "closed user group reject",
    19: "no SMS support in the phone",
    20: "error in the phone",
    21: "facility not supported",
    22: "memory capacity exceeded",
    29: "absent subscriber",
    30: "phone busy",
    36: "network or protocol failure",
    44: "illegal equipment",
    60: "no paging response",
    61: "GMSC congestion",
    63: "HLR time-out",
    64: "MSC or SGSN time-out",
    70: "SMRSE or TCP error",
    72: "MT congestion",
    75: "GPRS suspended",
    80: "no paging response via MSC",
    81: "IMSI detached",
    82: "roaming restriction",
    83: "deregistered in the HLR for GSM",
    84: "purged for GSM",
    85: "no paging response via SGSN",
    86: "GPRS detached",
    87: "deregistered in the HLR for GPRS",
    88: "purged for GPRS",
    89: "unidentified subscriber via MSC",
    90: "unidentified subscriber via SGSN",
    112: "originator out of prepaid credit",
    113: "destination out of prepaid credit",
    114: "prepaid system error",
}


class ErrorClass(Enum):
    """Whose trouble an error code is."""

    PERMANENT = "permanent"  # the message's
    TEMPORARY = "temporary"  # the moment's
    THROTTLED = "throttled"
    ACCOUNT = "account"  # the account's, or of its config
    SESSION = "session"  # another session may do


class Error(IntEnum):
    """Error codes that rules speak of; `ERRORS` has all of them."""

    NONE = 0
    UNEXPECTED_OPERATION = 1
    SYNTAX = 2
    UNSUPPORTED_PARAMETER = 3
    CONNECTION_LOST = 4
    NO_RESPONSE = 5
    GENERAL = 6
    NOT_FOUND = 7
    FORMAT = 8
    OPERATION_FAILED = 9
    CONGESTION = 10
    INVALID_LOGIN = 100
    ACCESS_TYPE = 101
    TOO_MANY_USERS = 102
    LOGIN_REFUSED = 103
    INVALID_WINDOW = 104
    WINDOWING_DISABLED = 105
    INVALID_SUBADDRESS = 107
    DESTINATION = 300
    DESTINATION_COUNT = 301
    USER_DATA = 302
    USER_DATA_COMBINATION = 303
    DCS = 304
    VALIDITY = 305
    ORIGINATOR = 306
    FIRST_DELIVERY = 308
    STATUS_REPORT = 310


_P, _T, _A, _S = ErrorClass.PERMANENT, ErrorClass.TEMPORARY, ErrorClass.ACCOUNT, ErrorClass.SESSION

# code -> (name, class)
ERRORS: Final[dict[int, tuple[str, ErrorClass]]] = {
    1: ("unexpected operation", _S),
    2: ("syntax error", _P),
    3: ("unsupported parameter", _P),
    4: ("connection to the SMSC lost", _S),
    5: ("no response from the SMSC", _T),
    6: ("general system error", _T),
    7: ("information not found", _P),
    8: ("parameter formatting error", _P),
    9: ("requested operation failed", _T),
    10: ("temporary congestion", ErrorClass.THROTTLED),
    100: ("invalid login", _A),
    101: ("incorrect access type", _A),
    102: ("too many users with this login", _S),
    103: ("login refused by the SMSC", _S),
    104: ("invalid window size", _A),
    105: ("windowing disabled", _A),
    106: ("virtual SMSC based barring", _A),
    107: ("invalid subaddress", _A),
    108: ("alias account", _A),
    300: ("incorrect destination address", _P),
    301: ("incorrect number of destinations", _P),
    302: ("syntax error in user data", _P),
    303: ("incorrect combination of user data parameters", _P),
    304: ("incorrect use of data coding scheme", _P),
    305: ("incorrect use of validity period", _P),
    306: ("incorrect use of originator address", _P),
    307: ("incorrect use of protocol identifier", _P),
    308: ("incorrect use of first delivery time", _P),
    309: ("incorrect use of reply path", _P),
    310: ("incorrect use of status report request", _P),
    311: ("incorrect use of cancel enabled", _P),
    312: ("incorrect use of priority", _P),
    313: ("incorrect use of tariff class", _P),
    314: ("incorrect use of service description", _P),
    315: ("incorrect use of transport type", _P),
    316: ("incorrect use of message type", _P),
    318: ("incorrect use of more messages to send", _P),
    319: ("incorrect use of operation timer", _P),
    320: ("incorrect use of dialogue id", _P),
    321: ("incorrect use of alphanumeric originator", _P),
    322: ("invalid alphanumeric originator", _P),
    323: ("closed user group rejection", _P),
    324: ("licence expired", _A),
    400: ("enquiry: incorrect address", _P),
    401: ("enquiry: incorrect time stamp", _P),
    500: ("delivery request: incorrect time stamp", _P),
    501: ("delivery request: incorrect mode", _P),
    502: ("delivery request: incorrect combination", _P),
    600: ("cancel: incorrect time stamp", _P),
    601: ("cancel: incorrect address", _P),
    602: ("cancel: incorrect mode", _P),
    603: ("cancel: incorrect combination", _P),
    800: ("password change failed", _P),
    801: ("password change not allowed", _P),
    900: ("unsupported item", _P),
}


def error_name(code: int) -> str:
    """What a code means, or the code itself."""
    return ERRORS[code][0] if code in ERRORS else f"error {code}"


def error_class(code: int) -> ErrorClass:
    """Codes that nobody has defined are the message's: repeating what is refused for an unknown reason helps nobody."""
    return ERRORS[code][1] if code in ERRORS else _P
