"""National language shift tables of the GSM 7-bit alphabet (3GPP TS 23.038 annex A): thirteen languages.

An information element in the user data header replaces the extension table (0x24, single shift) or the whole default
alphabet (0x25, locking shift). Many phones and SMSCs do not know them, so they are for accounts that say they do.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from chalicelib import gsm7
from chalicelib.gsm7 import ESC, GSMEncodeError
from chalicelib.text import Measure, cut

Language = Literal[
    "turkish", "spanish", "portuguese", "bengali", "gujarati", "hindi", "kannada", "malayalam", "oriya", "punjabi",
    "tamil", "telugu", "urdu",
]  # fmt: skip
NUMBERS: Final[dict[Language, int]] = {
    "turkish": 1, "spanish": 2, "portuguese": 3, "bengali": 4, "gujarati": 5, "hindi": 6, "kannada": 7, "malayalam": 8,
    "oriya": 9, "punjabi": 10, "tamil": 11, "telugu": 12, "urdu": 13,
}  # fmt: skip
SINGLE_SHIFT: Final = 0x24
LOCKING_SHIFT: Final = 0x25
_CR: Final = 0x0D


class Shift(NamedTuple):
    """The numbers of the languages in use; 0: the default tables."""

    single: int = 0
    locking: int = 0

    @property
    def elements(self) -> bytes:
        """The information elements of the user data header (TS 23.040 sections 9.2.3.24.15 and 9.2.3.24.16)."""
        pairs = ((SINGLE_SHIFT, self.single), (LOCKING_SHIFT, self.locking))
        return b"".join(bytes((element, 1, number)) for element, number in pairs if number)


DEFAULT: Final = Shift()


def shifts(languages: Iterable[Language]) -> list[Shift]:
    """What to try for these languages, the simplest first."""
    numbers = [NUMBERS[language] for language in languages]
    locking = [number for number in numbers if number in _LOCKING]
    return [
        *(Shift(single=number) for number in numbers),
        *(Shift(locking=number) for number in locking),
        *(Shift(number, number) for number in locking),
    ]


# --- encoding and decoding ------------------------------------------------------------------------------------------


def fits(text: str, shift: Shift) -> bool:
    """Is every character in the tables?"""
    return _to_septets(shift).keys() >= set(map(ord, text))


def septets(text: str, shift: Shift) -> int:
    """Septets that `text`, which must fit, takes."""
    table = _to_septets(shift)
    return sum(len(table[ord(character)]) for character in text)


def encode(text: str, shift: Shift) -> bytes:
    """One septet per octet, high bit 0.

    Raises:
        GSMEncodeError: a character is not in the tables.
    """
    table = _to_septets(shift)
    for position, character in enumerate(text):
        if ord(character) not in table:
            raise GSMEncodeError(character, position)
    return text.translate(table).encode("ascii")


def decode(octets: bytes, shift: Shift) -> str:
    """Text of unpacked septets; never fails. Numbers of no language mean the default tables, ESC and a septet that is
    not in the single shift table that septet's own character, a septet without a character a space."""
    locking, single = _tables(shift)
    found: list[str] = []
    escaped = False
    for octet in octets:
        septet = octet & 0x7F
        if escaped:
            escaped = False
            if septet == ESC:
                found.append(" ")
            elif septet != _CR:  # a control character that is reserved
                found.append(single.get(septet) or locking[septet])
        elif septet == ESC:
            escaped = True
        else:
            found.append(locking[septet])
    return "".join(found)


def segments(
    text: str, shift: Shift, *, reference_bits: Literal[8, 16] = 8, limits: tuple[int, int] | None = None
) -> list[str]:
    """Cut a text that fits into short messages, as `chalicelib.text.segments` does for the default tables. `limits`:
    septets of a short message without any header, and beside a concatenation's."""
    alone, joined = limits or (gsm7.SINGLE, 153 if reference_bits == 8 else 152)
    single = _room(alone, 1 + len(shift.elements))
    part = _room(joined, len(shift.elements))
    return list(cut(text, Measure(functools.partial(septets, shift=shift), single, part)))


