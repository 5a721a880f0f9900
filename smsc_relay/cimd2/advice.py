"""What to ask the aggregator about an error code (parameter 900), as `Refused` and `Rejected` have it (CIMD Interface
Specification, error codes)."""

from __future__ import annotations

from typing import Final

ADVICE: Final[dict[str, str]] = {
    "1": "which operations does the account have, and is it of the kind that sends and receives?",
    "2": "which parameter does their SMSC not read, and which version of CIMD2 is it?",
    "3": "which parameters must we not send?",
    "6": "what has gone wrong inside the SMSC?",
    "8": "which parameter is of the wrong form?",
    "9": "why does the operation fail: credit, sender, route?",
    "10": "what is congested, and what rate does the account have (max_tps)?",
    "100": "are user identity and password right, and our source address allowed (ip_address)? Give the password "
    "anew: `jangada smsc secret`",
    "101": "is the account of the access type TCP/IP, and of this port?",
    "102": "how many sessions may the user have, which are open now, and can old ones be cleared? Several need "
    "subaddresses",
    "103": "why does the SMSC refuse the login: is the account active, and our source address allowed?",
    "104": "what window does the account have (window)?",
    "105": "is windowing on for this account? If not: window: 1",
    "106": "is the account barred on this virtual SMSC?",
    "107": "which subaddresses may the user have (subaddresses)?",
    "108": "is this an alias? Which user does it stand for?",
    "300": "in which form must recipients be (international), and which networks may the account reach?",
    "302": "which characters does the SMSC take (characters)?",
    "304": "which data coding schemes does the SMSC take (data_coding, ucs2_data_coding)?",
    "305": "which validity may we ask for, and relative or absolute (validity_form)?",
    "306": "which senders may the account use, and in which form (source_addr, senders, own_number)?",
    "310": "may the account ask for status reports, and for which events (receipts, report_mask)?",
    "313": "which tariff class does the account have (tariff_class)?",
    "314": "which service description does the account have (service_description)?",
    "321": "may the account use alphanumeric senders (senders)?",
    "322": "which alphanumeric senders may the account use?",
    "324": "which licence has expired?",
}
