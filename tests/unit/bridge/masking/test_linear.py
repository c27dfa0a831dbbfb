"""Every regular expression of ours takes time that grows with the text and no faster; users' ones do, or are refused.

An expression that is only ever used at the beginning of a text, or for all of it, is kept as that method: `_is_name = re.compile(…).fullmatch`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tracebridge
import tracebridge_adapters
from support.pumped import pumped

ENOUGH_S = 0.02  # what takes longer can be measured
LARGEST = 32_768  # characters; what is through with them in less than that is fast enough for any growth
QUADRATIC, FEW_TIMES = 2.9, 4  # a text twice as long takes twice as long, or four times; a busy machine is asked again


Used = tuple[re.Pattern[Any], str]
"""An expression, and the method by which it is used."""


def expressions() -> Iterator[tuple[str, Used]]:
    """Every expression that stands in a module of ours, by itself or within something."""
    seen = set()
    for package in (tracebridge, tracebridge_adapters):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            for name, value in vars(importlib.import_module(module.name)).items():
                for number, found in enumerate(within(value)):
                    if found not in seen:
                        seen.add(found)
                        yield f"{module.name}.{name}" + (f"[{number}]" if number else ""), found


def within(value: Any) -> Iterator[Used]:
    """The expressions in a value. One that is not kept as one of its methods has to be linear by searching for it."""
    if isinstance(value, re.Pattern):
        yield value, "finditer"
    elif isinstance(getattr(value, "__self__", None), re.Pattern):
        yield value.__self__, value.__name__
    elif isinstance(value, functools.partial):
        yield from within([value.func, *value.args])
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from within(each)
    elif isinstance(value, dict):
        yield from within(list(value.values()))


EXPRESSIONS = dict(expressions())


def test_there_are_expressions_to_look_at() -> None:
    """Those of both packages, and those that are kept as bound methods."""
    assert len(EXPRESSIONS) > 50
    assert {"tracebridge.masking.shapes._KEY", "tracebridge.propagation.b3._single"} <= set(EXPRESSIONS)


def taken(search: Callable[[Any], Any], text: Any) -> float:
    """Seconds of processor time for one text."""
    started = time.process_time()
    search(text)
    return time.process_time() - started


def grows_too_fast(search: Callable[[Any], Any], made: Callable[[int], Any]) -> bool:
    """Whether twice the text takes far more than twice the time, each time it is asked."""
    size = 1024
    while size < LARGEST and taken(search, made(size)) < ENOUGH_S:
        size *= 2
    return size < LARGEST and all(
        taken(search, made(size * 2)) > QUADRATIC * taken(search, made(size)) for _ in range(FEW_TIMES)
    )


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_our_expressions_are_linear(name: str) -> None:
    """For every repetition in them: what it repeats, over and over, after what stands before it, and then something else."""
    pattern, method = EXPRESSIONS[name]
    use = getattr(pattern, method)

    def through(text: Any) -> None:
        found = use(text)
        if method == "finditer":
            list(found)

    for before, body in pumped(pattern):

        def made(size: int, before: str = before, body: str = body) -> Any:
            text = before + (body * (size // len(body) + 1))[:size] + "\0"
            return text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")

        if body:
            assert not grows_too_fast(through, made), (before, body)
