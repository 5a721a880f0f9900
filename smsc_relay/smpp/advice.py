"""What to ask the aggregator about a command_status, by its code as `Refused` and `Rejected` have it.

Meanings are those of SMPP 3.4 section 5.1.3 and SMPP 5.0 section 4.7.6; what they mean in the field is often wider.
"""

from __future__ import annotations

from typing import Final

from smsc_relay.smpp.constants import Status

_BY_STATUS: Final = {
    Status.ESME_RINVMSGLEN: "how long may short_message be, and must longer ones be in message_payload?",
    Status.ESME_RINVCMDID: "which bind types and operations does the account have (bind, interface_version, "
    "submit_with)?",
    Status.ESME_RINVBNDSTS: "which bind type is this port for: transceiver, or transmitter and receiver (bind: pair)?",
    Status.ESME_RALYBND: "how many binds may the account have, which are open now, and can old ones be cleared? "
    "`binds` must not be more",
    Status.ESME_RINVPRTFLG: "which priority_flag may we send?",
    Status.ESME_RINVREGDLVFLG: "may the account ask for receipts (receipts: none where it may not), and for "
    "intermediate ones?",
    Status.ESME_RSYSERR: "what has gone wrong inside the SMSC? Some say this to an unknown source address or TON, too",
    Status.ESME_RINVSRCADR: "which senders may the account use, in which form and with which TON and NPI (source_addr, "
    "source_rules, source_ton, source_npi)?",
    Status.ESME_RINVDSTADR: "in which form, TON and NPI must recipients be (dest_rules, dest_ton, dest_npi), and which "
    "networks may the account reach?",
    Status.ESME_RBINDFAIL: "what is it that does not fit: system_id, password, system_type, bind type, address_range, "
    "our source address, or is the account not active yet?",
    Status.ESME_RINVPASWD: "is the password right (often 8 characters at most), and is it of this environment? Give it "
    "anew: `jangada smsc secret`",
    Status.ESME_RINVSYSID: "is the system_id right, capitals included, and is the account active on this host?",
    Status.ESME_RMSGQFUL: "which queue is full, ours or the phone's, and how many messages may wait?",
    Status.ESME_RINVSERTYP: "which service_type does the account have?",
    Status.ESME_RINVESMCLASS: "which esm_class may we send (esm_mode, long_messages)?",
    Status.ESME_RSUBMITFAIL: "why is this submit refused: credit, sender, content, route?",
    Status.ESME_RINVSRCTON: "which TON must senders have (source_ton)?",
    Status.ESME_RINVSRCNPI: "which NPI must senders have (source_npi)?",
    Status.ESME_RINVDSTTON: "which TON must recipients have (dest_ton)?",
    Status.ESME_RINVDSTNPI: "which NPI must recipients have (dest_npi)?",
    Status.ESME_RINVSYSTYP: "which system_type does the account have?",
    Status.ESME_RTHROTTLED: "what rate and window does the account have (max_tps, window)?",
    Status.ESME_RINVSCHED: "may the SMSC be told when to deliver, how far ahead, and must it be an absolute time "
    "(schedule, validity_form)?",
    Status.ESME_RINVEXPIRY: "which validity is allowed, and must it be absolute (validity, validity_form)?",
    Status.ESME_RINVTLVSTREAM: "which TLVs must a submit have, and which not (tlvs, long_messages)?",
    Status.ESME_RTLVNOTALLWD: "which TLVs must a submit not have (tlvs, long_messages, more_messages)?",
    Status.ESME_RMISSINGTLV: "which TLVs must a submit have (tlvs)?",
    Status.ESME_RINVTLVVAL: "which values must the TLVs have (tlvs)?",
    Status.ESME_RUNKNOWNERR: "what has gone wrong? The SMSC does not say",
    Status.ESME_RSERTYPUNAUTH: "which service_type does the account have?",
    Status.ESME_RPROHIBITED: "may the account send at all, and is it active?",
    Status.ESME_RINVDCS: "which data_coding may we send (data_coding, ucs2_data_coding, alphabet)?",
}
ADVICE: Final[dict[str, str]] = {f"0x{status:08X}": ask for status, ask in _BY_STATUS.items()}
