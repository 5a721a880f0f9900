"""A channel file is a list of differences: what two of them would say in the same words belongs into the base."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path

from chalicelib import channels

FOLDER = Path(channels.__file__).parent
FILES = sorted({FOLDER / f"{channels.load(code).__module__.rsplit('.', 1)[1]}.py" for code in channels.CODES})
SAME = 6  # lines that no two files may share


def code_of(path: Path) -> list[str]:
    """Its lines below the imports, without indentation, comments and what is empty."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    first = next(index for index, line in enumerate(lines) if line.startswith(("class ", "def ", "_")))
    return [line for line in lines[first:] if line and not line.startswith("#")]


def test_no_two_files_share_six_lines() -> None:
    seen: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for path in FILES:
        code = code_of(path)
        for index in range(len(code) - SAME + 1):
            seen[tuple(code[index : index + SAME])].add(path.stem)
    shared = {"\n".join(lines): sorted(files) for lines, files in seen.items() if len(files) > 1}
    assert shared == {}


def test_the_median_file_is_under_120_lines() -> None:
    lengths = {path.stem: len(path.read_text().splitlines()) for path in FILES}
    assert statistics.median(lengths.values()) < 120
