"""`python -m bench.scaling`: what 1, 100, 1,000 and 10,000 messages a second need; `--write`: into docs/scaling.md."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from bench import cost, model

RATES: Final = (1, 100, 1_000, 10_000)
PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "scaling.md"
BEGIN, END = "<!-- made by `python -m bench.scaling --write` -->\n", "<!-- end -->\n"


def loads() -> list[model.Load]:
    """The loads of the page; what a message writes is as it was counted."""
    paths = json.loads(cost.COUNTS.read_text())["paths"]
    writes = [
        sum(paths[f"{kind} {what}"].get("dynamodb write units", 0) for kind in ("HTTP", "SMPP")) / 2
        for what in ("MT", "receipt", "MO")
    ]
    return [model.Load(rate, writes=(writes[0], writes[1], writes[2])) for rate in RATES]


def shown(value: float) -> str:
    """A figure as it is read."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def table() -> str:
    """The table of docs/scaling.md: what is above a quota is bold, what is above half of it in italics."""
    marks = {"": "", "near": "*", "raise": "**"}
    heads = [f"{rate:,}/s" for rate in RATES]
    rows = [f"| | quota | {' | '.join(heads)} | raised by |", "|---" * (len(RATES) + 3) + "|"]
    wanted = [model.needs(load) for load in loads()]
    for key, quota in model.QUOTAS.items():
        cells = []
        for needed in wanted:
            mark = marks[model.verdict(needed[key], quota)]
            cells.append(f"{mark}{shown(needed[key])}{mark}")
        rows.append(f"| {quota.name} | {quota.value:,.0f} | {' | '.join(cells)} | {quota.where} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Print, or write."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/scaling.md")
    options = parser.parse_args()
    print(table(), end="")
    if options.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
