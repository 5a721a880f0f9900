"""`make run` as a user has it: the page in a real browser, both ways over every line, and Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from local.emulator import ROOT, free_port
from local.world import LINES, ask
from tests.tools import tool

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PATIENCE = 60_000  # ms
FACTS = re.compile(  # of a link that is well
    r"up1/1 binds.*window \d+/\d+.*/s.*p50 [\d.]+ ms.*p99 [\d.]+ ms.*throttled \d+.*waiting \d+ \+ \d+.*(no|last) error"
)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@dataclass(frozen=True)
class Local:
    """`python -m local`, afloat. `control`: of the SMSC simulator; `health`: the relay's health page."""

    port: int
    process: subprocess.Popen[str]
    control: str
    health: str


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    """For all tests, until one stops it."""
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
    control, health = (
        re.findall(rf"{name} +(http\S+)", said)[0] for name in ("SMSC simulator's control", "relay's health")
    )
    yield Local(port, process, control, health)
    if process.poll() is None:
        process.kill()


@pytest.fixture
def page(local: Local) -> Iterator[Page]:
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
        opened.goto(f"http://localhost:{local.port}")
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
    _picture(page, "page.png", tmp_path)


def test_the_trouble_of_a_link_is_on_its_card_and_on_the_health_page(local: Local, page: Page, tmp_path: Path) -> None:
    throttle = {"destinations": {"123123": {"status": "RTHROTTLED", "times": 1}}}
    ask(f"{local.control}/script", json.dumps(throttle).encode(), "application/json")
    page.select_option("#platform select", "SMPP")
    page.fill("#platform input", "Muraho neza")
    page.press("#platform input", "Enter")
    link = page.locator("#links .link").filter(has_text="demo-smpp")
    expect(link).to_contain_text(re.compile(r"throttled [1-9]"), timeout=PATIENCE)
    expect(page.locator("#inbox")).to_contain_text("Muraho neza", timeout=PATIENCE)
    ask(f"{local.control}/disconnect", b"{}", "application/json")
    expect(link).to_contain_text(re.compile(r"last error .*: 1-transceiver: (?!no connection)"), timeout=PATIENCE)
    expect(link).to_contain_text("1/1 binds", timeout=PATIENCE)
    _picture(page, "trouble.png", tmp_path)
    found = json.loads(ask(local.health))["links"]["demo-smpp"]
    assert found["throttled"] > 0
    assert found["error"].startswith("1-transceiver: ")
    assert {"state", "binds", "in_flight", "window", "actual", "p50", "p99", "waiting"} <= found.keys()


def test_ctrl_c_stops_everything(local: Local) -> None:
    process = local.process
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


def _picture(page: Page, name: str, folder: Path) -> None:
    """To look at, in the folder JANGADA_SCREENSHOTS where that is set."""
    picture = Path(os.environ.get("JANGADA_SCREENSHOTS") or folder) / name
    page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 10_000


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
