"""`python -m smsc_relay.simulator`: an SMSC on this machine."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import ssl
import sys
from typing import Any

from smsc_relay.simulator.script import Script, ScriptError, load
from smsc_relay.simulator.simulator import Simulator


def main(arguments: list[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM; the exit status."""
    options = _parser().parse_args(arguments)
    # Every message is remembered: small objects that live long, which the collector need not look at so often.
    gc.set_threshold(20_000, 20, 20)
    try:
        script = _script(options)
        asyncio.run(_run(script, options))
    except (ScriptError, OSError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before the handler was there
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m smsc_relay.simulator", description="A simulated SMSC.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--smpp-port", type=int, default=2775, help="0: any (default: %(default)s)")
    parser.add_argument("--ucp-port", type=int, default=5000, help="0: any (default: %(default)s)")
    parser.add_argument("--cimd2-port", type=int, default=9971, help="0: any (default: %(default)s)")
    parser.add_argument("--control-port", type=int, default=2780, help="HTTP; 0: any (default: %(default)s)")
    parser.add_argument(
        "--script", action="append", default=[], metavar="FILE", help="YAML or JSON; later ones change earlier ones"
    )
    parser.add_argument(
        "--account",
        action="append",
        default=[],
        metavar="SYSTEM_ID[:PASSWORD]",
        help="an account; without any, here or in a script, everybody may log in",
    )
    tls = parser.add_argument_group("TLS", "With a certificate, SMPP, UCP and CIMD2 are spoken over TLS alone.")
    tls.add_argument("--certificate", metavar="FILE", help="certificate of the SMSC, and those it hangs on; PEM")
    tls.add_argument("--key", metavar="FILE", help="its private key; PEM (default: in the file of the certificate)")
    tls.add_argument("--client-ca", metavar="FILE", help="clients need a certificate by one of these; PEM")
    return parser


def _script(options: argparse.Namespace) -> Script:
    script = load(options.script)
    accounts: dict[str, Any] = {}
    for given in options.account:
        name, _, password = given.partition(":")
        accounts[name] = {"password": password or None}
    return script.patched({"accounts": accounts}) if accounts else script


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.certificate is None:
        if options.key or options.client_ca:
            raise ScriptError("--key and --client-ca need --certificate")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=options.client_ca)
    context.load_cert_chain(options.certificate, options.key)
    if options.client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _run(script: Script, options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    ports = {name: getattr(options, name) for name in ("smpp_port", "ucp_port", "cimd2_port", "control_port")}
    smsc = Simulator(script, host=options.host, tls=_tls(options), **ports)
    async with smsc:
        print(f"SMPP on {smsc.host}:{smsc.smpp_port}")
        print(f"UCP on {smsc.host}:{smsc.ucp_port}")
        print(f"CIMD2 on {smsc.host}:{smsc.cimd2_port}")
        print(f"control on http://{smsc.host}:{smsc.control_port}")
        print("ready", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    sys.exit(main())
