"""Yo! Uganda: http://www.yo.co.ug"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from chalicelib.channels import dates
from chalicelib.channels.base import BadRequest, ChannelConfig, HttpChannel, Part, Request, Secret, Text, route
from chalicelib.messages import Incoming
from chalicelib.outcomes import Accepted, OptedOut, Permanent, Temporary

if TYPE_CHECKING:
    from chalicelib.transport import Http, Response

_HOSTS: Final = ("smgw1.yo.co.ug", "41.220.12.201", "164.40.148.210")  # of one service: the first that works is used


class Yo(HttpChannel):
    """Query strings both ways, and one as the answer. There are no delivery reports."""

    code = "YO"
    name = "Yo!"
    max_length = 1600

    class Config(ChannelConfig):
        """Keys of RapidPro's YO channel: the YBS account number and its password."""

        username: Text
        password: Secret

    config: Config

    @route("GET", "receive")
    def on_message(self, request: Request) -> Incoming:
        """An MO; Yo! gives it no id."""
        form = request.form()
        sender, date = form.first_of("sender", "from"), form.first_of("date", "time")
        if not sender:
            raise BadRequest("request failed validation", ["field 'sender' or 'from' required"])
        return self.incoming(sender, form.get("message"), received_at=dates.rfc3339(date) if date else None)

    def send(self, part: Part, http: Http) -> Accepted:
        """One GET a part, to the next host where one cannot be reached or has trouble of its own."""
        answer = self._offer(part, http)
        fields = parse_qs(answer.text)
        if "BLACKLISTED" in "".join(fields.get("ybs_autocreate_message", [])):
            raise OptedOut("the recipient is blacklisted", "BLACKLISTED")
        status = fields.get("ybs_autocreate_status", [""])[0]
        if status != "OK":
            raise Permanent("response_content", status[:64])
        return Accepted()

    def _offer(self, part: Part, http: Http) -> Response:
        params = {
            "origin": part.address.removeprefix("+"),
            "sms_content": part.text,
            "destinations": part.message.to_no_plus,
            "ybsacctno": self.config.username,
            "password": str(self.config.password),
        }
        for host in _HOSTS:
            try:
                return http.get(f"http://{host}:9100/sendsms", params=params)
            except Temporary as error:
                trouble = error
        raise trouble
