"""The report: exact text, every kind of problem, and nothing secret."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any, get_args

import pytest

from tracebridge import ConfigError
from tracebridge.doctor.findings import Cause
from tracebridge.settings.load import load_settings
from tracebridge.settings.problems import ProblemKind


def report_of(tmp_path: Path, text: str | bytes, environ: dict[str, str] | None = None) -> ConfigError:
    """Return the error for a file; its name in the report is `bridge.yaml`."""
    file = tmp_path / "bridge.yaml"
    file.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
    with pytest.raises(ConfigError) as caught:
        load_settings(file, environ=environ or {})
    return caught.value


def text_of(error: ConfigError, tmp_path: Path) -> str:
    """Return the report as it is when the file lies in the current folder."""
    return str(error).replace(str(tmp_path) + "/", "")


def test_the_report_is_the_documented_one(tmp_path: Path) -> None:
    """Place, message, suggestion, kind; two source lines; a caret under the word; the allowed keys."""
    source = """\
        file_format: "1.0"
        adapters:
          memory: {}
          zipkin: {}



          otlp_file: {path: a.jsonl}


          # the main one
          otlp_http/main:
            endpiont: http://localhost:4318
        """
    expected = """\
        bridge.yaml:13:5: unknown key "endpiont" in adapters.otlp_http/main; did you mean "endpoint"? [unknown-key]
          12 |   otlp_http/main:
          13 |     endpiont: http://localhost:4318
             |     ^~~~~~~~
             = allowed: endpoint, encoding, compression, query_endpoint, ui, dialect, headers, timeout, tls, proxy, sending_queue, retry_on_failure

        1 problem in bridge.yaml"""
    assert dedent(expected) == text_of(report_of(tmp_path, source), tmp_path)


GOOD = "adapters: {memory: {}}\n"
KINDS: dict[str, tuple[str | bytes, int, int]] = {
    "unknown-key": (GOOD + "limts: {}\n", 2, 1),
    "duplicate-key": (GOOD + "limits: {}\nlimits: {}\n", 3, 1),
    "wrong-type": (GOOD + "lifecycle: {strict: yes}\n", 2, 21),
    "wrong-value": (GOOD + "lifecycle: {on_leak: reprot}\n", 2, 22),
    "out-of-range": (GOOD + "limits: {attribute_count_limit: 0}\n", 2, 33),
    "bad-duration": (GOOD + "lifecycle: {max_open: 10}\n", 2, 23),
    "bad-size": (GOOD + "limits: {payload_length_limit: many}\n", 2, 32),
    "bad-path": ('adapters: {otlp_file: {path: "a\\0b"}}\n', 1, 30),
    "bad-class": ("adapters: {otel_exporter: {class: x}}\n", 1, 35),
    "bad-header": ("adapters: {zipkin: {headers: {api key: abc}}}\n", 1, 40),
    "unknown-scheme": ("trace_ids: {scheme: x}\n" + GOOD, 1, 21),
    "bad-url": ("adapters: {zipkin: {endpoint: localhost:9411}}\n", 1, 31),
    "conflict": ("adapters: {log: {path: a.log}}\n", 1, 17),
    "unreadable-file": ("adapters: {zipkin: {tls: {ca_file: /gone.pem}}}\n", 1, 36),
    "unknown-adapter": ("adapters: {zipkim: {}}\n", 1, 12),
    "unknown-stage": (GOOD + "stages: [redact_custmer]\n", 2, 10),
    "unknown-receiver": (GOOD + "relay: {kafak: {}}\n", 2, 9),
    "bad-key": ("adapters: {zipkin/: {}}\n", 1, 12),
    "missing-key": (GOOD.replace("{memory: {}}", ""), 1, 10),
    "unset-variable": ("adapters: {zipkin: {endpoint: '${GONE}'}}\n", 1, 31),
    "bad-substitution": ("adapters: {zipkin: {endpoint: '${A-B}'}}\n", 1, 31),
    "bad-tag": ("adapters: {memory: !x {}}\n", 1, 20),
    "bad-alias": ("adapters: {memory: *x}\n", 1, 20),
    "bad-yaml": ("adapters: {memory: {}\n", 2, 1),
    "tab": ("adapters:\n\tmemory: {}\n", 2, 1),
    "many-documents": (GOOD + "---\n" + GOOD, 2, 1),
    "bad-encoding": (GOOD.encode() + b"# \xff\n", 2, 0),
    "bad-character": (GOOD.encode() + b"# \x01\n", 2, 3),
    "too-large": ("a: " + "[" * 100, 1, 27),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_name_and_its_place(kind: str, tmp_path: Path) -> None:
    """Every kind of problem is found alone, with line and column, and named in brackets."""
    source, line, column = KINDS[kind]
    error = report_of(tmp_path, source)
    assert [(kind, line, column)] == [(p.kind, p.place.line, p.place.column) for p in error.problems]
    assert f"[{kind}]" in str(error)


@pytest.mark.parametrize("key", ["memory/ ", " memory", "memory ", "memory /x", "memory/ x", "memory/x\\t"])
def test_a_destination_is_not_named_with_blanks_around_it(tmp_path: Path, key: str) -> None:
    """They would be in every log line and count, and no eye sees them."""
    (problem,) = report_of(tmp_path, f'adapters:\n  "{key}": {{}}\n').problems
    assert (problem.kind, problem.place.line, problem.place.column) == ("bad-key", 2, 3)
    assert problem.message == "there are blanks around the type or the name of a destination"


@pytest.mark.parametrize("source", ["", "# nothing yet\n", "{}\n"])
def test_an_empty_file_is_told_what_is_missing(tmp_path: Path, source: str) -> None:
    """Where spans go is the one thing that has no default in a file."""
    assert "no destination is named; there has to be one at least, such as `adapters: {store: {}}`" in str(
        report_of(tmp_path, source)
    )
    assert "adapters: adapters" not in str(report_of(tmp_path, source))


def test_every_kind_has_an_example_on_the_page() -> None:
    """docs/errors.md has a section for each, and what it prints there ends with that name; docs/configuration.md lists them, and the causes of doctor."""
    docs = Path(__file__).parents[4] / "docs"
    sections = {part.partition("\n")[0]: part for part in (docs / "errors.md").read_text("utf-8").split("\n### ")[1:]}
    page = (docs / "configuration.md").read_text("utf-8")
    kinds = [*get_args(ProblemKind), "unknown-preset"]
    assert list(sections) == kinds
    assert [kind for kind in kinds if f"[{kind}]\n" not in sections[kind]] == []
    assert [kind for kind in kinds if f"| [`{kind}`](errors.md#{kind}) |" not in page] == []
    assert [cause for cause in get_args(Cause) if f"`{cause}`" not in page] == []


def test_every_kind_has_a_test() -> None:
    """Here, but for what only an installed package can break: see the tests of the registry, and the page."""
    assert set(KINDS) | {"broken-adapter", "broken-scheme", "broken-stage", "broken-receiver", "not-installed"} == set(
        get_args(ProblemKind)
    )


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """A missing file is reported with its path and the system's reason, and so is a folder."""
    with pytest.raises(ConfigError, match=r"gone\.yaml: the file cannot be read: No such file.*\[unreadable-file\]"):
        load_settings(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="unreadable-file"):
        load_settings(tmp_path, environ={})
    with pytest.raises(ConfigError, match="TRACEBRIDGE_CONFIG names it"):
        load_settings(environ={"TRACEBRIDGE_CONFIG": str(tmp_path / "gone.yaml")})


