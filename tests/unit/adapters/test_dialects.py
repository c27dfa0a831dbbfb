"""Under which names destinations show what a record says, and the way back."""

from __future__ import annotations

import pytest

from support.cases import Build
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.dialects import as_json, attributes_of, from_json, take_apart

ID = "tracebridge.trace_id"


def shown(dialect="openinference", **fields) -> dict:
    """The attributes of a span with these fields."""
    return attributes_of(Build("dialects").span("s", **fields), dialect, ID)


def test_a_plain_span_shows_its_own_mapping():
    """Nothing to add, nothing copied."""
    attributes = {"k": 1}
    record = Build("d").span("s", attributes=attributes)
    assert attributes_of(record, "openinference", ID) is record.attributes


def test_the_callers_id_is_on_every_span_and_its_scheme_on_the_root():
    """The ID is found by searching any span; the scheme is said once."""
    assert shown(custom_trace_id="my id") == {ID: "my id"}
    assert shown(custom_trace_id="my id", id_scheme="hash") == {ID: "my id", f"{ID}.scheme": "hash"}


def test_the_callers_own_span_id_is_shown_with_its_scheme():
    """Both can be searched for; a user's attribute of that name stays the user's."""
    own = {"custom_span_id": "row-17", "span_id_scheme": "hash"}
    added = {"tracebridge.span_id": "row-17", "tracebridge.span_id.scheme": "hash"}
    assert shown(**own) == added
    assert shown(**own, attributes={"tracebridge.span_id": "mine"}) == {
        "tracebridge.span_id": "mine",
        "tracebridge.displaced.tracebridge.span_id": "row-17",
        "tracebridge.span_id.scheme": "hash",
    }


@pytest.mark.parametrize(
    ("value", "text", "mime"),
    [
        ("plain", "plain", "text/plain"),
        ("", "", "text/plain"),
        ({"a": [1, None]}, '{"a":[1,null]}', "application/json"),
        (0, "0", "application/json"),
        (False, "false", "application/json"),
        ([], "[]", "application/json"),
    ],
)
def test_openinference_payloads_are_text_with_its_type(value, text, mime):
    """Text stays text, everything else is JSON; falsy values are values."""
    assert shown(inputs=value, outputs=value) == {
        "input.value": text,
        "input.mime_type": mime,
        "output.value": text,
        "output.mime_type": mime,
    }


def test_openinference_has_its_own_kinds_and_the_type_survives():
    """A type that OpenInference does not know is kept under our own name only."""
    assert shown(span_type="CHAT_MODEL") == {"openinference.span.kind": "LLM", "tracebridge.span_type": "CHAT_MODEL"}
    assert shown(span_type="MINE") == {"tracebridge.span_type": "MINE"}


def test_genai_names_the_operation_besides():
    """OpenTelemetry's GenAI conventions."""
    assert shown("genai", span_type="TOOL")["gen_ai.operation.name"] == "execute_tool"


def test_mlflow_gets_json_text_of_what_it_unwraps_and_the_rest_as_it_is():
    """Its server takes a layer of JSON off text, lists and mappings, and not off numbers and truth values."""
    assert shown("mlflow", inputs="5", outputs=5, span_type="LLM", tags={"team": "blue"}, experiment_id="7") == {
        "mlflow.spanType": "LLM",
        "mlflow.spanInputs": '"5"',
        "mlflow.spanOutputs": 5,
        "mlflow.experimentId": "7",
        "mlflow.traceTag.team": "blue",
    }


def test_mlflow_is_told_that_a_span_has_no_type():
    """It shows the absence as None."""
    assert shown("mlflow", attributes={"k": 1}) == {"mlflow.spanType": "UNKNOWN", "k": 1}


def test_an_unusual_end_is_said_with_its_place():
    """Only what differs from a plain finish is shown."""
    assert shown(end_cause="leaked", opened_at="app.py:7", truncated=1, redacted=2, repaired=3) == {
        "tracebridge.end_cause": "leaked",
        "tracebridge.opened_at": "app.py:7",
        "tracebridge.truncated": 1,
        "tracebridge.redacted": 2,
        "tracebridge.repaired": 3,
    }


def test_an_end_before_its_start_is_marked_with_the_end_that_was_given():
    """No wire can carry it, so the attribute does."""
    assert shown(start_time_ns=10, end_time_ns=7) == {
        "tracebridge.end_before_start": True,
        "tracebridge.end_time_unix_nano": 7,
    }


