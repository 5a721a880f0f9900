"""What the benches of one connection print, and nothing that costs memory: clients of others import it as well."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

TEXT: Final = "Love is patient. Love is kind. It does not envy, it does not boast. " + "x" * 12

Figures = Mapping[str, float]


def figures(times: list[float], took: float, cpu: float) -> dict[str, float]:
    """Of submits that were answered after so many seconds each.

    Rate in messages/s, CPU in s per 100,000, p50 and p99 in ms, RSS in MB.
    """
    times, count = sorted(times), len(times)
    return {
        "rate": count / took,
        "cpu": cpu * 100_000 / count,
        "p50": times[count // 2] * 1000,
        "p99": times[count * 99 // 100] * 1000,
        "rss": peak_rss(),
    }


def peak_rss(pid: int | str = "self") -> float:
    """Of a process, in MB. getrusage would tell the greater of it and its parent, whose memory it had before exec."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def compared(found: Mapping[str, Figures], window: int, delay: float) -> list[str]:
    """The session beside the floor, smpp34 and, with `delay` ms to each answer, the most that the window lets through.

    What was not measured is left out.
    """
    session, floor, smpp34 = (found.get(name) for name in ("session", "floor", "smpp34"))
    if session is None:
        return []
    said = []
    if floor:
        said.append(f"{session['rate'] / floor['rate']:.0%} of the floor's rate")
    if smpp34:
        said.append(f"{session['rate'] / smpp34['rate']:.1f} x smpp34's")
    if floor and window == 1:
        said.append(f"round trip {session['p50'] / floor['p50']:.2f} x the floor's")
    if delay:
        bound = window * 1000 / delay
        also = f" (floor {floor['rate'] / bound:.1%})" if floor else ""
        said.append(f"{session['rate'] / bound:.1%} of the window's {bound:,.0f}/s{also}")
    return said
