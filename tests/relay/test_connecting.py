"""Why there is no connection: the words for it, and what the check asks of whom by them."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable

import pytest

from smsc_relay import check_faults
from smsc_relay.config import Address
from smsc_relay.connecting import no_tcp, no_tls

TO: Address = ("10.64.10.20", 2775)
SEVERAL = "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0), [Errno 101] Connect call failed"


def of_ssl(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def of_certificate(message: str) -> ssl.SSLError:
    error = ssl.SSLCertVerificationError(1, "CERTIFICATE_VERIFY_FAILED")
    error.verify_message = message
    return error


@pytest.mark.parametrize(
    ("why", "error", "said", "step", "whom"),
    [
        pytest.param(no_tcp, TimeoutError(), "no answer from 10.64.10.20:2775 in 10 s", "TCP", check_faults.NETWORK,
                     id="silence"),
        pytest.param(no_tcp, ConnectionRefusedError(111, "Connect call failed"),
                     "10.64.10.20:2775 refuses the connection", "TCP", check_faults.AGGREGATOR, id="refused"),
        pytest.param(no_tcp, OSError(SEVERAL), "10.64.10.20:2775 refuses the connection", "TCP",
                     check_faults.AGGREGATOR, id="several addresses of a name"),
        pytest.param(no_tcp, OSError(errno.EHOSTUNREACH, "Connect call failed"),
                     "no way to 10.64.10.20:2775: No route to host", "TCP", check_faults.US, id="no route"),
        pytest.param(no_tcp, socket.gaierror(-2, "Name or service not known"),
                     "the name 10.64.10.20 is not known: Name or service not known", "TCP", check_faults.US, id="name"),
        pytest.param(no_tcp, OSError(errno.EMFILE, ""), "no connection to 10.64.10.20:2775: Too many open files", "TCP",
                     check_faults.AGGREGATOR, id="another"),
        pytest.param(no_tls, TimeoutError(), "no TLS with 10.64.10.20:2775 in 10 s", "TLS", check_faults.AGGREGATOR,
                     id="silence in TLS"),
        pytest.param(no_tls, ConnectionResetError(), "no TLS with 10.64.10.20:2775: it has hung up", "TLS",
                     check_faults.AGGREGATOR, id="hung up"),
        pytest.param(no_tls, of_ssl("WRONG_VERSION_NUMBER"),
                     "no TLS with 10.64.10.20:2775: wrong version number, does this port speak TLS?", "TLS",
                     check_faults.AGGREGATOR, id="no TLS"),
        pytest.param(no_tls, of_certificate("certificate has expired"),
                     "the certificate of 10.64.10.20:2775 is not accepted: certificate has expired", "TLS",
                     check_faults.AGGREGATOR, id="certificate"),
    ],
)  # fmt: skip
def test_why(why: Callable[..., str], error: Exception, said: str, step: str, whom: str) -> None:
    assert why(TO, error, 10.0) == said
    stop = check_faults.unconnected(said)
    assert (stop.detail, stop.whom) == (said, whom)
    assert check_faults.in_tls(said) is (step == "TLS")


def test_of_several_the_one_that_came_farthest_is_asked_about() -> None:
    refused = no_tcp(TO, ConnectionRefusedError(), 10.0)
    expired = no_tls(("fd00::7", 2775), of_certificate("certificate has expired"), 10.0)
    stop = check_faults.unconnected(f"{refused}; {expired}")
    assert stop.ask.startswith("who has issued the certificate")
    assert "[fd00::7]:2775 is not accepted" in stop.detail
    assert check_faults.in_tls(stop.detail)
