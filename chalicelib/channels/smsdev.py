"""SMSDev, Brazil: https://www.smsdev.com.br/docs/"""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from chalicelib.channels import dates
from chalicelib.channels.base import (
    DELIVERED,
    FAILED,
    IGNORED,
    SENT,
    ChannelConfig,
    HttpChannel,
    Part,
    Request,
    Secret,
    Url,
    route,
)
from chalicelib.channels.parts import part_of
from chalicelib.messages import Incoming, StatusUpdate
from chalicelib.outcomes import Accepted, ChannelDown, Permanent
from chalicelib.transport import judge

if TYPE_CHECKING:
    from chalicelib.transport import Http, Response

_BRASILIA: Final = timezone(timedelta(hours=-3))  # no summer time since 2019
_MAX_REFERENCE: Final = 100  # characters of `refer`
# SMSDev's own pages list no codes; those of the same API under another name do:
# https://github.com/smsempresa/api/blob/master/source/includes/_errors.md
_ACCOUNT: Final = {
    "403": "SMSDev refuses our key",
    "408": "no balance at SMSDev",
    "414": "the SMSDev account is not confirmed, or blocked",
}


def judge_smsdev(response: Response) -> None:
    """SMSDev answers errors with HTTP 200 and a code of its own; one object, or an array of them."""
    first: tuple[int, ...] = (0,) if isinstance(response.pick(), list) else ()
    code = response.pick_id(*first, "codigo")
    if response.pick(*first, "situacao") == "OK" and response.ok:
        return
    if code in _ACCOUNT and response.status < 500:
        raise ChannelDown(_ACCOUNT[code], code, credentials=code == "403")
    judge(response)
    raise Permanent("response_content", code)


class SmsDev(HttpChannel):
    """JSON out; in comes what the console is set to. SMSDev signs nothing: `secret` in the URLs stands in for that."""

    code = "SDV"
    name = "SMSDev"
    unknown_status = IGNORED

    class Config(ChannelConfig):
        """Keys of this type."""

        api_key: Secret
        base_url: Url = "https://api.smsdev.com.br/v1"

    config: Config
    statuses = {
        "RECEBIDA": DELIVERED,
        "ENVIADA": SENT,
        "FILA": IGNORED,
        "ERRO": FAILED,
        "CANCELADA": FAILED,
        "BLACK LIST": FAILED,
    }

    @route("POST GET", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An answer to a message of ours; there is no other kind."""
        form = request.form_or_json()
        sender, external_id, text = form.require("from", "id", "message", may_be_empty=("message",))
        return self.incoming(sender, text, external_id=external_id, country="BR")

    @route("POST GET", "status")
    def on_status(self, request: Request) -> StatusUpdate:
        """A delivery report. Our own reference also names a message whose acceptance got lost on the way to us."""
        form = request.form_or_json()
        (status,) = form.require("situacao")
        ours, part = part_of(form.get("refer")) or ("", None)
        return self.update(
            status.strip().upper(),
            id=ours,
            part=part,
            external_id=form.get("id"),
            at=dates.if_readable(_moment, form.get("data_envio")),
        )

    def send(self, part: Part, http: Http) -> Accepted:
        """One POST a part. The account decides on the sender."""
        number = part.message.to_no_plus
        body: dict[str, Any] = {
            "key": str(self.config.api_key),
            "type": 9,
            "number": int(number) if number.isascii() and number.isdigit() else number,
            "msg": part.text,
            "refer": part.idempotency[:_MAX_REFERENCE],
        }
        url = self.config.base_url.rstrip("/") + "/send"
        answer = http.post(url, json=body, headers={"Accept": "application/json"}, judge=judge_smsdev)
        return Accepted(answer.pick_id("id") or answer.pick_id(0, "id"))


def _moment(text: str) -> int:
    """`DDMMYYYYHHMMSS`, in Brasília's time."""
    return dates.in_zone(text, "%d%m%Y%H%M%S", zone=_BRASILIA)
