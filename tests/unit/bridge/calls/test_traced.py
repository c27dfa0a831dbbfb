"""`@client.traced`: a span around each call, whatever kind of function it is."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

from tracebridge import Client, InvalidParameterError, SpanRecord

Delivered = Callable[[Client], list[SpanRecord]]


def tree(records: list[SpanRecord]) -> dict[str, str | None]:
    """Each span's name, and its parent's."""
    names = {record.span_id: record.name for record in records}
    return {record.name: None if record.parent_id is None else names[record.parent_id] for record in records}


def test_each_call_is_a_span_below_the_current_one(client: Client, delivered: Delivered) -> None:
    """Or the root of a trace; the function is the same to whoever calls it or looks at it."""

    @client.traced
    def inner(number: int) -> int:
        """Double it."""
        return 2 * number

    @client.traced(name="outer", span_type="CHAIN", attributes={"fixed": 1})
    def outer() -> int:
        return inner(4)

    assert (outer(), inner.__name__, inner.__doc__, inspect.signature(inner)) == (
        8,
        "inner",
        "Double it.",
        inspect.signature(inspect.unwrap(inner)),
    )
    first, second = delivered(client)
    assert (first.name.endswith("<locals>.inner"), second.name, second.span_type, dict(second.attributes)) == (
        True,
        "outer",
        "CHAIN",
        {"fixed": 1},
    )
    assert (first.parent_id, second.parent_id) == (second.span_id, None)
    assert second.opened_at == ""


def test_parameters_that_are_named_become_attributes_and_no_others(client: Client, delivered: Delivered) -> None:
    """Given by place, by name, or by default; a secret is masked by its name."""

    @client.traced(name="pay", arguments=["order_id", "password", "currency", "more"])
    def pay(order_id: str, card: str, password: str = "", *, currency: str = "EUR", **more: Any) -> None:
        """Pay."""

    pay("order-7", "4000 0000", password="s3cret", tip=2)
    (record,) = delivered(client)
    assert record.attributes["order_id"] == "order-7"
    assert record.attributes["currency"] == "EUR"
    assert "card" not in record.attributes
    assert "s3cret" not in repr(record)
    assert "4000" not in repr(record)


def test_what_a_function_raises_is_recorded_and_goes_on(client: Client, delivered: Delivered) -> None:
    """As it was raised; a call with wrong arguments raises what it always does."""

    @client.traced(name="fails", arguments=["number"])
    def fails(number: int) -> None:
        raise KeyError(number)

    with pytest.raises(KeyError, match="7"):
        fails(7)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        fails()  # type: ignore[call-arg]
    assert [(record.status, record.events[0].attributes["exception.type"]) for record in delivered(client)] == [
        (2, "KeyError"),
        (2, "TypeError"),
    ]


def test_methods_are_functions(client: Client, delivered: Delivered) -> None:
    """Below staticmethod and classmethod too; `self` is recorded only when it is asked for."""

    class Shop:
        @client.traced
        def sell(self) -> str:
            return self.count()

        @staticmethod
        @client.traced
        def count() -> str:
            return "static"

        @classmethod
        @client.traced
        def open(cls) -> str:
            return cls.__name__

    assert (Shop().sell(), Shop.open()) == ("static", "Shop")
    assert sorted(record.name.rpartition("<locals>.")[2] for record in delivered(client)) == [
        "Shop.count",
        "Shop.open",
        "Shop.sell",
    ]


def test_coroutines_that_run_at_the_same_time_have_their_own_children(client: Client, delivered: Delivered) -> None:
    """And stay coroutine functions."""

    @client.traced(name="child", arguments=["number"])
    async def child(number: int) -> int:
        await asyncio.sleep(0)
        return number

    @client.traced(name="parent", arguments=["number"])
    async def parent(number: int) -> int:
        await asyncio.sleep(0)
        return await child(number)

    async def main() -> list[int]:
        return await asyncio.gather(*map(parent, range(20)))

    assert inspect.iscoroutinefunction(parent)
    assert asyncio.run(main()) == list(range(20))
    records = delivered(client)
    numbers = {record.span_id: record.attributes["number"] for record in records}
    below = [
        (record.attributes["number"], numbers[record.parent_id]) for record in records if record.parent_id is not None
    ]
    assert len(below) == 20
    assert all(number == of_parent for number, of_parent in below)


def test_a_generators_span_is_current_while_it_runs_and_not_between_its_steps(
    client: Client, delivered: Delivered
) -> None:
    """It takes what is sent and thrown, returns what it returns, and ends its span with its last step."""

    @client.traced(name="generator")
    def generator() -> Generator[Any, Any, str]:
        with client.span("inside"):
            pass
        try:
            got = yield 1
        except ValueError:
            got = "thrown"
        with client.span("inside again"):
            yield got
        return "returned"

    def consumer() -> Generator[Any, Any, str]:
        return (yield from generator())

    with client.trace("consumer"):
        made = consumer()
        values = [next(made)]
        with client.span("between"):
            pass
        values.append(made.throw(ValueError("x")))
        with pytest.raises(StopIteration) as stopped:
            next(made)
    assert (values, stopped.value.value) == ([1, "thrown"], "returned")
    assert tree(delivered(client)) == {
        "inside": "generator", "between": "consumer", "inside again": "generator", "generator": "consumer", "consumer": None
    }  # fmt: skip


@pytest.mark.parametrize("ended", ["closed", "exhausted", "raises"])
def test_a_generator_ends_its_span_however_it_ends(client: Client, delivered: Delivered, ended: str) -> None:
    """One that is broken off is no error."""

    @client.traced(name="generator")
    def generator() -> Iterator[int]:
        yield 1
        if ended == "raises":
            raise OSError("broke")

    made = generator()
    next(made)
    if ended == "closed":
        made.close()  # type: ignore[attr-defined]
    elif ended == "exhausted":
        assert list(made) == []
    else:
        with pytest.raises(OSError, match="broke"):
            next(made)
    assert [record.status for record in delivered(client)] == [2 if ended == "raises" else 1]


def test_asynchronous_generators(client: Client, delivered: Delivered) -> None:
    """As generators, step by step, closed in the middle too."""

    @client.traced(name="generator")
    async def generator(most: int) -> AsyncIterator[int]:
        for number in range(most):
            with client.span("step"):
                await asyncio.sleep(0)
            yield number

    async def main() -> list[int]:
        with client.trace("consumer"):
            values = [number async for number in generator(2)]
            cut = generator(5)
            values.append(await cut.__anext__())
            await cut.aclose()  # type: ignore[attr-defined]
        return values

    assert inspect.isasyncgenfunction(generator)
    assert asyncio.run(main()) == [0, 1, 0]
    names = [record.name for record in delivered(client)]
    assert (sorted(names), tree(delivered(client))) == (
        ["consumer", "generator", "generator", "step", "step", "step"],
        {"step": "generator", "generator": "consumer", "consumer": None},
    )


def test_what_is_no_function_and_a_parameter_that_is_not_there_are_refused(client: Client) -> None:
    """When the function is decorated, with what to write."""

    def function(order: str) -> None:
        """Take an order."""

    traced: Any = client.traced
    for wrong in (int, "name", functionless := object()):
        with pytest.raises(InvalidParameterError, match=rf"value of type {type(wrong).__name__}; decorate a function"):
            traced(wrong)
    assert functionless
    with pytest.raises(
        InvalidParameterError, match=r"takes a list of names of parameters; .*function has order, and not 'oder'"
    ):
        traced(arguments=["oder"])(function)
    with pytest.raises(InvalidParameterError, match="takes a list of names"):
        traced(arguments="order")(function)


def test_a_function_of_a_closed_client_just_runs() -> None:
    """Nothing is raised, and nothing stays current."""
    client = Client(config={"adapters": {"memory": {}}})

    @client.traced
    def double(number: int) -> int:
        return 2 * number

    @client.traced
    def count() -> Iterator[int]:
        yield from range(3)

    client.close()
    assert (double(2), list(count()), contextvars.copy_context().run(double, 3)) == (4, [0, 1, 2], 6)
