"""Laws of the configuration: whatever a file holds, the answer is Settings or a readable list of problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tracebridge import ConfigError, Settings
from tracebridge.settings.document import read_document
from tracebridge.settings.excerpts import Excerpts
from tracebridge.settings.load import load_settings
from tracebridge.settings.substitution import substitute

KEYS = st.sampled_from(
    "adapters zipkin otlp_http/main store memory zipkim endpoint endpiont headers timeout tls resource attributes "
    "lifecycle strict max_open limits redaction deny_values action journal max_bytes sending_queue file_format x".split()
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["10s", "512MiB", "http://localhost:1", "${X}", "${Y:-1}", "$$", "${", "1.0", "gzip", "(", "card"]),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)
FILES = st.dictionaries(KEYS, TREES, max_size=5)
ENVIRON = {"X": "x: [c4n4ry-Zq9"}


def answer(source: Any) -> Settings | ConfigError:
    """Return Settings, or the error that was raised instead."""
    try:
        return load_settings(source, environ=ENVIRON)
    except ConfigError as error:
        return error


def assert_readable(outcome: Settings | ConfigError) -> None:
    """A report has a line for each problem, and shows nothing from the environment and no control characters."""
    if isinstance(outcome, ConfigError):
        report = str(outcome)
        assert outcome.problems
        assert all(f"[{problem.kind}]" in report for problem in outcome.problems[:50])
        assert "c4n4ry-Zq9" not in report
        assert all(char.isprintable() or char == "\n" for char in report)
    else:
        assert outcome.adapters


@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))))
@settings(deadline=1000, max_examples=150)
def test_arbitrary_bytes(tmp_path_factory: Any, data: bytes) -> None:
    """Bytes are no surprise."""
    file: Path = tmp_path_factory.mktemp("any") / "bridge.yaml"
    file.write_bytes(data)
    assert_readable(answer(file))


@given(data=FILES)
@settings(deadline=1000, max_examples=150)
def test_arbitrary_yaml(tmp_path_factory: Any, data: Any) -> None:
    """YAML of our own keys in any shape is read or reported."""
    file: Path = tmp_path_factory.mktemp("any") / "bridge.yaml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    assert_readable(answer(file))


@given(data=FILES)
@settings(deadline=1000, max_examples=150)
def test_arbitrary_mappings(data: Any) -> None:
    """So are mappings in code, and the same ones as in a file."""
    assert_readable(answer(data))


SECRET = "c4n4ryZq9xW"
WITH_SECRETS = f"""\
file_format: "1.0"
resource:
  attributes: {{service.name: "checkout", db.password: {SECRET}}}
lifecycle: {{strict: false, max_open: 1h}}
adapters:
  otlp_http/main:
    endpoint: http://user:{SECRET}@localhost:4318
    headers: {{authorization: "Bearer {SECRET}", x-api-key: {SECRET}}}
    timeout: 10s
  zipkin:
    headers:
      x-token: {SECRET}
      other: >-
        {SECRET}
        more {SECRET}
    endpoint: http://localhost:9411/api/v2/spans
    tls: {{insecure_skip_verify: false}}
"""
SLIPS = st.lists(
    st.tuples(st.integers(0, len(WITH_SECRETS)), st.integers(0, 2), st.sampled_from("{}[]:,\n\t \"'#&*!|>-?%@$abz01")),
    min_size=1,
    max_size=3,
)


@given(slips=SLIPS)
@settings(deadline=1000, max_examples=400)
def test_no_slip_of_the_finger_shows_a_secret(tmp_path_factory: Any, slips: list[tuple[int, int, str]]) -> None:
    """Characters put in, left out or exchanged anywhere but in the secrets themselves: no report shows one."""
    text = WITH_SECRETS
    for place, removed, char in slips:
        slipped = text[:place] + (char if removed < 2 else "") + text[place + (removed > 0) :]
        if slipped.count(SECRET) == WITH_SECRETS.count(SECRET):
            text = slipped
    file: Path = tmp_path_factory.mktemp("any") / "bridge.yaml"
    file.write_text(text, encoding="utf-8")
    outcome = answer(file)
    shown = (
        repr(outcome.adapters) if isinstance(outcome, Settings) else str(outcome)
    )  # attributes are data, not secrets
    assert SECRET not in shown


DIGITS = "94815276"
ODD = (
    "жщэ{e}щ",
    "жщ,{d}эю",
    "ж щ: эю",
    "'жщ эю",
    "|жщ",
    "- жщ",
    "жщ # эю",
    "!жщ",
    "*жщ",
    "&жщ эю",
    "%жщ",
    "жщ}}эю",
    '"жщ',
    "жщ\n  эю",
)
OWN_CHARACTERS = frozenset("жщэю0123456789")


@given(
    secret=st.one_of(st.just(DIGITS), st.sampled_from(ODD), st.text("жщэю01239:,-{}[]'\"#&*!|>%@ \n", min_size=1, max_size=12)),
    before=st.sampled_from(["", "a: b\n", "headers: {x: y}\n"]),
    form=st.sampled_from(
        ["authorization: {s}", "headers: {{authorization: {s}}}", "headers: {{authorization: {s}", "headers: [authorization, {s}", "headers: {{token {s}: x, a", "authorization: {{{s}",
         "password:\n  {s}", "password: >\n  {s}", "token: \"{s}", "\ttoken: {s}", "- password: {s}", "? {{password: {s}}}\n: x"]),
    after=st.sampled_from(["", "\n}", "\n\tx: y", "\n---\na: b", "\nx: *y", "\n\x07", "\nzipkin: {", "\n]: x"]),
)  # fmt: skip
@settings(deadline=1000, max_examples=400)
def test_not_a_character_of_a_secret_is_in_an_excerpt(secret: str, before: str, form: str, after: str) -> None:
    """Whatever is wrong with the YAML: digits of a secret, and what of it looks like YAML, are hidden with the rest."""
    document = read_document((before + form.format(s=secret) + after).encode(), {})
    excerpts = Excerpts(document)
    shown = [excerpts.line(number).text for number in range(1, len(document.lines) + 1)]
    if not document.complete:
        assert [text for text in shown if OWN_CHARACTERS & set(text)] == []


@given(text=st.text(max_size=80))
def test_values_survive_the_file(text: str) -> None:
    """Quoted text without a dollar sign comes out as it went in."""
    source = yaml.safe_dump({"k": text}, allow_unicode=True, default_style='"', width=10_000)
    document = read_document(source.replace("$", "$$").encode("utf-8", "replace"), {})
    if not document.problems:
        assert text.encode("utf-8", "replace").decode() == document.root.value["k"].value


@given(text=st.text(alphabet="${}:-AB_e nv", max_size=30))
def test_substitution_never_raises_and_escaping_undoes_it(text: str) -> None:
    """Every text has an outcome; with each `$` doubled it comes back unchanged."""
    substitute(text, {"A": "a"})
    assert text == substitute(text.replace("$", "$$"), {"A": "a"}).text
