"""What to ask the aggregator about an error code (EC), as `Refused` and `Rejected` have it (EMI UCP Interface
Specification 4.x, error codes)."""

from __future__ import annotations

from typing import Final

ADVICE: Final[dict[str, str]] = {
    "01": "is something between us changing octets? The checksum was wrong when it arrived",
    "02": "which field does their SMSC not read, and which version of UCP is it (operation, login_version)?",
    "03": "which operations does the account have: 60 to log in, 51, or 30 or 01 (operation)?",
    "04": "is the account allowed to do this: to log in from our source address, with this sender, at this rate? How "
    "many sessions may it have?",
    "05": "is the recipient barred, or this account for this recipient?",
    "06": "in which form must recipients be (international_prefix), and which networks may the account reach?",
    "07": "are OAdC and PWD of the login right, its OTON and ONPI (login_ton, login_npi), and the way PWD is written "
    "(login_encoding)? Give the password anew: `jangada smsc secret`",
    "08": "which authentication code (ac) does the account have?",
    "22": "which validity may we ask for (validity)?",
    "23": "which message types does the SMSC take, and has it UCS-2 (ucs2_dcs, ucs2_class, encoding)?",
    "24": "how long may a message be, and must parts be of their own (long_messages)?",
    "28": "which characters does the SMSC take (substitutions)?",
    "50": "which network is down, and until when?",
    "53": "which part has failed?",
    "54": "why does the operation fail: credit, sender, route? And may the account ask for notifications?",
    "55": "what has gone wrong inside the SMSC?",
    "66": "may the account send to this recipient at all?",
}
