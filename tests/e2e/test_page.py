"""`make run` as a user has it: the page in a real browser, both ways over every line, and Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from local.emulator import ROOT, free_port
from local.world import LINES
from tests.tools import tool

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PATIENCE = 60_000  # ms
FACTS = re.compile(  # of a link that is well
    r"up1/1 binds.*window \d+/\d+.*/s.*p50 [\d.]+ ms.*p99 [\d.]+ ms.*throttled \d+.*waiting \d+ \+ \d+.*no error so far"
)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """`python -m local`, afloat."""
    port = free_port(2)
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        # What a shell has put into the background, this suite perhaps, ignores Ctrl-C, and so do its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if "JANGADA_LOCAL" in line:
            break
    assert "afloat" in said, said
    assert f"http://localhost:{port}" in said
    yield port, process
    if process.poll() is None:
        process.kill()


@pytest.fixture
def page(local: tuple[int, subprocess.Popen[str]]) -> Iterator[Page]:
    """The page of `make run`, whose scripts must not fail."""
    chromium = tool("chromium")
    environment: dict[str, str | float | bool] = dict(os.environ)
    path = chromium.path
    if chromium.libraries:  # Debian's wrapper looks only in /usr/lib
        environment["LD_LIBRARY_PATH"] = chromium.libraries
        path = path.parent.parent / "lib/chromium/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET, env=environment)
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        problems: list[str] = []
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.goto(f"http://localhost:{local[0]}")
        yield opened
        browser.close()
        assert problems == []


def test_messages_both_ways_over_every_line(page: Page, tmp_path: Path) -> None:
    for line in LINES:
        page.select_option("#platform select", line.code)
        page.fill("#platform input", f"Muraho {line.code} ☀ <b>")
        page.press("#platform input", "Enter")
        expect(page.locator("#inbox")).to_contain_text(f"Muraho {line.code} ☀ <b>", timeout=PATIENCE)
        page.select_option("#phone select", line.code)
        page.fill("#phone input", f"Yego {line.code} é")
        page.click("#phone button")
        expect(page.locator("#got")).to_contain_text(f"Yego {line.code} é", timeout=PATIENCE)
        way = page.locator("#hops > .m").filter(has_text=f"Muraho {line.code}")
        expect(way).to_have_count(1)
        expect(way.locator(".hop.delivered")).to_have_count(1, timeout=PATIENCE)
        expect(way.locator(".hop.platform_accepted").first).to_be_visible(timeout=PATIENCE)
        hops = way.locator(".hop").all_inner_texts()
        assert [hop for hop in hops if hop.startswith(("queued", "wired"))], hops
        assert all(re.search(r" \d+ ms", hop) for hop in hops), hops
    for name in ("demo-smpp", "demo-ucp", "demo-cimd2"):
        link = page.locator("#links .link.up").filter(has_text=name)
        expect(link).to_contain_text(FACTS, timeout=PATIENCE)
    picture = Path(os.environ.get("JANGADA_SCREENSHOT") or tmp_path / "page.png")
    page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 10_000


def test_ctrl_c_stops_everything(local: tuple[int, subprocess.Popen[str]]) -> None:
    _, process = local
    children = _children(process.pid)
    assert children
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stdout
    assert "stopped" in process.stdout.read()
    assert _left(children) == []


def test_a_kill_leaves_nothing_behind() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "--port", str(free_port(2))], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert any("JANGADA_LOCAL" in line for line in process.stdout)
    children = _children(process.pid)
    assert len(children) == 4  # AWS, λ functions, SMSC, relay
    process.kill()
    process.wait()
    assert _left(children) == []


def _left(pids: list[int]) -> list[int]:
    """Those that are still there after a while."""
    deadline = time.monotonic() + 10
    while (left := [pid for pid in pids if _runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _runs(pid: int) -> bool:
    """It has not ended; what nobody has waited for yet may still have an entry."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    """The processes whose parent it is, whichever of its threads has started them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found
