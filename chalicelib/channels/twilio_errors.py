"""Twilio's error codes that concern messages: https://www.twilio.com/docs/api/errors"""

from __future__ import annotations

from typing import Final

TITLES: Final[dict[str, str]] = {
    "20003": "Permission Denied",
    "20404": "Not Found",
    "20429": "Too Many Requests",
    "20500": "Internal Server Error",
    "21211": "Invalid 'To' Phone Number",
    "21212": "Invalid From Number (caller ID)",
    "21408": "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
    "21601": "Phone number is not a valid SMS-capable inbound phone number",
    "21602": "Message body is required",
    "21603": "A 'From' or 'MessagingServiceSid' parameter is required to send a message",
    "21604": "The destination 'To' phone number is required to send an SMS",
    "21606": (
        "The 'From' phone number provided is not a valid message-capable Twilio phone number for this destination."
    ),
    "21608": "The 'to' phone number provided is not yet verified for this account.",
    "21609": "Invalid 'StatusCallback'",
    "21610": "Attempt to send to unsubscribed recipient",
    "21611": "This 'From' number has exceeded the maximum number of queued messages",
    "21612": "The 'To' phone number is not currently reachable via SMS",
    "21614": "'To' number is not a valid mobile number",
    "21617": "The concatenated message body exceeds the 1600 character limit",
    "21618": "The message body cannot be sent",
    "21620": "Invalid media URL(s)",
    "21621": "The 'From' number has not been enabled for MMS",
    "21622": "MMS has not been enabled for your account",
    "21623": "Number of media files exceeds allowed limit",
    "21701": "The Messaging Service does not exist",
    "21702": "The Messaging Service is not available",
    "21703": "The Messaging Service does not have a phone number available to send a message",
    "21704": "The Messaging Service contains no phone numbers",
    "21705": "The Messaging Service is invalid",
    "30001": "Queue overflow",
    "30002": "Account suspended",
    "30003": "Unreachable destination handset",
    "30004": "Message blocked",
    "30005": "Unknown destination handset",
    "30006": "Landline or unreachable carrier",
    "30007": "Message filtered",
    "30008": "Unknown error",
    "30009": "Missing inbound segment",
    "30010": "Message price exceeds max price",
    "30011": "MMS not supported by the receiving phone number in this region",
    "30017": "Carrier network congestion",
    "30018": "Destination carrier requires sender ID pre-registration",
    "30019": "Content size exceeds carrier limit",
    "30022": "US A2P 10DLC - Rate Limits Exceeded",
    "30023": "US A2P 10DLC - Daily Message Cap Reached",
    "30024": "Numeric Sender ID Not Provisioned on Carrier",
    "30027": "US A2P 10DLC - T-Mobile Daily Message Limit Reached",
    "30032": "Toll-Free Number Has Not Been Verified",
    "30410": "Provider Timeout Error",
    "63018": "Rate limit exceeded for Channel",
    "63019": "Media failed to download",
}


def title(code: str) -> str:
    """What the code means; a text that names it where it is none of the codes of messages."""
    return TITLES.get(code, f"Twilio error {code}, see https://www.twilio.com/docs/api/errors/{code}")
