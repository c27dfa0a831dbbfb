"""The contract tests: ours pass them, and each mistake that they are for fails one of them, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support import stages
from tracebridge.errors import Retryable
from tracebridge.ids.scheme import Refused, Scheme
from tracebridge.plugins.adapter import Part, Sent
from tracebridge.plugins.options import DeliveryOptions, option
from tracebridge.plugins.registry import ADAPTERS, ID_SCHEMES, adapter_class, entries, load
from tracebridge.plugins.stage import Hold, StageOptions
from tracebridge.testing import AdapterContract, SchemeContract, StageContract
from tracebridge.testing.contracts import CONTEXT, STAGE_CONTEXT

FILES = ["console", "log", "memory", "otlp_file", "store", "zipkin_file"]


def names_of(contract: Any) -> list[str]:
    """The names of its tests."""
    return [name for name in dir(contract) if name.startswith("test_")]


def failures(contract: Any) -> dict[str, str]:
    """Which tests of a contract fail, and with what words."""
    out = {}
    for name in names_of(contract):
        try:
            getattr(contract, name)()
        except Exception as error:
            out[name] = f"{type(error).__name__}: {error}"
        except AssertionError as error:
            out[name] = str(error)
    return out


@pytest.mark.parametrize("name", FILES)
def test_our_adapters_without_a_server_keep_the_contract(name: str, tmp_path: Path) -> None:
    """They are held to what strangers are held to."""

    class Ours(AdapterContract):
        def build(self) -> Any:
            kind: Any = adapter_class(name)
            more: Any = {"stream": "file", "path": str(tmp_path / "spans.log")} if name == "log" else {}
            if "path" in kind.Options.__dataclass_fields__ and not more:
                more = {"path": str(tmp_path / f"{name}.out")}
            return kind(kind.Options(**more), CONTEXT)

    assert failures(Ours()) == {}


@pytest.mark.parametrize("name", ["zipkin", "otlp_http", "jaeger_thrift"])
def test_our_adapters_with_a_server_keep_what_needs_none(name: str) -> None:
    """Encoding, limits, options, and the words for a destination that is not there."""

    class Ours(AdapterContract):
        def build(self) -> Any:
            kind: Any = adapter_class(name)
            return kind(kind.Options(endpoint="http://127.0.0.1:9/api"), CONTEXT)

        build_ill = build

    assert list(failures(Ours())) == ["test_it_sends_every_kind_of_span"]


@pytest.mark.parametrize("name", sorted(entries(ID_SCHEMES)))
def test_our_schemes_keep_the_contract(name: str) -> None:
    """With a text that each takes."""
    texts = {
        "uuid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "ulid": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "hex": "4bf92f3577b34da6a3ce929d0e0e4736",
        "decimal": "12345", "snowflake": "1541815603606036480", "objectid": "507f1f77bcf86cd799439011", "datadog": "1234567890123456789",
        "mlflow": "tr-4bf92f3577b34da6a3ce929d0e0e4736", "xray": "1-5759e988-bd862e3fe1be46a994272793",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "uber": "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1",
        "gcp": "4bf92f3577b34da6a3ce929d0e0e4736/67667974448284343;o=1",
    }  # fmt: skip

    class Ours(SchemeContract):
        scheme = load(ID_SCHEMES, name)

    Ours.texts = [texts.get(name, "order 7")]
    assert failures(Ours()) == {}


@dataclass(frozen=True, kw_only=True)
class GoodOptions(DeliveryOptions):
    """Options that are as they should be."""

    word: str = option("x", help="A word.")


class Good:
    """An adapter that keeps the contract; the mistakes are made on it."""

    Options: Any = GoodOptions
    max_batch_spans = 10
    max_batch_bytes: int | None = None

    def encode(self, records: Any) -> Any:
        return " ".join(record.span_id.hex() for record in records).encode()

    def send(self, body: bytes, spans: int) -> Any:
        return Sent()

    def close(self) -> None:
        pass


def _count(self: Any, records: Any) -> bytes:
    self.__dict__["n"] = self.__dict__.get("n", 0) + 1
    return b"%d" % self.__dict__["n"]


def _mutate(self: Any, records: Any) -> bytes:
    for record in records:
        record.attributes["seen"] = True
    return b"x"


def _raise(self: Any, *_: Any) -> Any:
    raise KeyError("no")


MISTAKES: list[tuple[str, Any, str, str]] = [
    ("max_batch_spans", 0, "test_its_limits_are_limits", "max_batch_spans has to be at least 1"),
    ("max_batch_bytes", 0, "test_its_limits_are_limits", "max_batch_bytes has to be at least 1, or None"),
    ("Options", StageOptions, "test_its_options_derive_from_delivery_options_and_say_what_they_are", "has to derive from DeliveryOptions"),
    ("encode", lambda self, records: "text", "test_it_encodes_every_kind_of_span", "encode() returned str"),
    ("encode", lambda self, records: [Part(b"", records[:1])], "test_it_encodes_every_kind_of_span", "do not hold each of the records once"),
    ("encode", _count, "test_encoding_changes_nothing", "the same bytes for the same spans"),
    ("encode", _mutate, "test_encoding_changes_nothing", "has changed a record"),
    ("send", lambda self, body, spans: None, "test_it_sends_every_kind_of_span", "send() returned NoneType"),
    ("send", _raise, "test_an_ill_destination_is_told_in_the_contracts_words", "KeyError('no'), which is not one of"),
]  # fmt: skip


@pytest.mark.parametrize(("member", "wrong", "name", "words"), MISTAKES, ids=[f"{m[0]} {m[3][:20]}" for m in MISTAKES])
def test_a_mistake_of_an_adapter_fails_its_test(member: str, wrong: Any, name: str, words: str) -> None:
    """And the words say what to do."""
    kind = type("Wrong", (Good,), {member: wrong})

    class Theirs(AdapterContract):
        def build(self) -> Any:
            return kind()

        def build_ill(self) -> Any:
            ill: Any = type("Ill", (kind,), {} if member == "send" else {"send": _refuse})()
            return ill

    found = failures(Theirs())
    assert words in found[name]


def _refuse(self: Any, *_: Any) -> Any:
    raise Retryable("nobody there")


def test_an_adapter_without_a_mistake_passes() -> None:
    """Else the test above would prove nothing."""

    class Theirs(AdapterContract):
        def build(self) -> Any:
            return Good()

        def build_ill(self) -> Any:
            return type("Ill", (Good,), {"send": _refuse})()

    assert failures(Theirs()) == {}


def stage(kind: type[Any], options: Any = None) -> StageContract:
    """The contract on a stage."""

    class Theirs(StageContract):
        def build(self) -> Any:
            return kind(options or kind.Options(), STAGE_CONTEXT)

    return Theirs()


@pytest.mark.parametrize("kind", [stages.Mark, stages.Tenth, stages.Secretive, stages.PlainOnly, stages.Tail])
def test_good_stages_keep_the_contract(kind: type[Any]) -> None:
    """Those that hold, too."""
    assert failures(stage(kind)) == {}


def in_place(self: Any, record: Any) -> Any:
    """Change a record in place."""
    record.attributes["x"] = 1
    return record


STAGE_MISTAKES: list[tuple[Callable[..., Any], str, str]] = [
    (lambda self, record: "text", "test_it_has_a_verdict_for_every_kind_of_span", "is not a verdict"),
    (lambda self, record: Hold(record, b"k"), "test_it_has_a_verdict_for_every_kind_of_span", "needs decide()"),
    (lambda self, record: msgspec.structs.replace(record, attributes={"x": object()}), "test_what_it_returns_can_be_recorded", "TypeError"),
    (in_place, "test_it_changes_no_record_in_place", "has changed a record in place"),
    (lambda self, record: 1 / 0, "test_several_threads_may_be_in_it", "ZeroDivisionError"),
]  # fmt: skip


@pytest.mark.parametrize(("process", "name", "words"), STAGE_MISTAKES, ids=[mistake[2] for mistake in STAGE_MISTAKES])
def test_a_mistake_of_a_stage_fails_its_test(process: Any, name: str, words: str) -> None:
    """And the words say which."""
    found = failures(stage(type("Wrong", (stages.Tenth,), {"process": process})))
    assert words in found[name]


def test_a_mistake_of_a_scheme_fails_its_test() -> None:
    """Too few bytes, bytes that differ, a text that should be refused."""

    class Short(SchemeContract):
        scheme = Scheme("anything", derive=lambda text: b"x" * 15)
        texts = ("a",)
        wrong = ("b",)

    found = failures(Short())
    assert list(found) == [
        "test_every_text_becomes_the_same_sixteen_bytes_each_time", "test_what_it_does_not_take_is_refused_with_a_reason"
    ]  # fmt: skip

    def derive(text: str) -> bytes:
        if text != "a":
            raise Refused("it is not a")
        return b"a" * 16

    class Good(SchemeContract):
        scheme = Scheme("a", derive=derive, back=lambda made: "a")
        texts = ("a",)
        wrong = ("b",)

    assert failures(Good()) == {}


def test_every_adapter_that_is_shipped_is_held_to_it() -> None:
    """Above, or because it needs a client library or a server, by the tests of its own."""
    own = {name for name, entry in entries(ADAPTERS).items() if entry.package == "tracebridge"}
    elsewhere = {"kafka", "mlflow", "otel_exporter", "otlp_grpc"}
    assert own - elsewhere == {*FILES, "zipkin", "otlp_http", "jaeger_thrift"}
