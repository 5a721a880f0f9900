"""The whole gateway on one machine: emulated AWS, the Lambda functions, the relay and an SMSC simulator, as processes.

Used by `make run`, `make smoke` and the end-to-end tests. Everything listens on loopback only.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from local.emulator import VISIBILITY, Emulator, create_resources, environment, free_port
from local.processes import Child

SHARED_QUEUES: Final = ("outbound.fifo=2", "outbound-bulk.fifo", "lane-shared.fifo=2", "lane-shared-bulk.fifo",
                        "events.fifo=2", "later")  # fmt: skip
LEASE: Final = 8  # seconds: after 10 a relay that has been killed and started again has its binds back


# Protocol -> the port that files of demo accounts name, and the simulator's option is named after.
SMSC_PORTS: Final = {"smpp": 2775, "ucp": 5000, "cimd2": 9971}


class Gateway:
    """Started on entry, stopped on exit; each process may be killed and started again meanwhile.

    `files`: aggregator files, in whose texts `replace` is replaced; `secrets`: by aggregator and key.
    """

    def __init__(
        self,
        work: Path,
        files: Sequence[Path],
        secrets: Mapping[str, Mapping[str, str]],
        replace: Mapping[str, str],
        *,
        api_port: int = 0,
        visibility: int = VISIBILITY,
    ) -> None:
        self.api_port = api_port or free_port()
        self.api = f"http://127.0.0.1:{self.api_port}"
        self.smsc_ports = {protocol: free_port() for protocol in SMSC_PORTS}
        self.control_port, self.health_port = free_port(), free_port()
        self.control = f"http://127.0.0.1:{self.control_port}"
        self.emulator = Emulator(log=work / "emulator.log")
        self._work, self._files, self._secrets, self._visibility = work, files, secrets, visibility
        ports = {f"port: {SMSC_PORTS[protocol]}": f"port: {port}" for protocol, port in self.smsc_ports.items()}
        self._replace = {**replace, **ports}
        self._before: dict[str, str | None] = {}  # the environment that was
        self.has_smsc = False  # without one there is neither relay nor simulator
        self.functions: Child
        self.relay: Child
        self.simulator: Child

    def start(self) -> Self:
        """Start everything and wait until it is ready.

        Raises:
            EmulatorError, ProcessError: a part does not start.
            cli.aggregator_files.FileError: a file cannot be used.
        """
        self.emulator.start()
        given = environment(self.emulator.endpoint)
        given |= {"JANGADA_DOMAIN": f"localhost:{self.api_port}", "JANGADA_SCHEME": "http", "JANGADA_METRICS": "off"}
        self._before = {name: os.environ.get(name) for name in given}
        os.environ.update(given)
        own, platforms = self._register()
        queues = [*SHARED_QUEUES, *(f"lane-{name}{kind}.fifo" for name in own for kind in ("", "-bulk"))]
        queues += [f"deliver-{name}.fifo=2" for name in platforms]
        mappings = [argument for queue in queues for argument in ("--queue", queue)]
        self.functions = self._child("functions", ["local.functions", "--port", str(self.api_port), *mappings])
        ports = [part for protocol, port in self.smsc_ports.items() for part in (f"--{protocol}-port", str(port))]
        self.simulator = self._child(
            "simulator",
            ["smsc_relay.simulator", "--control-port", str(self.control_port), *ports],
            url=f"{self.control}/sessions",
        )
        self.relay = self._child(
            "relay",
            ["local.relay", "--health-port", str(self.health_port), "--lease-ttl", str(LEASE)],
            url=f"http://127.0.0.1:{self.health_port}/",
        )
        with ThreadPoolExecutor(3) as pool:
            for started in [pool.submit(child.start) for child in self.children]:
                started.result()
        return self

    @property
    def children(self) -> list[Child]:
        """The processes beside the emulator."""
        return [self.functions, *([self.simulator, self.relay] if self.has_smsc else [])]

    def _register(self) -> tuple[list[str], list[str]]:
        """Apply the files; the HTTP aggregators with a lane of their own, and the platforms."""
        from chalicelib import aws, registry, settings
        from cli import aggregator_files, applying

        for module in (settings, aws, registry):
            module.reset()
        loaded = []
        for path in self._files:
            text = path.read_text()
            for old, new in self._replace.items():
                text = text.replace(old, new)
            loaded.append(aggregator_files.load(text, str(path)))
        platforms = sorted({name for one in loaded for name in one.platforms})
        accounts = [one.aggregator for one in loaded if one.aggregator]
        smscs = [one.name for one in accounts if one.type in registry.SMSC_TYPES]
        own = [one.name for one in accounts if one.lane == "own" and one.name not in smscs]
        create_resources(
            self.emulator.endpoint, own_lanes=[*own, *smscs], platforms=platforms, visibility=self._visibility
        )
        applying.apply(loaded, self._secrets)
        self.has_smsc = bool(smscs)
        return own, platforms

    def _child(self, name: str, arguments: list[str], url: str = "") -> Child:
        ready = (lambda: _answers(url)) if url else "ready"
        return Child(name, arguments, dict(os.environ), self._work / f"{name}.log", ready)

    def stop(self) -> None:
        """Stop everything: who takes from queues first, AWS last."""
        children = self.children if hasattr(self, "relay") else []
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop()
        self.emulator.stop()
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False
