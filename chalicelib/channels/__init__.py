"""The HTTP channel types: a table from RapidPro's type code to the class, imported when it is asked for."""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from chalicelib.channels.base import ChannelRecord, HttpChannel

_TYPES: Final[dict[str, str]] = {
    "AC": "arabiacell:ArabiaCell",
    "ACS": "azuresms:AzureSms",
    "AT": "africastalking:AfricasTalking",
    "AWS": "awssms:AwsSms",
    "BKS": "bulksms:BulkSms",
    "BL": "bongolive:BongoLive",
    "BM": "blackmyna:Blackmyna",
    "BRD": "bird:Bird",
    "BRV": "brevo:Brevo",
    "BS": "burstsms:BurstSms",
    "BW": "bandwidth:Bandwidth",
    "CK": "chikka:Chikka",
    "CM": "clickmobile:ClickMobile",
    "CS": "clicksend:ClickSend",
    "CT": "clickatell:Clickatell",
    "DA": "dart:DartMedia",
    "DK": "dmark:DMark",
    "E2": "externalv2:ExternalV2",
    "E8X": "eightx8:EightX8",
    "ELK": "elks46:Elks46",
    "EX": "external:External",
    "GL": "globe:Globe",
    "GWA": "gatewayapi:GatewayApi",
    "H9": "hub9:Hub9",
    "HM": "hormuud:Hormuud",
    "HSM": "httpsms:HttpSms",
    "HX": "highconnection:HighConnection",
    "I2": "i2sms:I2Sms",
    "IB": "infobip:Infobip",
    "JCL": "justcall:JustCall",
    "JN": "junebug:Junebug",
    "JS": "jasmin:Jasmin",
    "KN": "kannel:Kannel",
    "KWA": "kaleyra:Kaleyra",
    "LOX": "lox24:Lox24",
    "M3": "m3tech:M3Tech",
    "MB": "mblox:Mblox",
    "MBD": "messagebird:MessageBird",
    "MG": "messangi:Messangi",
    "MK": "macrokiosk:Macrokiosk",
    "MMD": "messagemedia:MessageMedia",
    "MSS": "messente:Messente",
    "MT": "mtarget:Mtarget",
    "MTN": "mtn:Mtn",
    "NV": "novo:Novo",
    "NX": "nexmo:Nexmo",
    "PL": "plivo:Plivo",
    "PM": "playmobile:PlayMobile",
    "RR": "redrabbit:RedRabbit",
    "SC": "smscentral:SmsCentral",
    "SDV": "smsdev:SmsDev",
    "SGA": "smsgate:SmsGate",
    "SNC": "sinch:Sinch",
    "SQ": "shaqodoon:Shaqodoon",
    "ST": "start:StartMobile",
    "SVN": "seven:Seven",
    "SW": "signalwire:SignalWire",
    "T": "twilio:Twilio",
    "TLX": "telnyx:Telnyx",
    "TMS": "twilio_messaging_service:TwilioMessagingService",
    "TQ": "thinq:ThinQ",
    "TRM": "termii:Termii",
    "TS": "telesom:Telesom",
    "TW": "twiml:Twiml",
    "TXB": "textbee:Textbee",
    "VMS": "vonagemessages:VonageMessages",
    "WV": "wavy:Wavy",
    "YO": "yo:Yo",
    "ZV": "zenviaold:ZenviaOld",
    "ZVS": "zenvia:Zenvia",
}

CODES: Final[tuple[str, ...]] = tuple(_TYPES)


class UnknownType(LookupError):  # noqa: N818 - named as UnknownChannel is
    """No HTTP channel type has this code; the text lists those that exist."""


def load(code: str) -> type[HttpChannel]:
    """The class of the type `code`, in either case.

    Raises:
        UnknownType: there is none.
    """
    try:
        module, name = _TYPES[code.upper()].split(":")
    except KeyError:
        raise UnknownType(f"no HTTP channel type {code!r}; there are {', '.join(sorted(_TYPES))}") from None
    found: type[HttpChannel] = getattr(importlib.import_module(f"chalicelib.channels.{module}"), name)
    return found


def takes_names(code: str, settings: Mapping[str, Any]) -> bool:
    """Do messages from alphanumeric senders reach the platform? The channel's `alphanumeric_mo`, else its type's."""
    policy = settings.get("alphanumeric_mo")
    if policy is None:
        try:
            policy = load(code).Config.model_fields["alphanumeric_mo"].default
        except UnknownType:  # an SMSC's
            policy = "drop"
    return bool(policy == "deliver")


def make(
    channel: ChannelRecord,
    settings: Mapping[str, Any],
    callback_base: str,
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> HttpChannel:
    """A channel of its record's type, ready to receive and to send.

    `settings` are the aggregator's config, its secrets and the channel's overrides, merged; `callback_base` is scheme
    and host of our callback URLs; `new_id` gives each incoming event its id.

    Raises:
        UnknownType: no such type.
        ConfigError: (chalicelib.channels.config) the settings name unknown keys, or lack some.
    """
    kind = load(channel.type)
    return kind(channel, kind.Config.read(settings), callback_base, new_id)
