"""The contracts as tests: derive a class from one in a test module of your own, say how the thing is built, and pytest runs them."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Any

from tracebridge.delivery.parts import parts_of, send_parts
from tracebridge.errors import Misconfigured, Rejected, Retryable, TooLarge
from tracebridge.ids.scheme import SPAN_BYTES, TRACE_BYTES, Refused, Scheme
from tracebridge.journal.base import encode_record
from tracebridge.plugins.adapter import Adapter, Context, Sent
from tracebridge.plugins.options import DeliveryOptions
from tracebridge.plugins.stage import Drop, Hold, HoldingStage, Stage, StageContext, StageOptions
from tracebridge.records.record import Resource, SpanRecord
from tracebridge.settings.describe import describe
from tracebridge.testing.samples import sample_records

THREADS = 8
CONTEXT = Context("under-test", Resource({"service.name": "shop"}))
STAGE_CONTEXT = StageContext("under-test", Resource({"service.name": "shop"}))


class AdapterContract:
    """What delivery relies on. `build` returns an adapter towards a destination that takes spans, `build_ill` one towards none that answers."""

    def build(self) -> Adapter:
        """Return an adapter that can send: `MyAdapter(MyOptions(endpoint=…), CONTEXT)`."""
        raise NotImplementedError("build() has to return the adapter under test")

    def build_ill(self) -> Adapter | None:
        """Return an adapter whose destination does not answer; None where it always answers."""
        return None

    def test_its_options_derive_from_delivery_options_and_say_what_they_are(self) -> None:
        """Every key has its help, and the class is frozen."""
        options: Any = type(self.build()).Options
        assert issubclass(options, DeliveryOptions), f"{options.__name__} has to derive from DeliveryOptions"
        assert options.__dataclass_params__.frozen, f"{options.__name__} has to be a frozen dataclass"
        assert [each.key for each in describe(options) if not each.help] == []

    def test_its_limits_are_limits(self) -> None:
        """`max_batch_spans` is a number above 0, `max_batch_bytes` one or None."""
        adapter = self.build()
        most_bytes = adapter.max_batch_bytes
        adapter.close()
        assert adapter.max_batch_spans >= 1, "max_batch_spans has to be at least 1"
        assert most_bytes is None or most_bytes >= 1, "max_batch_bytes has to be at least 1, or None"

    def test_it_encodes_every_kind_of_span(self) -> None:
        """Each alone, and all together: bytes, or parts that hold every record once."""
        adapter = self.build()
        for records in [*([record] for record in sample_records()), sample_records()]:
            assert parts_of(adapter, records), f"encode() made nothing of {[record.name for record in records]}"
        adapter.close()

    def test_encoding_changes_nothing(self) -> None:
        """The same records give the same bodies, and are what they were: other adapters get them too."""
        adapter = self.build()
        records = sample_records()
        before = [encode_record(record) for record in records]
        first = [part.body for part in parts_of(adapter, records)]
        again = [part.body for part in parts_of(adapter, sample_records())]
        adapter.close()
        assert first == again, "encode() has to give the same bytes for the same spans"
        assert [encode_record(record) for record in records] == before, "encode() has changed a record"

    def test_it_sends_every_kind_of_span(self) -> None:
        """The destination takes them, or says in `Sent` how many it did not."""
        adapter = self.build()
        for record in sample_records():
            for answer in send_parts(adapter, parts_of(adapter, [record])):
                assert isinstance(answer, Sent), f"sending {record.name!r}: {answer!r}"
        adapter.close()

    def test_an_ill_destination_is_told_in_the_contracts_words(self) -> None:
        """`Retryable`, `Rejected`, `TooLarge` or `Misconfigured`: what else is raised is tried again for five minutes, then lost."""
        adapter = self.build_ill()
        if adapter is None:
            return
        (answer,) = send_parts(adapter, parts_of(adapter, sample_records()[:1]))
        adapter.close()
        known = (Retryable, Rejected, TooLarge, Misconfigured)
        assert isinstance(answer, known), (
            f"send() raised {answer!r}, which is not one of {[kind.__name__ for kind in known]}"
        )


class StageContract:
    """What a client relies on. `build` returns the stage."""

    def build(self) -> Stage:
        """Return the stage: `MyStage(MyOptions(), STAGE_CONTEXT)`."""
        raise NotImplementedError("build() has to return the stage under test")

    def test_its_options_derive_from_stage_options_and_say_what_they_are(self) -> None:
        """Every key has its help, and the class is frozen."""
        options = type(self.build()).Options
        assert issubclass(options, StageOptions), f"{options.__name__} has to derive from StageOptions"
        assert dataclasses.is_dataclass(options)
        assert [each.key for each in describe(options) if not each.help] == []

    def test_it_has_a_verdict_for_every_kind_of_span(self) -> None:
        """A record, Drop, Hold or None; Hold only when it can decide."""
        stage = self.build()
        for record in sample_records():
            verdict: Any = stage.process(record)
            assert verdict is None or isinstance(verdict, (SpanRecord, Drop, Hold)), (
                f"{record.name!r}: {verdict!r} is not a verdict"
            )
            assert not isinstance(verdict, Hold) or isinstance(stage, HoldingStage), "a stage that holds needs decide()"

    def test_what_it_returns_can_be_recorded(self) -> None:
        """Values of the types that a record holds."""
        stage = self.build()
        for record in sample_records():
            verdict: Any = stage.process(record)
            kept = verdict.record if isinstance(verdict, Hold) else verdict
            if isinstance(kept, SpanRecord):
                encode_record(kept)

    def test_it_changes_no_record_in_place(self) -> None:
        """Records are frozen, and so are the mappings in them."""
        stage, records = self.build(), sample_records()
        before = [encode_record(record) for record in records]
        for record in records:
            stage.process(record)
        assert [encode_record(record) for record in records] == before, "process() has changed a record in place"

    def test_several_threads_may_be_in_it(self) -> None:
        """None of them raises."""
        stage = self.build()
        raised: list[BaseException] = []

        def work() -> None:
            try:
                for record in sample_records() * 10:
                    stage.process(record)
            except BaseException as error:
                raised.append(error)

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert raised == [], raised

    def test_it_decides_about_what_it_was_given(self) -> None:
        """Nothing is kept that was not held."""
        stage = self.build()
        if isinstance(stage, HoldingStage):
            records = sample_records()
            given = {(record.trace_id, record.span_id) for record in records}
            kept = {(record.trace_id, record.span_id) for record in stage.decide(b"key", records)}
            assert kept <= given


class SchemeContract:
    """What identity relies on. `scheme` is the scheme, `texts` some that it takes, `wrong` some that it does not."""

    scheme: Scheme
    texts: Sequence[str] = ()
    wrong: Sequence[str] = ()

    def test_every_text_becomes_the_same_sixteen_bytes_each_time(self) -> None:
        """In any process, and never all zeros."""
        assert self.texts, "texts has to name some IDs that the scheme takes"
        for text in self.texts:
            made = self.scheme.derive(text)
            assert (type(made), len(made), self.scheme.derive(text)) == (bytes, TRACE_BYTES, made), text
            assert any(made), f"{text!r} becomes zeros, which is not an ID"

    def test_the_way_back_leads_to_the_same_bytes(self) -> None:
        """The canonical text may be another one; it is the same ID."""
        if self.scheme.back is not None:
            for text in self.texts:
                made = self.scheme.derive(text)
                back = self.scheme.back(made)
                assert back is None or self.scheme.derive(back) == made, text

    def test_what_it_does_not_take_is_refused_with_a_reason(self) -> None:
        """By Refused, whatever the text is."""
        for text in [*self.wrong, "\x00", "é" * 512]:
            try:
                self.scheme.derive(text)
            except Refused as refused:
                assert str(refused), f"Refused for {text!r} says nothing"
            else:
                assert text not in self.wrong, f"{text!r} was taken"

    def test_span_ids_have_eight_bytes(self) -> None:
        """Where the scheme has span IDs at all."""
        if self.scheme.derive_span is not None:
            for text in self.texts:
                try:
                    made = self.scheme.derive_span(text)
                except Refused:
                    continue
                assert (type(made), len(made)) == (bytes, SPAN_BYTES), text
