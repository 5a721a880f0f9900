"""Go's template language: https://pkg.go.dev/text/template"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.channels.templates import TemplateError, json_escape, read, url_escape

DATA: dict[str, Any] = {
    "text": "Hi", "empty": "", "n": 7, "f": 1.5, "yes": True, "no": False, "nil": None, "list": ["a", "b", "c"],
    "none": [], "who": {"name": "Ana", "tel": {"path": "+250788"}}, "quote": 'a "b" \\ c\n<&> é', "url": "a b&c=é/+",
    "file": "image/png:https://x.org/a", "pairs": {"y": 2, "x": 1}, "rows": [{"k": 1}, {"k": 2}],
}  # fmt: skip


def rendered(source: str, escape: Any = str) -> str:
    return read(source).render(DATA, escape)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # values
        ("plain { text } }}", "plain { text } }}"),
        ("{{.text}} {{ .text }}{{.n}}", "Hi Hi7"),
        ("{{.f}} {{.yes}} {{.nil}} {{.missing}}", "1.5 true <no value> <no value>"),
        ("{{.who.name}} {{.who.tel.path}} {{.who.age}}", "Ana +250788 <no value>"),
        ("{{.list}} {{.pairs}} {{.none}}", "[a b c] map[x:1 y:2] []"),
        ("{{$.text}} {{$.who.name}}", "Hi Ana"),
        ('{{"a\\tb\\u00e9"}} {{`a\\b`}} {{12}} {{-3}} {{1.50}} {{0x1F}} {{007}} {{true}} {{1e3}}',
         "a\tbé a\\b 12 -3 1.5 31 7 true 1000"),
        # trimming and comments
        ("a  {{- .n -}}  \n b", "a7b"),
        ("a {{/* a comment }} here */}} b", "a  b"),
        ("a {{- /* gone */ -}} b", "ab"),
        ("{{ 3 -}} x", "3x"),
        # if
        ("{{if .text}}y{{end}}{{if .empty}}n{{end}}", "y"),
        ("{{if .no}}1{{else if .nil}}2{{else if .yes}}3{{else}}4{{end}}", "3"),
        ("{{if .no}}1{{else if .no}}2{{else}}4{{end}}", "4"),
        ("{{if .none}}1{{else}}2{{end}}{{if .n}}3{{end}}", "23"),
        ("{{if $x := .text}}{{$x}}{{else}}{{$x}}no{{end}}", "Hi"),
        # with
        ("{{with .who}}{{.name}}{{$.text}}{{end}}", "AnaHi"),
        ("{{with .nil}}{{.}}{{else}}none{{end}}", "none"),
        ("{{with $w := .who}}{{$w.name}}{{end}}", "Ana"),
        ("{{with .no}}1{{else with .text}}{{.}}{{end}}", "Hi"),
        # range
        ("{{range .list}}<{{.}}>{{end}}", "<a><b><c>"),
        ("{{range $i, $x := .list}}{{if $i}},{{end}}{{$i}}{{$x}}{{end}}", "0a,1b,2c"),
        ("{{range $x := .list}}{{$x}}{{end}}", "abc"),
        ("{{range .none}}x{{else}}nothing{{end}}", "nothing"),
        ("{{range .nil}}x{{else}}nothing{{end}}", "nothing"),
        ("{{range $k, $v := .pairs}}{{$k}}={{$v}};{{end}}", "x=1;y=2;"),
        ("{{range .rows}}{{.k}}{{$.n}}{{end}}", "1727"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ('{{range .list}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}', "ac"),
        ('{{range .list}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', "a"),
        # variables
        ("{{$x := .n}}{{$x}}{{if .yes}}{{$x = 8}}{{end}}{{$x}}", "78"),
        ("{{$x := 1}}{{if .yes}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
        # functions and pipelines
        ("{{index .list 1}} {{index .pairs `y`}} {{index .rows 0 `k`}} {{(index .rows 1).k}}", "b 2 1 2"),
        ("{{len .list}} {{len .text}} {{len `é`}} {{.list | len}}", "3 2 2 3"),
        ("{{slice .text 1}} {{slice .list 0 2}} {{slice .text}}", "i [a b] Hi"),
        ("{{eq .n 7}} {{eq .n 7.0}} {{eq .text `x` `Hi`}} {{ne .n 8}} {{eq .n `7`}}", "true true true true false"),
        ("{{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2 2}} {{lt `a` `b`}}", "true true false true true"),
        ("{{and .yes .text}} {{and .no (index .list 9)}} {{or .empty .n}} {{or .n (index .list 9)}} {{not .no}}",
         "Hi false 7 7 true"),
        ("{{and .yes .no | not}}", "true"),
        ('{{print 1 2 "a" 3 .nil}} {{println 1 "a"}}', "1 2a3 <nil> 1 a\n"),
        ('{{printf "%s=%d %05.1f %v %q %t %x%%" .text .n .f .list .text .yes 255}}',
         'Hi=7 001.5 [a b c] "Hi" true ff%'),
        ('{{printf "%s %d" .text}}', "Hi %!d(MISSING)"),
        ("{{.text | printf `%s-%s` `a`}}", "a-Hi"),
        ("{{html .quote}}", "a &#34;b&#34; \\ c\n&lt;&amp;&gt; é"),
        ("{{js .quote}}{{js `it's=`}}", 'a \\"b\\" \\\\ c\\n\\u003C\\u0026\\u003E éit\\u0027s\\u003D'),
        ("{{urlquery .url}}", "a+b%26c%3D%C3%A9%2F%2B"),
        ("{{json .quote}} {{json .list}} {{json .n}} {{json .nil}}",
         '"a \\"b\\" \\\\ c\\n<&> é" ["a", "b", "c"] 7 null'),
        ("{{range split `a, b` `, `}}{{.}};{{end}}{{len (split `abc` ``)}}", "a;b;3"),
        ("{{attType .file}} {{attURL .file}} [{{attType `x`}}] {{attURL `x`}}",
         "image/png https://x.org/a [] x"),
        ("{{toString .n}} {{int64ToString 8}}", "7 8"),
    ],
)  # fmt: skip
def test_templates(source: str, expected: str) -> None:
    assert rendered(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{.text", "{{", "{{.text}", "{{end}}", "{{else}}", "{{if .a}}", "{{if}}{{end}}",
        "{{if .a}}{{else}}{{else}}{{end}}",
        "{{range .a}}", "{{$x}}", "{{$x = 1}}", "{{$a, $b := .x}}", "{{if $a, $b := .x}}{{end}}", "{{nothing .x}}",
        "{{.a .b}}", "{{.x | .y}}", "{{.x | 3}}", "{{(.x}}", "{{)}}", "{{|}}", '{{"a}}', '{{"\\q"}}',
        '{{"\\u12"}}',
        "{{break}}", "{{continue}}", "{{template `x`}}", "{{define `x`}}{{end}}", "{{end .x}}", "{{!}}", "{{.x := 1}}",
        "{{if .x}}{{$y := 1}}{{end}}{{$y}}", "{{range .x}}{{else if .y}}{{end}}", "{{and}}", "{{with $ := 1}}{{end}}",
        "{{$i $x := .l}}", "{{if $x = 1}}{{end}}", "{{if .a}}" * 3000,
    ],
)  # fmt: skip
def test_templates_that_cannot_be_read(source: str) -> None:
    with pytest.raises(TemplateError):
        read(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{.text.x}}", "{{.missing.x}}", "{{index .list 3}}", "{{index .list -1}}", "{{index .n 0}}",
        "{{index .list `a`}}",
        "{{len .n}}", "{{lt .n `a`}}", "{{lt .list .list}}", "{{eq .n}}", "{{slice .text 2 1}}", "{{slice .text 9}}",
        "{{slice .n 1}}", "{{slice .list 0 1 2}}", "{{range .text}}{{end}}", "{{toString .text}}", "{{toString .yes}}",
        '{{printf "%d" .text}}', '{{printf "%9999d" .n}}', '{{printf "%.9999f" .f}}', "{{printf .n}}", "{{index}}",
        "{{split .text}}", "{{not}}", "{{range 100001}}{{end}}",
        "{{range 1000}}{{range 1000}}{{end}}{{end}}", "{{range 90000}}{{`aaaaaaaaaaaaaaaaaaaa`}}{{end}}",
    ],
)  # fmt: skip
def test_data_that_does_not_fit(source: str) -> None:
    template = read(source)
    with pytest.raises(TemplateError) as caught:
        template.render(DATA, str)
    assert "Hi" not in str(caught.value)


def test_errors_say_where() -> None:
    with pytest.raises(TemplateError, match="line 3: unexpected '!'"):
        read("a\nb\n{{!}}")
    with pytest.raises(TemplateError, match="unknown function 'upper'; there are and, attType, "):
        read("{{upper .text}}")


@pytest.mark.parametrize("function", ["{{.x}}", "{{print .x}}", "{{js .x}}", '{{printf "%s" .x}}', "{{html .x}}"])
@given(text=st.text())
def test_no_text_ends_the_json_string_that_it_is_in(function: str, text: str) -> None:
    made = json.loads(read('{"a":"' + function + '"}').render({"x": text}, json_escape))
    assert list(made) == ["a"]
    if "html" not in function:
        assert made["a"] == text


@given(text=st.text())
def test_json_writes_a_text_whole(text: str) -> None:
    assert json.loads(read('{"a":{{json .x}},"b":{{.x | printf "%q"}}}').render({"x": text}, json_escape)) == {
        "a": text, "b": text,
    }  # fmt: skip


def test_what_is_printed_with_other_text_is_escaped_again() -> None:
    assert read('"{{printf "%q %s" .x .x}}"').render({"x": '"'}, json_escape) == '"\\"\\\\\\"\\" \\""'


@pytest.mark.parametrize("source", ["{{.url}}", "{{urlquery .url}}"])
def test_urls_are_escaped_once(source: str) -> None:
    assert rendered(source, url_escape) == "a+b%26c%3D%C3%A9%2F%2B"


def test_deep_data() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TemplateError, match="nested too deeply"):
        read("{{.x}}").render({"x": deep}, str)
