"""`tracebridge id`, run as people run it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from hashlib import sha256

import pytest
from click.testing import Result

from support.commands import CliRunner
from tracebridge.cli import main
from tracebridge.cli.id import MAX_LINE

W3C = "0af7651916cd43dd8448eb211c80319c"


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    """Run one command."""
    return CliRunner().invoke(main, ["id", *arguments], input=stdin)


def test_an_id_is_shown_in_every_form():
    """Forms, the scheme that matched and why, whether it reverses, and what else would have matched."""
    shown = run("1-0af76519-16cd43dd8448eb211c80319c").stdout
    assert shown.splitlines() == [
        "text          1-0af76519-16cd43dd8448eb211c80319c",
        "scheme        xray: an X-Ray trace ID, 1-8-24 hex digits, or a header with Root=",
        "reverses      yes, to 1-0af76519-16cd43dd8448eb211c80319c",
        f"hex           {W3C}",
        "hex64         8448eb211c80319c",
        "decimal       14576827793038113322513871894673895836",
        "decimal_high  790211418057950173",
        "decimal_low   9532127138774266268",
        "uuid          0af76519-16cd-43dd-8448-eb211c80319c",
        "ulid          0AYXJHJ5PD8FER8J7B44E80CCW",
        "xray          1-0af76519-16cd43dd8448eb211c80319c",
        "datadog       9532127138774266268,_dd.p.tid=0af7651916cd43dd",
        f"mlflow        tr-{W3C}",
        f"traceparent   00-{W3C}-{{span_id}}-01",
        f"b3            {W3C}-{{span_id}}-1",
        "uber          af7651916cd43dd8448eb211c80319c:{span_id}:0:1",
        f"gcp           {W3C}/{{span_id}};o=1",
        "as hash       d3d7113d70fa08540ad6ea760e8adc9b",
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"00-{W3C}-b7ad6b7169203331-01",
        "uber:af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1",
        f"gcp:{W3C}/13235353014750950193;o=1",
        "xray:Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1",
    ],
)
def test_a_header_that_names_a_span_keeps_it_in_the_other_headers(text):
    """One system's context becomes another's."""
    scheme, _, rest = text.partition(":") if ":" in text else ("auto", "", text)
    forms = json.loads(run(rest, "--scheme", scheme, "--json").stdout)["forms"]
    assert [forms[name] for name in ("traceparent", "b3", "uber", "gcp")] == [
        f"00-{W3C}-b7ad6b7169203331-01", f"{W3C}-b7ad6b7169203331-1", "af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1",
        f"{W3C}/13235353014750950193;o=1",
    ]  # fmt: skip


def test_a_span_id_is_shown_in_every_form():
    """Eight bytes, by the schemes that make span IDs, in the numbers that databases and Thrift have."""
    assert run("00f067aa0ba902b7", "--span").stdout.splitlines() == [
        "text      00f067aa0ba902b7",
        "scheme    hex",
        "reverses  yes, to 00f067aa0ba902b7",
        "hex       00f067aa0ba902b7",
        "decimal   67667974448284343",
        "signed    67667974448284343",
        "uber      f067aa0ba902b7",
        "base64    APBnqgupArc=",
        "as hash   3604009042f3d946",
    ]
    told = json.loads(run("18446744073709551615", "--span", "--scheme", "datadog", "--json").stdout)
    assert (told["span_id"], told["forms"]["signed"], told["links"]) == ("f" * 16, "-1", {})
    assert run("row-17", "b7ad6b7169203331", "--span", "--as", "decimal").stdout.split() == [
        str(int(sha256(b"row-17").hexdigest()[:16], 16)), "13235353014750950193"
    ]  # fmt: skip


def test_the_configurations_span_scheme_reads_span_ids(tmp_path):
    """And its links, which are of traces, are left out."""
    config = tmp_path / "bridge.yaml"
    config.write_text("trace_ids: {span_scheme: decimal}\nadapters: {zipkin: {ui: 'http://z/{trace_id}'}}\n")
    told = json.loads(run("7", "--span", "--config", str(config), "--json").stdout)
    assert (told["span_id"], told["scheme"], told["back"], told["links"]) == ("0" * 15 + "7", "decimal", "7", {})


def test_what_makes_no_span_id_is_refused():
    """A scheme of trace IDs, too large a number, zeros, and a form that only trace IDs have."""
    for text, scheme in (("0" * 32, "uuid"), (str(2**64), "decimal"), ("0" * 16, "auto")):
        result = run(text, "--span", "--scheme", scheme)
        assert (result.exit_code, result.stdout, result.stderr[:7]) == (1, "", "span_id")
    assert 'unknown form "uuid" (known: hex, decimal, signed' in run("1", "--as", "uuid", "--span").stderr


def test_a_short_id_is_short_where_headers_are():
    """B3 has 16 digits for 64 bits, uber no leading zeros, and 12 bytes make an ObjectId."""
    forms = json.loads(run("123", "--scheme", "datadog", "--json").stdout)["forms"]
    assert [forms[name] for name in ("b3", "uber", "datadog", "objectid")] == [
        "000000000000007b-{span_id}-1", "7b:{span_id}:0:1", "123", "00000000000000000000007b",
    ]  # fmt: skip


def test_json_says_the_same_in_one_object(tmp_path, monkeypatch):
    """One object, with the links of the configured systems."""
    (tmp_path / "bridge.yaml").write_text(
        "trace_ids: {scheme: decimal}\nadapters:\n"
        "  zipkin: {endpoint: 'http://zipkin:9411/api/v2/spans', ui: 'http://zipkin:9411/zipkin/traces/{trace_id}'}\n"
        "  otlp_http/jaeger: {endpoint: 'http://jaeger:4318', query_endpoint: 'http://jaeger:16686'}\n"
        "  store: {path: here.db}\n"
    )
    monkeypatch.chdir(tmp_path)
    told = json.loads(run("12345678", "--config", "bridge.yaml", "--json").stdout)
    wire = f"{12345678:032x}"
    assert {**told, "forms": None} == {
        "text": "12345678", "trace_id": wire, "scheme": "decimal", "why": "an unsigned decimal number of at most 128 bits",
        "reversible": True, "back": "12345678", "forms": None,
        "also": {
            "datadog": wire, "hash": "ef797c8118f02dfb649607dd5d3f8c76", "hex": "00000000000000000000000012345678", "snowflake": wire,
            "uber": "00000000000000000000000012345678",
        },
        "links": {
            "zipkin": f"http://zipkin:9411/zipkin/traces/{wire}", "otlp_http/jaeger": f"http://jaeger:16686/trace/{wire}",
        },
    }  # fmt: skip
    assert run("12345678", "--config", "bridge.yaml").stdout.splitlines()[-2:] == [
        f"zipkin            http://zipkin:9411/zipkin/traces/{wire}",
        f"otlp_http/jaeger  http://jaeger:16686/trace/{wire}",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bridge.yaml"]  # no store was made


def test_without_a_configuration_nothing_is_made(tmp_path, monkeypatch):
    """The embedded store is not opened for looking at an ID."""
    monkeypatch.chdir(tmp_path)
    assert run("x").exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_64_bits_are_said_not_to_reverse(tmp_path):
    """What max_bits cuts off cannot be read back."""
    config = tmp_path / "bridge.yaml"
    config.write_text("trace_ids: {max_bits: 64}\nadapters: {memory: {}}\n")
    told = json.loads(run(W3C, "--config", str(config), "--json").stdout)
    assert (told["trace_id"], told["reversible"], told["back"]) == ("0" * 16 + W3C[16:], False, None)


def test_many_ids_come_from_standard_input():
    """Blank lines are skipped; a refused one is told with its line and the rest go on."""
    result = run("--as", "hex", "--scheme", "decimal", stdin=b"1\n\nx\r\n\xff\n2\r\n")
    assert result.stdout.split() == ["0" * 31 + "1", "0" * 31 + "2"]
    assert result.stderr.splitlines() == [
        "line 3: trace_id 'x' is not an ID of scheme decimal: character 1 is 'x', not a decimal digit; "
        "these schemes would take it: hash.",
        "line 4: '\\udcff' is no UTF-8 text",
    ]
    assert result.exit_code == 1


def test_refused_ids_are_objects_too():
    """With --json every line of input has one of output."""
    lines = [json.loads(line) for line in run("--scheme", "uuid", "--json", stdin=b"x\n\xff\n").stdout.splitlines()]
    assert [(line["text"], "error" in line) for line in lines] == [("x", True), ("'\\udcff'", True)]


def test_several_on_the_command_line_are_parted_by_an_empty_line():
    """One block for each."""
    assert run("a", "b").stdout.count("\n\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "--scheme", "ulit"], 'unknown scheme "ulit"; did you mean "ulid"? (known: auto, datadog'),
        (["x", "--as", "uud"], 'unknown form "uud"; did you mean "uuid"? (known: hex, hex64'),
        (["x", "--as", "hex", "--json"], "give --as or --json, not both"),
    ],
)
def test_wrong_options_say_what_is_right(arguments, message):
    """Exit code 2, as for any wrong use."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_form_that_cannot_write_an_id_is_an_error():
    """A long ID is no ObjectId."""
    result = run(W3C, "--as", "objectid")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{W3C} cannot be written as objectid\n"