def _room(limit: int, taken: int) -> int:
    """Of so many septets, those that are left when a header takes so many octets (more)."""
    return (-(-limit * 7 // 8) - taken) * 8 // 7


@functools.cache
def _tables(shift: Shift) -> tuple[str, dict[int, str]]:
    """What each septet means, alone and after ESC."""
    if shift.locking in _LOCKING:
        codes = _LOCKING[shift.locking].split()
        locking = "".join(" " if code == "----" else chr(int(code, 16)) for code in codes)
    else:
        locking = "".join("\x1b" if septet == ESC else gsm7.decode(bytes((septet,))) for septet in range(128))
    entries = (entry.split("=") for entry in (_STANDARD + _SINGLE.get(shift.single, "")).split())
    return locking, {int(septet, 16): chr(int(code, 16)) for septet, code in entries}


@functools.cache
def _to_septets(shift: Shift) -> dict[int, str]:
    """Character -> septets as characters. A character that is there twice has its shortest form, and of two the lower
    septet (TS 23.038 annex A)."""
    locking, single = _tables(shift)
    undefined = {i for i, code in enumerate(_LOCKING.get(shift.locking, "").split()) if code == "----"}
    found = {ord(character): f"\x1b{chr(septet)}" for septet, character in sorted(single.items(), reverse=True)}
    for septet in reversed(range(128)):
        if septet != ESC and septet not in undefined:
            found[ord(locking[septet])] = chr(septet)
    return found


# --- tables ---------------------------------------------------------------------------------------------------------

# Of every single shift table (TS 23.038 section 6.2.1.1), and of those of the languages of India and Pakistan
_STANDARD: Final = "0A=000C 14=005E 28=007B 29=007D 2F=005C 3C=005B 3D=007E 3E=005D 40=007C 65=20AC "
_INDIC: Final = """
    00=0040 01=00A3 02=0024 03=00A5 04=00BF 05=0022 06=00A4 07=0025 08=0026 09=0027 0A=000C 0B=002A 0C=002B
    0E=002D 0F=002F 10=003C 11=003D 12=003E 13=00A1 14=005E 15=00A1 16=005F 17=0023 18=002A 28=007B 29=007D
    2F=005C 3C=005B 3D=007E 3E=005D 40=007C 41=0041 42=0042 43=0043 44=0044 45=0045 46=0046 47=0047 48=0048
    49=0049 4A=004A 4B=004B 4C=004C 4D=004D 4E=004E 4F=004F 50=0050 51=0051 52=0052 53=0053 54=0054 55=0055
    56=0056 57=0057 58=0058 59=0059 5A=005A 65=20AC
"""

# Language -> septet=code point
_SINGLE: Final[dict[int, str]] = {
    1: """
        47=011E 49=0130 53=015E 63=00E7 67=011F 69=0131 73=015F
    """,
    2: """
        09=00E7 41=00C1 49=00CD 4F=00D3 55=00DA 61=00E1 69=00ED 6F=00F3 75=00FA
    """,
    3: """
        05=00EA 09=00E7 0B=00D4 0C=00F4 0E=00C1 0F=00E1 12=03A6 13=0393 15=03A9 16=03A0 17=03A8 18=03A3 19=0398
        1F=00CA 41=00C0 49=00CD 4F=00D3 55=00DA 5B=00C3 5C=00D5 61=00C2 69=00ED 6F=00F3 75=00FA 7B=00E3 7C=00F5
        7F=00E2
    """,
    4: _INDIC
    + """
        19=09E6 1A=09E7 1C=09E8 1D=09E9 1E=09EA 1F=09EB 20=09EC 21=09ED 22=09EE 23=09EF 24=09DF 25=09E0 26=09E1
        27=09E2 2A=09E3 2B=09F2 2C=09F3 2D=09F4 2E=09F5 30=09F6 31=09F7 32=09F8 33=09F9 34=09FA
    """,
    5: _INDIC
    + """
        19=0964 1A=0965 1C=0AE6 1D=0AE7 1E=0AE8 1F=0AE9 20=0AEA 21=0AEB 22=0AEC 23=0AED 24=0AEE 25=0AEF
    """,
    6: _INDIC
    + """
        19=0964 1A=0965 1C=0966 1D=0967 1E=0968 1F=0969 20=096A 21=096B 22=096C 23=096D 24=096E 25=096F 26=0951
        27=0952 2A=0953 2B=0954 2C=0958 2D=0959 2E=095A 30=095B 31=095C 32=095D 33=095E 34=095F 35=0960 36=0961
        37=0962 38=0963 39=0970 3A=0971
    """,
    7: _INDIC
    + """
        19=0964 1A=0965 1C=0CE6 1D=0CE7 1E=0CE8 1F=0CE9 20=0CEA 21=0CEB 22=0CEC 23=0CED 24=0CEE 25=0CEF 26=0CDE
        27=0CF1 2A=0CF2
    """,
    8: _INDIC
    + """
        19=0964 1A=0965 1C=0D66 1D=0D67 1E=0D68 1F=0D69 20=0D6A 21=0D6B 22=0D6C 23=0D6D 24=0D6E 25=0D6F 26=0D70
        27=0D71 2A=0D72 2B=0D73 2C=0D74 2D=0D75 2E=0D7A 30=0D7B 31=0D7C 32=0D7D 33=0D7E 34=0D7F
    """,
    9: _INDIC
    + """
        19=0964 1A=0965 1C=0B66 1D=0B67 1E=0B68 1F=0B69 20=0B6A 21=0B6B 22=0B6C 23=0B6D 24=0B6E 25=0B6F 26=0B5C
        27=0B5D 2A=0B5F 2B=0B70 2C=0B71
    """,
    10: _INDIC
    + """
        19=0964 1A=0965 1C=0A66 1D=0A67 1E=0A68 1F=0A69 20=0A6A 21=0A6B 22=0A6C 23=0A6D 24=0A6E 25=0A6F 26=0A59
        27=0A5A 2A=0A5B 2B=0A5C 2C=0A5E 2D=0A75
    """,
    11: _INDIC
    + """
        19=0964 1A=0965 1C=0BE6 1D=0BE7 1E=0BE8 1F=0BE9 20=0BEA 21=0BEB 22=0BEC 23=0BED 24=0BEE 25=0BEF 26=0BF3
        27=0BF4 2A=0BF5 2B=0BF6 2C=0BF7 2D=0BF8 2E=0BFA
    """,
    12: _INDIC
    + """
        1C=0C66 1D=0C67 1E=0C68 1F=0C69 20=0C6A 21=0C6B 22=0C6C 23=0C6D 24=0C6E 25=0C6F 26=0C58 27=0C59 2A=0C78
        2B=0C79 2C=0C7A 2D=0C7B 2E=0C7C 30=0C7D 31=0C7E 32=0C7F
    """,
    13: _INDIC
    + """
        19=0600 1A=0601 1C=06F0 1D=06F1 1E=06F2 1F=06F3 20=06F4 21=06F5 22=06F6 23=06F7 24=06F8 25=06F9 26=060C
        27=060D 2A=060E 2B=060F 2C=0610 2D=0611 2E=0612 30=0613 31=0614 32=061B 33=061F 34=0640 35=0652 36=0658
        37=066B 38=066C 39=0672 3A=0673 3B=06CD 3F=06D4
    """,
}

# Language -> code points of the septets 00 to 7F; ----: none
_LOCKING: Final[dict[int, str]] = {
    1: """
        0040 00A3 0024 00A5 20AC 00E9 00F9 0131 00F2 00C7 000A 011E 011F 000D 00C5 00E5
        0394 005F 03A6 0393 039B 03A9 03A0 03A8 03A3 0398 039E 001B 015E 015F 00DF 00C9
        0020 0021 0022 0023 00A4 0025 0026 0027 0028 0029 002A 002B 002C 002D 002E 002F
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B 003C 003D 003E 003F
        0130 0041 0042 0043 0044 0045 0046 0047 0048 0049 004A 004B 004C 004D 004E 004F
        0050 0051 0052 0053 0054 0055 0056 0057 0058 0059 005A 00C4 00D6 00D1 00DC 00A7
        00E7 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 00E4 00F6 00F1 00FC 00E0
    """,
    3: """
        0040 00A3 0024 00A5 00EA 00E9 00FA 00ED 00F3 00E7 000A 00D4 00F4 000D 00C1 00E1
        0394 005F 00AA 00C7 00C0 221E 005E 005C 20AC 00D3 007C 001B 00C2 00E2 00CA 00C9
        0020 0021 0022 0023 00BA 0025 0026 0027 0028 0029 002A 002B 002C 002D 002E 002F
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B 003C 003D 003E 003F
        00CD 0041 0042 0043 0044 0045 0046 0047 0048 0049 004A 004B 004C 004D 004E 004F
        0050 0051 0052 0053 0054 0055 0056 0057 0058 0059 005A 00C3 00D5 00DA 00DC 00A7
        007E 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 00E3 00F5 0060 00FC 00E0
    """,
    4: """
        0981 0982 0983 0985 0986 0987 0988 0989 098A 098B 000A 098C ---- 000D ---- 098F
        0990 ---- ---- 0993 0994 0995 0996 0997 0998 0999 099A 001B 099B 099C 099D 099E
        0020 0021 099F 09A0 09A1 09A2 09A3 09A4 0029 0028 09A5 09A6 002C 09A7 002E 09A8
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B ---- 09AA 09AB 003F
        09AC 09AD 09AE 09AF 09B0 ---- 09B2 ---- ---- ---- 09B6 09B7 09B8 09B9 09BC 09BD
        09BE 09BF 09C0 09C1 09C2 09C3 09C4 ---- ---- 09C7 09C8 ---- ---- 09CB 09CC 09CD
        09CE 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 09D7 09DC 09DD 09F0 09F1
    """,
    5: """
        0A81 0A82 0A83 0A85 0A86 0A87 0A88 0A89 0A8A 0A8B 000A 0A8C 0A8D 000D ---- 0A8F
        0A90 0A91 ---- 0A93 0A94 0A95 0A96 0A97 0A98 0A99 0A9A 001B 0A9B 0A9C 0A9D 0A9E
        0020 0021 0A9F 0AA0 0AA1 0AA2 0AA3 0AA4 0029 0028 0AA5 0AA6 002C 0AA7 002E 0AA8
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B ---- 0AAA 0AAB 003F
        0AAC 0AAD 0AAE 0AAF 0AB0 ---- 0AB2 0AB3 ---- 0AB5 0AB6 0AB7 0AB8 0AB9 0ABC 0ABD
        0ABE 0ABF 0AC0 0AC1 0AC2 0AC3 0AC4 0AC5 ---- 0AC7 0AC8 0AC9 ---- 0ACB 0ACC 0ACD
        0AD0 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 0AE0 0AE1 0AE2 0AE3 0AF1
    """,
    6: """
        0901 0902 0903 0905 0906 0907 0908 0909 090A 090B 000A 090C 090D 000D 090E 090F
        0910 0911 0912 0913 0914 0915 0916 0917 0918 0919 091A 001B 091B 091C 091D 091E
        0020 0021 091F 0920 0921 0922 0923 0924 0029 0028 0925 0926 002C 0927 002E 0928
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B 0929 092A 092B 003F
        092C 092D 092E 092F 0930 0931 0932 0933 0934 0935 0936 0937 0938 0939 093C 093D
        093E 093F 0940 0941 0942 0943 0944 0945 0946 0947 0948 0949 094A 094B 094C 094D
        0950 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 0972 097B 097C 097E 097F
    """,
    7: """
        ---- 0C82 0C83 0C85 0C86 0C87 0C88 0C89 0C8A 0C8B 000A 0C8C ---- 000D 0C8E 0C8F
        0C90 ---- 0C92 0C93 0C94 0C95 0C96 0C97 0C98 0C99 0C9A 001B 0C9B 0C9C 0C9D 0C9E
        0020 0021 0C9F 0CA0 0CA1 0CA2 0CA3 0CA4 0029 0028 0CA5 0CA6 002C 0CA7 002E 0CA8
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B ---- 0CAA 0CAB 003F
        0CAC 0CAD 0CAE 0CAF 0CB0 0CB1 0CB2 0CB3 ---- 0CB5 0CB6 0CB7 0CB8 0CB9 0CBC 0CBD
        0CBE 0CBF 0CC0 0CC1 0CC2 0CC3 0CC4 ---- 0CC6 0CC7 0CC8 ---- 0CCA 0CCB 0CCC 0CCD
        0CD5 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 0CD6 0CE0 0CE1 0CE2 0CE3
    """,
    8: """
        ---- 0D02 0D03 0D05 0D06 0D07 0D08 0D09 0D0A 0D0B 000A 0D0C ---- 000D 0D0E 0D0F
        0D10 ---- 0D12 0D13 0D14 0D15 0D16 0D17 0D18 0D19 0D1A 001B 0D1B 0D1C 0D1D 0D1E
        0020 0021 0D1F 0D20 0D21 0D22 0D23 0D24 0029 0028 0D25 0D26 002C 0D27 002E 0D28
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B ---- 0D2A 0D2B 003F
        0D2C 0D2D 0D2E 0D2F 0D30 0D31 0D32 0D33 0D34 0D35 0D36 0D37 0D38 0D39 ---- 0D3D
        0D3E 0D3F 0D40 0D41 0D42 0D43 0D44 ---- 0D46 0D47 0D48 ---- 0D4A 0D4B 0D4C 0D4D
        0D57 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 0D60 0D61 0D62 0D63 0D79
    """,
    9: """
        0B01 0B02 0B03 0B05 0B06 0B07 0B08 0B09 0B0A 0B0B 000A 0B0C ---- 000D ---- 0B0F
        0B10 ---- ---- 0B13 0B14 0B15 0B16 0B17 0B18 0B19 0B1A 001B 0B1B 0B1C 0B1D 0B1E
        0020 0021 0B1F 0B20 0B21 0B22 0B23 0B24 0029 0028 0B25 0B26 002C 0B27 002E 0B28
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B ---- 0B2A 0B2B 003F
        0B2C 0B2D 0B2E 0B2F 0B30 ---- 0B32 0B33 ---- 0B35 0B36 0B37 0B38 0B39 0B3C 0B3D
        0B3E 0B3F 0B40 0B41 0B42 0B43 0B44 ---- ---- 0B47 0B48 ---- ---- 0B4B 0B4C 0B4D
        0B56 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 0B57 0B60 0B61 0B62 0B63
    """,
    10: """
        0A01 0A02 0A03 0A05 0A06 0A07 0A08 0A09 0A0A ---- 000A ---- ---- 000D ---- 0A0F
        0A10 ---- ---- 0A13 0A14 0A15 0A16 0A17 0A18 0A19 0A1A 001B 0A1B 0A1C 0A1D 0A1E
        0020 0021 0A1F 0A20 0A21 0A22 0A23 0A24 0029 0028 0A25 0A26 002C 0A27 002E 0A28
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B ---- 0A2A 0A2B 003F
        0A2C 0A2D 0A2E 0A2F 0A30 ---- 0A32 0A33 ---- 0A35 0A36 ---- 0A38 0A39 0A3C ----
        0A3E 0A3F 0A40 0A41 0A42 ---- ---- ---- ---- 0A47 0A48 ---- ---- 0A4B 0A4C 0A4D
        0A51 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 0A70 0A71 0A72 0A73 0A74
    """,
    11: """
        ---- 0B82 0B83 0B85 0B86 0B87 0B88 0B89 0B8A ---- 000A ---- ---- 000D 0B8E 0B8F
        0B90 ---- 0B92 0B93 0B94 0B95 ---- ---- ---- 0B99 0B9A 001B ---- 0B9C ---- 0B9E
        0020 0021 0B9F ---- ---- ---- 0BA3 0BA4 0029 0028 ---- ---- 002C ---- 002E 0BA8
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B 0BA9 0BAA ---- 003F
        ---- ---- 0BAE 0BAF 0BB0 0BB1 0BB2 0BB3 0BB4 0BB5 0BB6 0BB7 0BB8 0BB9 ---- ----
        0BBE 0BBF 0BC0 0BC1 0BC2 ---- ---- ---- 0BC6 0BC7 0BC8 ---- 0BCA 0BCB 0BCC 0BCD
        0BD0 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 0BD7 0BF0 0BF1 0BF2 0BF9
    """,
    12: """
        0C01 0C02 0C03 0C05 0C06 0C07 0C08 0C09 0C0A 0C0B 000A 0C0C ---- 000D 0C0E 0C0F
        0C10 ---- 0C12 0C13 0C14 0C15 0C16 0C17 0C18 0C19 0C1A 001B 0C1B 0C1C 0C1D 0C1E
        0020 0021 0C1F 0C20 0C21 0C22 0C23 0C24 0029 0028 0C25 0C26 002C 0C27 002E 0C28
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B ---- 0C2A 0C2B 003F
        0C2C 0C2D 0C2E 0C2F 0C30 0C31 0C32 0C33 ---- 0C35 0C36 0C37 0C38 0C39 ---- 0C3D
        0C3E 0C3F 0C40 0C41 0C42 0C43 0C44 ---- 0C46 0C47 0C48 ---- 0C4A 0C4B 0C4C 0C4D
        0C55 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 0C56 0C60 0C61 0C62 0C63
    """,
    13: """
        0627 0622 0628 067B 0680 067E 06A6 062A 06C2 067F 000A 0679 067D 000D 067A 067C
        062B 062C 0681 0684 0683 0685 0686 0687 062D 062E 062F 001B 068C 0688 0689 068A
        0020 0021 068F 068D 0630 0631 0691 0693 0029 0028 0699 0632 002C 0696 002E 0698
        0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B 069A 0633 0634 003F
        0635 0636 0637 0638 0639 0641 0642 06A9 06AA 06AB 06AF 06B3 06B1 0644 0645 0646
        06BA 06BB 06BC 0648 06C4 06D5 06C1 06BE 0621 06CC 06D0 06D2 064D 0650 064F 0657
        0654 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
        0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 0655 0651 0653 0656 0670
    """,
}
