"""Packets whose checksums tshark has confirmed, as text: <STX>, <TAB> and <ETX> stand for 0x02, 0x09 and 0x03."""

# ruff: noqa: E501 - a packet is one line

from __future__ import annotations


def octets(shown: str) -> bytes:
    """The octets of a packet as it is shown."""
    return shown.replace("<STX>", "\x02").replace("<TAB>", "\t").replace("<ETX>", "\x03").encode("latin-1")


def shown(frame: bytes) -> str:
    """The other way."""
    return frame.decode("latin-1").replace("\x02", "<STX>").replace("\t", "<TAB>").replace("\x03", "<ETX>")


FRAMES: dict[str, str] = {
    "01 login: window 10": "<STX>01:001<TAB>010:user01<TAB>011:secret<TAB>019:10<TAB>C4<ETX>",
    "51 login response": "<STX>51:001<TAB>3C<ETX>",
    "51 login refused: invalid login": "<STX>51:001<TAB>900:100<TAB>901:invalid login<TAB>A6<ETX>",
    "03 submit text: text `Hi {€}`, alphanumeric sender, finals requested": "<STX>03:003<TAB>021:+447700900123<TAB>027:ACME<TAB>033:Hi _XX(_XXe_XX)<TAB>056:14<TAB>63<ETX>",
    "53 submit response: message key": "<STX>53:003<TAB>021:+447700900123<TAB>060:260131093000<TAB>D8<ETX>",
    "53 submit error: error 300": "<STX>53:005<TAB>900:300<TAB>901:incorrect destination address<TAB>1F<ETX>",
    "03 submit UDH+text: part 1 of 2 ref 0x2A, 24 h": "<STX>03:007<TAB>021:+447700900123<TAB>023:1234<TAB>030:0<TAB>032:0500032A0201<TAB>033:Part one<TAB>050:167<TAB>056:14<TAB>0E<ETX>",
    "03 submit UCS-2 binary: é € U+1F600": "<STX>03:009<TAB>021:+447700900123<TAB>023:1234<TAB>030:8<TAB>034:00E920ACD83DDE00<TAB>050:167<TAB>47<ETX>",
    "23 status report: delivered": "<STX>23:000<TAB>021:+447700900123<TAB>060:260131093000<TAB>061:4<TAB>063:260131093105<TAB>1B<ETX>",
    "73 status report response": "<STX>73:000<TAB>3F<ETX>",
    "20 deliver MO: to short number 8080": "<STX>20:002<TAB>021:8080<TAB>023:+447700900123<TAB>060:260131094500<TAB>030:0<TAB>033:STOP<TAB>A4<ETX>",
    "70 deliver response": "<STX>70:002<TAB>3E<ETX>",
    "40 alive client": "<STX>40:011<TAB>3B<ETX>",
    "90 alive response": "<STX>90:011<TAB>40<ETX>",
    "40 alive smsc": "<STX>40:004<TAB>3D<ETX>",
    "90 alive response to smsc": "<STX>90:004<TAB>42<ETX>",
    "98 general error": "<STX>98:013<TAB>900:1<TAB>901:unexpected operation<TAB>5A<ETX>",
    "99 nack": "<STX>99:015<TAB>4D<ETX>",
    "02 logout": "<STX>02:017<TAB>3F<ETX>",
    "52 logout response": "<STX>52:017<TAB>44<ETX>",
    "04 enquire status": "<STX>04:019<TAB>021:+447700900123<TAB>060:260131093000<TAB>DB<ETX>",
    "54 enquire response": "<STX>54:019<TAB>021:+447700900123<TAB>060:260131093000<TAB>061:4<TAB>063:260131093105<TAB>29<ETX>",
    "06 cancel: one message by key": "<STX>06:021<TAB>059:2<TAB>021:+447700900123<TAB>060:260131093000<TAB>E9<ETX>",
    "56 cancel response": "<STX>56:021<TAB>43<ETX>",
    "05 delivery request: count only": "<STX>05:023<TAB>068:0<TAB>50<ETX>",
    "55 delivery request response": "<STX>55:023<TAB>066:3<TAB>56<ETX>",
    "08 set": "<STX>08:025<TAB>011:newpass<TAB>1A<ETX>",
    "58 set response": "<STX>58:025<TAB>49<ETX>",
    "09 get": "<STX>09:027<TAB>500:501<TAB>B5<ETX>",
    "59 get response": "<STX>59:027<TAB>501:260131095000<TAB>80<ETX>",
    "40 alive no checksum: checksum left out": "<STX>40:029<TAB><ETX>",
    "23 status report failed: absent subscriber": "<STX>23:006<TAB>021:+447700900123<TAB>023:1234<TAB>060:260131093000<TAB>061:3<TAB>062:29<TAB>063:260201093000<TAB>00<ETX>",
}