@pytest.mark.parametrize(
    ("dialect", "type_key"),
    [("openinference", "openinference.span.kind"), ("mlflow", "mlflow.spanType"), ("genai", "tracebridge.span_type")],
)
def test_what_the_user_named_stays_and_what_we_say_moves(dialect, type_key):
    """User attributes are never overwritten, and no value of ours is lost behind one."""
    users = {
        ID: "theirs", "input.value": "theirs", "mlflow.spanInputs": "theirs", type_key: "theirs",
        "tracebridge.truncated": "theirs",
    }  # fmt: skip
    record = Build("d").span(
        "s", attributes=users, custom_trace_id="ours", inputs={"our": "s"}, span_type="LLM", truncated=2
    )
    mapping = attributes_of(record, dialect, ID)
    assert {key: mapping[key] for key in users} == users
    assert mapping["tracebridge.displaced." + ID] == "ours"
    fields = take_apart(mapping)
    assert (fields["custom_trace_id"], fields["inputs"], fields["span_type"], fields["truncated"]) == (
        "ours", {"our": "s"}, "LLM", 2,
    )  # fmt: skip
    assert {key: fields["attributes"].get(key) for key in (ID, "tracebridge.truncated")} == {
        ID: "theirs",
        "tracebridge.truncated": "theirs",
    }


def test_tags_stand_under_their_own_key_unless_it_is_taken():
    """An attribute wins; the tag moves as often as it must, and is never lost."""
    assert shown(tags={"a": "tag", "b": "tag"}, attributes={"a": 1, "tag.a": 2}) == {
        "a": 1,
        "tag.a": 2,
        "tag.tag.a": "tag",
        "b": "tag",
    }


def test_a_destination_that_knows_only_text_gives_the_same_fields():
    """Counts and times come back from their text."""
    record = Build("d").span("s", start_time_ns=10, end_time_ns=7, truncated=3, inputs=[1], attributes={"k": "v"})
    fields = take_apart({key: str(value) for key, value in attributes_of(record, "openinference", ID).items()})
    assert fields == {"inputs": [1], "truncated": 3, "end_time_ns": 7, "attributes": {"k": "v"}}


@pytest.mark.parametrize(
    "attributes",
    [
        {"input.value": "x"},
        {"input.mime_type": "application/json"},
        {"input.value": 5, "input.mime_type": "application/json"},
        {"output.value": "x", "output.mime_type": "image/png"},
        {"tracebridge.truncated": "many", "tracebridge.end_cause": 5, "tracebridge.end_before_start": True},
        {"tracebridge.end_before_start": True, "tracebridge.end_time_unix_nano": "soon"},
        {"openinference.span.kind": "LLM"},
        {ID: 5, "mlflow.spanType": 5},
    ],
)
def test_what_we_did_not_write_stays_an_attribute(attributes):
    """Other people's attributes are not taken for ours when they only look like them."""
    assert take_apart(attributes) == {"attributes": attributes}


def test_an_older_mlflow_exporters_quoted_type_is_understood():
    """MLflow's SDK writes every attribute as JSON."""
    assert take_apart({"mlflow.spanType": '"LLM"', "mlflow.spanInputs": '{"a": 1}'}) == {
        "span_type": "LLM",
        "inputs": {"a": 1},
        "attributes": {},
    }


def test_json_says_what_json_can_say():
    """Odd floats are spelled out, bytes are base64, lone surrogates are replaced; a real null stays null."""
    assert as_json({"nan": float("nan"), "inf": [float("-inf")], "null": None}) == (
        '{"nan":"NaN","inf":["-Infinity"],"null":null}'
    )
    assert as_json([b"\x00", "a\ud800b"]) == '["AA==","a?b"]'


@pytest.mark.parametrize("text", ["not json", "", "{", "\ud800", 5, None])
def test_text_that_is_no_json_is_itself(text):
    """Reading never raises."""
    assert from_json(text) == text


def test_absorbing_what_was_shown_gives_the_record_back():
    """Both ways in one, for a record with everything."""
    record = Build("d").span(
        "s", attributes={"k": 1}, inputs={"a": 1}, outputs="text", span_type="AGENT", custom_trace_id="mine",
        id_scheme="hash", end_cause="abandoned", opened_at="a.py:1", truncated=1, redacted=2, repaired=3,
        custom_span_id="own", span_id_scheme="hash",
    )  # fmt: skip
    for dialect in ("openinference", "mlflow", "genai"):
        fields = take_apart(attributes_of(record, dialect, ID))
        again = SpanRecord(**{**{name: getattr(record, name) for name in record.__struct_fields__}, **fields})
        assert again == record