def test_all_problems_come_at_once_in_order(tmp_path: Path) -> None:
    """One run shows everything, from the top of the file to its end."""
    source = """\
        limts: {}
        lifecycle: {strict: 1, max_open: soon}
        adapters:
          zipkim: {}
          zipkin: {endpiont: x, timeout: -1s, compression: gzp}
        """
    error = report_of(tmp_path, source)
    expected = "unknown-key wrong-type bad-duration unknown-adapter unknown-key bad-duration wrong-value".split()
    in_order = sorted(error.problems, key=lambda p: (p.place.line, p.place.column))
    assert expected == [p.kind for p in in_order]
    assert "7 problems in" in str(error)


CANARY = "c4n4ry-Zq9"


@pytest.mark.parametrize(
    "source",
    [
        f"adapters: {{zipkin: {{headers: {{authorization: Bearer {CANARY}}}, x: 1}}}}",
        f"adapters: {{zipkin: {{headers: {{x: [{CANARY}]}}}}}}",
        f"adapters: {{zipkin: {{headers: {CANARY}}}}}",
        f"adapters: {{zipkin: {{headers: [{CANARY}, {{a: {CANARY}}}]}}}}",
        f"adapters: {{zipkin: {{pasword: {CANARY}}}}}",
        f"adapters: {{zipkin: {{heders: {{x: {CANARY}}}}}}}",
        f"adapters: {{zipkin: {{token: {CANARY}, token: {CANARY}}}}}",
        f"adapters: {{zipkin: {{endpoint: 'ftp://u:{CANARY}@h'}}}}",
        f"adapters: {{zipkin: {{endpoint: 'http://u:{CANARY}/x@h:99999'}}}}",
        f"adapters: {{zipkin: {{endpoint: 'http://h:99999/?api_key={CANARY}'}}}}",
        f"adapters: {{zipkin: {{endpoint: http://h:0}}}} # {CANARY}",
        f"adapters: {{zipkn: {{password: {CANARY}}}}}",
        f"adapters:\n  zipkin:\n    headers:\n      a: |\n        {CANARY}\n    x: 1\n",
        f"adapters: {{zipkin: {{headers: {{a: !{CANARY} x}}}}}}",
        f"adapters: {{zipkin: {{headers: {{a: *{CANARY}}}}}}}",
        f"adapters: {{zipkin: {{headers: {{a: &{CANARY} x}}, b: 1}}}}",
        f'adapters:\n  zipkin:\n    headers: {{a: "{CANARY}\n    b: c\n',
        f"adapters:\n  zipkin:\n    password: {CANARY}\n\tx: 1\n",
        f"password: {CANARY}: b\n",
        f"adapters: {{zipkin: {{headers: {{a: '${{GONE}} {CANARY}'}}}}}}",
        f"adapters: {{zipkin: {{headers: {{a: '${{GONE:?{CANARY}}}'}}}}}}",
        f"resource: {{attributes: {{db.password: [[{CANARY}]], x: [{{}}]}}}}",
    ],
)
def test_no_secret_in_a_report(source: str, tmp_path: Path) -> None:
    """A secret in the file is in no message, no source line and no part of the error."""
    error = report_of(tmp_path, source)
    seen = [str(error), repr(error), repr(error.problems), repr([p.as_json() for p in error.problems])]
    assert [text for text in seen if CANARY in text] == []
    assert error.__cause__ is None


