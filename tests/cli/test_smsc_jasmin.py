"""`jangada smsc import` of what Jasmin's console prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import aggregator_files, jasmin, jasmin_knobs
from cli.main import main
from cli.smsc_accounts import Imported, UnreadableError
from smsc_relay.smpp import address
from smsc_relay.smpp.config import SmppConfig

# Of Jasmin 0.11.1, whose connectors have been set, listed and shown over telnet.
DEMO = """\
cid demo
host 127.0.0.1
port 2775
username smppclient
logrotate midnight
password hunter2
systype\x20
logfile //var/log/jasmin/default-demo.log
loglevel 20
logprivacy no
bind_to 30
elink_interval 30
res_to 120
con_loss_retry yes
bind_npi 0
con_loss_delay 10
con_fail_delay 10
pdu_red_to 10
bind transceiver
bind_ton 0
src_ton 2
src_npi 1
dst_ton 1
addr_range None
src_addr None
proto_id None
priority 0
validity None
ripf 0
def_msg_id 0
coding 0
requeue_delay 120
submit_throughput 1
dlr_expiry 86400
dlr_msgid 0
con_fail_retry yes
dst_npi 1
trx_to 300
ssl no
"""
RECEIVER = """\
cid MTN_RX
host 10.64.10.20
port 2776
username ilha
logrotate W6
password hunter2
systype VMA
logfile /var/log/x.log
loglevel 10
logprivacy yes
bind_to 20
elink_interval 15
res_to 45
con_loss_retry no
bind_npi 8
con_loss_delay 3
con_fail_delay 4
pdu_red_to 5
bind receiver
bind_ton 1
src_ton 5
src_npi 0
dst_ton 2
addr_range ^80
src_addr ILHA
proto_id 65
priority 2
validity 3600
ripf 1
def_msg_id 7
coding 3
requeue_delay 60
submit_throughput 12.5
dlr_expiry 3600
dlr_msgid 1
con_fail_retry no
dst_npi 8
trx_to 200
ssl yes
"""
SESSION = f"""\
Trying 127.0.0.1...
Connected to localhost.
Escape character is '^]'.
Authentication required.

Username: jcliadmin
Password:\x20
Welcome to Jasmin 0.11.1 console
Type help or ? to list commands.

