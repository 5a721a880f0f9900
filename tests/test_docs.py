"""What the documents say is true: their samples run, their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import app
from chalicelib import channels, queues
from tests.support import Aws

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_platforms_sample_puts_a_message_on_its_way(aws: Aws) -> None:
    (sample,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/platform.md").read_text(), re.DOTALL)
    assert len([line for line in sample.splitlines() if line.strip()]) <= 10
    aws.platform("main")
    aws.aggregator("fast", lane="own")
    aws.channel(id=346)
    exec(compile(sample, "docs/platform.md", "exec"), {})
    aws.drain(queues.OUTBOUND, app.route)
    (record,) = aws.bodies("lane-fast.fifo")
    assert (record["key"]["id"], record["message"]["text"]) == ("1241244", "Love is patient.")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


def test_the_readme_counts_the_channel_types() -> None:
    assert f"| HTTP aggregators | {len(channels.CODES)} channel types" in (ROOT / "README.md").read_text()
