"""The command line, run in this process against the emulated AWS."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from chalicelib import registry
from cli.main import main
from tests.support import Aws


@dataclass
class Ran:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


Jangada = Callable[..., Ran]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Jangada:
    """Run `jangada` with these arguments, and `stdin` as a pipe. Each run starts with nothing cached."""

    def run(*arguments: str, stdin: str = "") -> Ran:
        registry.reset()
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        try:
            status = main([str(one) for one in arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run


@pytest.fixture
def jangada(aws: Aws, cli: Jangada) -> Jangada:
    """As `cli`, with an AWS."""
    return cli


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Write a file into the directory that the commands run in; answers its name."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return name

    return write