@pytest.mark.parametrize("where", ["endpoint", "timeout", "compression", "tls", "headers", "sending_queue"])
def test_what_comes_from_the_environment_is_never_shown(where: str, tmp_path: Path) -> None:
    """Whatever option a variable lands in, its value is not repeated."""
    source = f"adapters: {{zipkin: {{{where}: '${{V}}', nonsense: 1}}}}"
    assert CANARY not in str(report_of(tmp_path, source, {"V": CANARY}))


def test_no_secret_in_the_repr_of_settings(tmp_path: Path) -> None:
    """Settings print as `***` what they hold, and still hold it."""
    config: dict[str, Any] = {
        "adapters": {
            "zipkin": {"headers": {"authorization": CANARY}, "endpoint": f"http://u:{CANARY}@h:1/x?k={CANARY}"}
        }
    }
    settings = load_settings(config, environ={})
    options: Any = settings.adapters["zipkin"].options
    assert CANARY not in repr(settings) + str(settings)
    assert options.headers["authorization"].reveal() == CANARY
    assert f"http://u:{CANARY}@h:1/x?k={CANARY}" == options.endpoint


def test_a_mapping_is_reported_by_path() -> None:
    """Code has no lines: the path says where."""
    with pytest.raises(ConfigError) as caught:
        load_settings({"adapters": {"memory": {"sending_queue": {"max_batch": 0}}}}, environ={})
    expected = (
        "the configuration given in code: adapters.memory.sending_queue.max_batch: "
        "adapters.memory.sending_queue.max_batch must be at least 1, not 0 [out-of-range]"
    )
    assert expected == str(caught.value).splitlines()[0]


def test_the_caret_stands_under_wide_and_masked_text(tmp_path: Path) -> None:
    """Columns count characters; the caret follows what is printed."""
    source = "adapters: {zipkin: {headers: {a: abcd}, x: 1, 端点: 2}}"
    lines = str(report_of(tmp_path, source)).splitlines()
    assert lines[1] == "  1 | adapters: {zipkin: {headers: {a: ***}, x: 1, 端点: 2}}"
    assert lines[1].index("x: 1") == lines[2].index("^")
    assert lines[7] == "    | " + " " * 45 + "^~~~"


def test_a_report_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """Escape sequences in keys are shown as spaces."""
    error = report_of(tmp_path, '"\\e[31mred": 1\n' + GOOD)
    assert "\x1b" not in str(error)


def test_a_thousand_problems_do_not_flood(tmp_path: Path) -> None:
    """The first fifty are shown, the rest counted."""
    error = report_of(tmp_path, GOOD + "".join(f"k{i}: 1\n" for i in range(1000)))
    assert str(error).count("[unknown-key]") == 50
    assert str(error).endswith("(950 more not shown)")