Session ref: 3
jcli : smppccm -l
#Connector id                        Service Session          Starts Stops
#demo                                stopped NONE             0      0\x20\x20\x20\x20
#MTN_RX                              started BOUND_RX         1      0\x20\x20\x20\x20
#spare                               started NONE             10     9\x20\x20\x20\x20
Total connectors: 3
jcli : smppccm -s demo
{DEMO}jcli : user -s foo
uid foo
gid g
username foo
mt_messaging_cred authorization http_send True
mt_messaging_cred defaultvalue src_addr None
smpps_cred quota max_bindings ND
jcli : httpccm -s HTTP-01
HttpConnector:
cid = HTTP-01
baseurl = http://127.0.0.1:1/mo
method = GET
jcli : mtrouter -l
#Order Type                    Rate       Connector ID(s)                                  Filter(s)
#0     DefaultRoute            0 (!)      smppc(demo)
Total MT Routes: 1
jcli : smppccm -s nobody
Unknown connector: nobody
jcli : smppccm -s MTN_RX
{RECEIVER}jcli : quit
Disconnecting client from console
"""

# What every connector has where nothing is set, and we do otherwise.
UNSET = {
    "host": "10.64.10.20", "port": 2775, "system_id": "ilha", "bind": "transceiver", "response_timeout": 120.0,
    "reconnect_min": 10.0, "reconnect_max": 10.0, "source_ton": 2, "source_npi": 1, "dest_ton": 1, "dest_npi": 1,
    "max_tps": 1.0, "esm_mode": 3,
}  # fmt: skip
# As it is shown with the place and the name set.
ILHA = DEMO.replace("demo", "MTN_UG").replace("127.0.0.1", "10.64.10.20").replace("smppclient", "ilha")


def shown(more: str = "", text: str = ILHA) -> str:
    """The connector, with other values for some of its settings, or more of them."""
    for line in filter(None, more.split("\n")):
        key = line.split(" ")[0]
        text, count = re.subn(rf"^{key}( .*)?$", lambda _, line=line: line, text, flags=re.M)
        text += "" if count else f"{line}\n"
    return text


def one_of(text: str) -> Imported:
    (one,) = jasmin.imported(text)
    return one


def applied(one: Imported) -> dict[str, Any]:
    """Config of a file that `jangada aggregator check` takes, without the password."""
    loaded = aggregator_files.load(one.text, f"{one.name}.yaml")
    assert loaded.aggregator is not None
    assert loaded.aggregator.name == one.name
    assert "hunter2" not in one.text + str(one.remarks)
    return {key: value for key, value in loaded.aggregator.config.items() if key != "password"}


# --- what is read -----------------------------------------------------------------------------------------------------


def test_a_connector_as_it_is_printed_becomes_a_file_that_can_be_applied() -> None:
    one = one_of(ILHA)
    assert one.name == "mtn-ug"
    assert applied(one) == UNSET
    assert "password: !secret" in one.text
    assert "password: give it with `jangada aggregator secret mtn-ug password`" in one.remarks


def test_a_session_is_read_with_all_that_is_around_its_connectors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pasted = tmp_path / "session.txt"
    pasted.write_text(SESSION)
    assert main(["smsc", "import", str(pasted), "--out", str(tmp_path / "made")]) == 0
    said = capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["demo.yaml", "mtn-rx.yaml"]
    files = [yaml.safe_load(path.read_text().replace("!secret", "x")) for path in (tmp_path / "made").iterdir()]
    assert {file["config"]["system_id"] for file in files} == {"smppclient", "ilha"}
    assert "hunter2" not in said + str(files)
    for told in (
        "  stopped there: leave the file unapplied until it is to bind",
        "not imported: connector spare: listed, but not shown: `smppccm -s spare`",
        "not imported: line 58: user: who sends is a platform with a token: `jangada token new`",
        "not imported: line 65: httpccm: a platform has base_url",
        "not imported: line 70: mtrouter: a channel names its aggregator: there is nothing to route",
    ):
        assert told in said
    assert said.count("stopped there") == 1
    assert main(["smsc", "import", str(pasted), "--out", str(tmp_path / "made")]) == 1
    assert "there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SESSION.replace("\n", "\r\r\r\n"), id="line ends as the console sends them"),
        pytest.param("\x1bc\x1b[4h" + SESSION.replace("jcli :", "\x1b[1mjcli :\x1b[0m"), id="what terminals are told"),
        pytest.param(re.sub(r"(jcli : ).*\n", r"\1", SESSION), id="without the echo of what was typed"),
        pytest.param(f"{DEMO}{RECEIVER}", id="two outputs, and nothing else"),
        pytest.param(f"# ours\n\n{DEMO}\n\n# theirs\n{RECEIVER}\n", id="with comments"),
        pytest.param("\n".join(line.rstrip() for line in SESSION.splitlines()), id="without blanks at the ends"),
        pytest.param(SESSION.replace("smppccm -s ", "smppccm --show="), id="the long option"),
        pytest.param(f"> smppccm -s demo\n{DEMO}\n> smppccm -s MTN_RX\n{RECEIVER}", id="quoted commands"),
    ],
)
def test_however_it_has_been_copied(text: str) -> None:
    assert jasmin.recognised(text)
    assert [(one.name, applied(one)) for one in jasmin.imported(text)] == [
        (one.name, applied(one)) for one in jasmin.imported(SESSION)
    ]


def test_of_a_connector_that_is_shown_twice_the_last_counts() -> None:
    text = f"jcli : smppccm -s MTN_UG\n{ILHA}jcli : smppccm -s MTN_UG\n{shown('port 2999')}jcli : "
    assert applied(one_of(text))["port"] == 2999


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Dear colleagues,\nthe host is up.\n", "neither a Kannel configuration (`group = smsc`, lines `key = value`)"),
        ("Dear colleagues,\nthe host is up.\n", "nor what Jasmin's jcli prints for `smppccm -s CID`"),
        ("", "neither a Kannel configuration"),
        ("host: 10.64.10.20\nport: 2775\nusername: ilha\n", "neither a Kannel configuration"),
        ("jcli : smppccm -l\n#demo    stopped NONE     0      0\n", "no `smppccm -s CID` with what it prints"),
        ("jcli : smppccm -s nobody\nUnknown connector: nobody\njcli : ", "no `smppccm -s CID` with what it prints"),
        (
            "jcli : smppccm -a\n> cid demo\n> host 10.64.10.20\n> port 1\n> ok\n",
            "no `smppccm -s CID` with what it prints",
        ),
        (ILHA.replace("cid MTN_UG\n", ""), "line 1: no `cid` among these lines"),
        (shown("port x"), "connector MTN_UG at line 1: port: 'x' is not what Jasmin takes"),
        (shown("dlr_msgid 3"), "connector MTN_UG at line 1: dlr_msgid: '3' is not"),
        (shown("bind pair"), "bind: 'pair' is not"),
        (shown("ssl maybe"), "ssl: 'maybe' is not"),
        (shown("res_to soon"), "res_to: 'soon' is not"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pasted").write_text(text)
    assert main(["smsc", "import", str(tmp_path / "pasted"), "--out", str(tmp_path / "made")]) == 1
    said = capsys.readouterr().err
    assert why in said
    assert "hunter2" not in said
    assert not (tmp_path / "made").exists()


# --- every setting ----------------------------------------------------------------------------------------------------

KEYS: dict[str, tuple[str, dict[str, Any]]] = {
    "host": ("10.64.10.21", {"host": "10.64.10.21"}),
    "port": ("3001", {"port": 3001}),
    "username": ("palma", {"system_id": "palma"}),
    "systype": ("VMA", {"system_type": "VMA"}),
    "ssl": ("yes", {"tls": True}),
    "bind": ("transmitter", {"bind": "transmitter"}),
    "bind_ton": ("1", {"bind_ton": 1}),
    "bind_npi": ("18", {"bind_npi": 18}),
    "addr_range": ("^80", {"address_range": "^80"}),
    "bind_to": ("20", {"login_timeout": 20.0}),
    "elink_interval": ("15", {"keepalive": 15.0}),
    "trx_to": ("200\nelink_interval 0", {"keepalive": 0.0, "inactivity": 200.0}),
    "res_to": ("45", {"response_timeout": 45.0}),
    "con_loss_delay": ("3", {"reconnect_min": 3.0, "reconnect_max": 10.0}),
    "con_fail_delay": ("40", {"reconnect_min": 10.0, "reconnect_max": 40.0}),
    "src_ton": ("5", {"source_ton": 5, "source_npi": 1}),
    "src_npi": ("0", {"source_ton": 2, "source_npi": 0}),
    "dst_ton": ("2", {"dest_ton": 2, "dest_npi": 1}),
    "dst_npi": ("8", {"dest_ton": 1, "dest_npi": 8}),
    "proto_id": ("65", {"protocol_id": 65}),
    "ripf": ("1", {"replace_if_present": True}),
    "submit_throughput": ("12.5", {"max_tps": 12.5}),
    "dlr_msgid": ("1", {"id_in_response": "hex", "id_in_receipt": "decimal"}),
    "custom_tlvs": (
        "0x3000,COctetString,bill,optional;12289,Int2,0x04D2",
        {"tlvs": [{"tag": 0x3000, "type": "text", "value": "bill"},
                  {"tag": 0x3001, "type": "integer", "value": "1234", "length": 2}]},
    ),
}  # fmt: skip
TOLD: dict[str, tuple[str, str]] = {
    "src_addr": ("ILHA", 'here each has its channel\'s address; where yours had none, write source_addr: "ILHA"'),
    "priority": ("2", "where it is wanted all the same, write priority_flag: 2"),
    "validity": ("3600", "where it is wanted all the same, write validity: 3600, validity_form: absolute"),
    "coding": ("3", "write alphabet: latin1, data_coding: 3, segment_limits: {latin1: 140}"),
    "pdu_red_to": ("5", "5: a PDU that stops half way is found by keepalive"),
    "con_loss_retry": ("no", "no: always: to stay unbound, disable the channels, or leave the file unapplied"),
    "con_fail_retry": ("no", "no: always: to stay unbound, disable the channels, or leave the file unapplied"),
    "def_msg_id": ("7", "7: canned messages of the SMSC are not sent"),
    "requeue_delay": ("60", "60: unset: 120 s there; back-off in the lane here"),
    "dlr_expiry": ("3600", "3600: unset: a day there; here a message is known for 35 days"),
    "logfile": ("/var/log/x.log", "logs are JSON lines on standard output"),
    "logrotate": ("W6", "logs are JSON lines on standard output"),
    "loglevel": ("10", "the level is JANGADA_LOG_LEVEL"),
    "logprivacy": ("yes", "texts and full numbers are never logged"),
    "submit_error_retrial": ("x", "which answers are tried again"),
    "submit_max_age_smppc_not_ready": ("1200", "20 minutes there, 24 hours here"),
    "submit_retrial_delay_smppc_not_ready": ("30", "here it goes when a bind is up"),
    "publish_submit_sm_resp": ("True", "every outcome is an event"),
    "long_content_split": ("sar", "sar, or udh as udh8"),
    "long_content_max_parts": ("5", "unset: 5 there, 255 here"),
}


@pytest.mark.parametrize(("name", "value", "expected"), [(name, *of) for name, of in KEYS.items()])
def test_every_setting_is_converted(name: str, value: str, expected: dict[str, Any]) -> None:
    assert applied(one_of(shown(f"{name} {value}"))) == UNSET | expected


@pytest.mark.parametrize(("name", "value", "told"), [(name, *of) for name, of in TOLD.items()])
def test_or_else_it_is_told(name: str, value: str, told: str) -> None:
    one = one_of(shown(f"{name} {value}"))
    assert applied(one) == UNSET
    assert [remark for remark in one.remarks if remark.startswith(f"{name}: {value}") and told in remark], one.remarks


def test_no_setting_is_missing_in_the_tests_of_them() -> None:
    assert {*KEYS, *TOLD, "cid", "password"} == {knob.name for knob in jasmin_knobs.JASMIN}


def test_what_is_as_jasmin_has_it_unasked_is_no_remark() -> None:
    told = {remark.split(":")[0] for remark in one_of(ILHA).remarks}
    assert told == {"submit_throughput", "window", "password"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param("systype None\naddr_range None\nproto_id None\nvalidity None\nsrc_addr None", {}, id="None"),
        pytest.param("custom_tlvs None\n", {}, id="no TLVs"),
        pytest.param("custom_tlvs []\n", {}, id="an empty list of TLVs"),
        pytest.param("custom_tlvs 0x3000,OctetString,bill",
                     {"tlvs": [{"tag": 0x3000, "type": "octets", "value": "62696c6c"}]}, id="octets"),
        pytest.param("submit_throughput 0", {"max_tps": None}, id="unlimited"),
        pytest.param("submit_throughput 0.5", {"max_tps": 0.5}, id="less than one a second"),
        pytest.param("dlr_msgid 0", {}, id="ids as they are"),
        pytest.param("dlr_msgid 2", {"id_in_response": "decimal", "id_in_receipt": "hex"}, id="ids the other way"),
        pytest.param("con_loss_delay 20\ncon_fail_delay 5", {"reconnect_min": 5.0, "reconnect_max": 5.0}, id="waits"),
        pytest.param("con_loss_delay 0\ncon_fail_delay 0", {"reconnect_min": None, "reconnect_max": None},
                     id="no waits"),
        pytest.param("res_to 60", {"response_timeout": None}, id="as our own default"),
        pytest.param("src_ton 0\ndst_ton 0\nsrc_npi 0\ndst_npi 0",
                     {"source_ton": 0, "source_npi": 0, "dest_ton": 0, "dest_npi": 0}, id="0 is not unset"),
        pytest.param("bind receiver", {"bind": "receiver", **dict.fromkeys((
            "response_timeout", "source_ton", "source_npi", "dest_ton", "dest_npi", "max_tps", "esm_mode"))},
            id="a receiver sends nothing"),
        pytest.param("elink_interval 0\ntrx_to 0", {"keepalive": 0.0}, id="a dead link is never found"),
        pytest.param("elink_interval 400\ntrx_to 300", {"keepalive": 400.0, "inactivity": 300.0}, id="asked too late"),
        pytest.param("elink_interval 400\ntrx_to 0", {"keepalive": 400.0}, id="asked late, but asked"),
        pytest.param("proto_id 300", {}, id="no octet"),
        pytest.param("validity 0\npriority 0\ndef_msg_id None", {}, id="nothing"),
    ],
)  # fmt: skip
def test_values_mean_what_they_mean_there(more: str, expected: dict[str, Any]) -> None:
    wanted = {key: value for key, value in (UNSET | expected).items() if value is not None}
    assert applied(one_of(shown(more))) == wanted


@pytest.mark.parametrize(
    ("more", "remark"),
    [
        ("ssl yes", "ssl: the SMSC's certificate is checked, which Jasmin does not"),
        ("", "window: as unset, 10 submits without an answer"),
        ("", "submit_throughput: 1, which is what Jasmin has unless told"),
        ("trx_to 200", "trx_to: keepalive finds a dead link"),
        ("elink_interval 0", "inactivity logs out, and in again, after 300 s without a word"),
        ("elink_interval 0\ntrx_to 0", "nothing finds a dead link; write keepalive: 30"),
        ("con_loss_delay 0", "con_loss_delay: 0 is not written"),
        ("con_fail_delay 0", "con_fail_delay: 0 is not written"),
        ("res_to 0", "res_to: 0 is not written: 60 s count"),
        ("coding 8", "write encoding: ucs2"),
        ("coding 14", "coding: 14 is left out"),
        ("coding 14", "there is no key for it"),
        ("proto_id 300", "proto_id: 300 is left out: a protocol_id is one octet"),
        ("port 70000", "port: 70000 is left out"),
        (
            "custom_tlvs 0x3000,Int2,1234,required",
            "1234,required is left out: its value has to come with each message",
        ),
        ("custom_tlvs [{'tag': 12288}]", "is not tag,type,value: write what it says as items of tlvs"),
        ("custom_tlvs 0x3000,Int1,1234", "tlvs: [{'tag': 12288, "),
        ("frobnicate 1", "frobnicate: unknown here"),
    ],
)
def test_what_a_person_must_look_at(more: str, remark: str) -> None:
    one = one_of(shown(more))
    assert [said for said in one.remarks if remark in said], one.remarks
    applied(one)


@pytest.mark.parametrize("name", ["priority", "validity", "coding"])
@pytest.mark.parametrize("value", [1, 3, 5, 6, 7, 8])
def test_what_is_told_to_be_written_can_be(name: str, value: int) -> None:
    (remark,) = [said for said in one_of(shown(f"{name} {value}")).remarks if said.startswith(f"{name}: ")]
    lines = yaml.safe_load("{" + remark.split("write ")[1] + "}")
    SmppConfig.read({**applied(one_of(ILHA)), "password": "x", **lines})


@pytest.mark.parametrize(
    ("missing", "key", "value"),
    [("host 10.64.10.20\n", "host", "127.0.0.1"), ("username ilha\n", "system_id", "smppclient")],
)
def test_what_has_not_been_copied_is_as_jasmin_has_it(missing: str, key: str, value: str) -> None:
    one = one_of(ILHA.replace(missing, ""))
    assert applied(one)[key] == value
    assert f"{missing.split()[0]}: not shown, which is {value} there" in one.remarks


def test_a_word_that_is_no_setting_is_not_repeated() -> None:
    assert "hunter2" not in str(jasmin.imported(f"jcliadmin\nhunter2\n{ILHA}"))


def test_few_lines_of_an_older_release_are_enough() -> None:
    one = one_of("cid MTN_UG\nhost 10.64.10.20\nport 2775\nusername ilha\n")
    assert applied(one) == UNSET
    assert "password: !secret" in one.text


# Of addresses as they were handed to the HTTP API of Jasmin 0.11.1, TON and NPI as its connector wrote them.
@pytest.mark.parametrize(
    ("more", "sender", "recipient"),
    [("", (2, 1), (1, 1)), ("src_ton 5\nsrc_npi 0\ndst_ton 0\ndst_npi 8", (5, 0), (0, 8))],
)
def test_ton_and_npi_are_those_that_jasmin_writes(
    more: str, sender: tuple[int, int], recipient: tuple[int, int]
) -> None:
    made = SmppConfig.read(applied(one_of(shown(more))))
    assert {address.sender(one, made)[:2] for one in ("", "8080", "+256772000111", "256772000111", "PALMA")} == {sender}
    assert {address.recipient(one, made)[:2] for one in ("+256772123456", "0772123456", "8181")} == {recipient}


# --- several connectors -----------------------------------------------------------------------------------------------

OTHER = shown("cid MTN_2\nlogfile //var/log/jasmin/default-MTN_2.log")
TX = shown("bind transmitter\nsubmit_throughput 30")
RX = shown("cid MTN_RX\nbind receiver\nport 2776\nsubmit_throughput 5\naddr_range ^80\nsrc_ton 5")


@pytest.mark.parametrize(
    ("connectors", "expected"),
    [
        pytest.param([ILHA, OTHER], [{"binds": 2, "max_tps": 2.0, "bind": "transceiver"}], id="equal"),
        pytest.param([TX, RX], [{"bind": "pair", "port": 2775, "rx_port": 2776, "max_tps": 30.0, "address_range": "^80",
                                 "source_ton": 2}], id="transmitter and receiver"),
        pytest.param([shown("dlr_msgid 1", TX), shown("dlr_msgid 1", RX)],
                     [{"bind": "pair", "id_in_response": "hex", "id_in_receipt": "decimal"}], id="with ids in hex"),
        pytest.param([RX, TX], [{"bind": "pair", "port": 2775, "rx_port": 2776}], id="receiver first"),
        pytest.param([ILHA, shown("res_to 30", OTHER)], [{"response_timeout": 120.0}, {"response_timeout": 30.0}],
                     id="of one username, but not alike"),
        pytest.param([ILHA, shown("username palma", OTHER)], [{"system_id": "ilha"}, {"system_id": "palma"}],
                     id="two accounts"),
        pytest.param([ILHA, shown("host 10.64.10.30", OTHER)], [{"host": "10.64.10.20"}, {"host": "10.64.10.30"}],
                     id="two hosts"),
    ],
)  # fmt: skip
def test_connectors_of_one_account(connectors: list[str], expected: list[dict[str, Any]]) -> None:
    found = jasmin.imported("".join(connectors))
    assert len(found) == len(expected)
    for one, wanted in zip(found, expected, strict=True):
        config = applied(one)
        assert {key: config.get(key) for key in wanted} == wanted


def test_which_connectors_have_become_one_is_told() -> None:
    equal = one_of(ILHA + OTHER)
    assert "binds: 2 connectors of this username are equal: one account with 2 binds" in equal.remarks
    assert "cid: MTN_2, at line 40, is a bind of this account" in equal.remarks
    pair = one_of(TX + RX)
    assert "bind: pair is the connectors at lines 1 and 40: a transmitter and a receiver" in pair.remarks
    _, unlike = jasmin.imported(ILHA + shown("res_to 30", OTHER))
    told = "username: ilha, as the connector at line 1, but not the same account (response_timeout differ)"
    assert [remark for remark in unlike.remarks if remark.startswith(told)], unlike.remarks


def test_two_passwords_are_two_accounts() -> None:
    found = jasmin.imported(ILHA + OTHER.replace("hunter2", "hunter3"))
    assert [one.name for one in found] == ["mtn-ug", "mtn-2"]
    assert "hunter3" not in str(found)


def test_a_kannel_configuration_is_not_taken_for_a_session() -> None:
    with pytest.raises(UnreadableError):
        jasmin.imported("group = smsc\nsmsc = smpp\nhost = 10.64.10.20\n")
    assert not jasmin.recognised("group = smsc\nsmsc = smpp\nhost = 10.64.10.20\nport = 1\npassword = x\n")