def test_ids_are_answered_as_they_come():
    """The first answer is there before the second question."""
    command = [sys.executable, "-c", "from tracebridge.cli import main; main()", "id", "--as", "hex"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        for text, wire in (("abc", "ba7816bf8f01cfea414140de5dae2223"), (W3C, W3C)):
            process.stdin.write(text + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == wire + "\n"
        process.stdin.close()
    assert process.returncode == 0


def test_a_long_input_shows_its_progress_on_a_terminal():
    """On stderr, and only there, while the answers go to a file."""
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-c", "from tracebridge.cli import main; main()", "id", "--as", "hex"]
    numbers = "".join(f"{n}\n" for n in range(20_000))
    environ = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(
        command, input=numbers, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True, env=environ
    )
    os.close(theirs)
    shown = os.read(terminal, 65536).decode(errors="replace")  # it may end within a character
    os.close(terminal)
    assert len(done.stdout.splitlines()) == 20_000
    assert " IDs" in shown


def test_input_without_line_ends_is_refused_piece_by_piece():
    """Whatever its length, no more than a piece of it is held."""
    result = run("-", "--as", "hex", stdin=b"x" * (3 * MAX_LINE) + b"\n4bf92f3577b34da6a3ce929d0e0e4736\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["4bf92f3577b34da6a3ce929d0e0e4736"]
    assert result.stderr.count("at most 512 characters") == 3
