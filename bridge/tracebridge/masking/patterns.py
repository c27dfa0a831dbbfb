"""Regular expressions that users give, and what bounds the time that they take on a text that somebody else wrote.

With google-re2 (`pip install 'tracebridge[re2]'`) they run in time linear in the text. What it does not know (lookarounds, back references), and
everything where it is not installed, runs on Python's `re`, which may go through every way to match before it gives up. So an
expression that has exponentially many ways is refused there: a repetition of something that itself can be repeated or is one of several.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from tracebridge.masking.shapes import JWT

MASK: Final = "[redacted]"
MOST_WAYS = 2**20  # in which a bounded repetition may match
_EXTRA = ", or install the engine that takes linear time: pip install 'tracebridge[re2]'"

CARD = re.compile(r"\b(?:\d[ -]?){12,18}\d\b")


class Pattern(Protocol):
    """What `re` and google-re2 have in common."""

    def search(self, text: Any, /) -> Any:
        """Return the first match, or None."""

    def match(self, text: Any, /) -> Any:
        """Return the match at the beginning, or None."""

    def sub(self, replacement: Any, text: Any, /) -> Any:
        """Return the text with every match replaced."""


def masker(name: str) -> Callable[[str], str]:
    """Return what masks every match of a pattern, or of one of the built-in ones `card` and `jwt`. Raises ValueError as `compiled`."""
    if name == "jwt":
        return functools.partial(JWT.sub, rf"\1{MASK}")
    if name == "card":
        return functools.partial(CARD.sub, _mask_card)
    return functools.partial(compiled(name).sub, lambda _: MASK)


@functools.lru_cache(maxsize=256)
def compiled(text: str | bytes, *, linear: bool = True) -> Pattern:
    """Return an expression, on the linear engine where that is installed, knows all of it, and is wanted.

    Raises ValueError for one that is wrong, and for one that Python's engine could take exponential time for.
    """
    engine = _engine() if linear else None
    if engine is not None:
        try:
            pattern: Pattern = engine(text)
        except Exception:  # noqa: S110 - its error class is its own; Python's engine knows more
            pass
        else:
            return pattern
    try:
        plain = re.compile(text)
        ways = _repeats_what_repeats(_parsed(plain))
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"this is not a regular expression: {error}") from None
    if ways:
        raise ValueError(
            "a repetition of what is itself repeated or one of several, such as (a+)+ or (a|ab)*, can take exponential time; "
            f"write it without{_EXTRA if engine is None else ', or without lookarounds and back references, which only that engine knows'}"
        )
    return plain


@functools.cache
def _engine() -> Callable[[Any], Any] | None:
    try:
        re2: Any = importlib.import_module("re2")
        options = re2.Options()
        options.log_errors = False
    except (ImportError, AttributeError):  # or another package of that name
        return None
    return functools.partial(re2.compile, options=options)


def _parsed(pattern: re.Pattern[Any]) -> Any:
    parser: Any = importlib.import_module("re._parser")  # the one way to ask what an expression is made of
    return parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)


def _repeats_what_repeats(tree: Any) -> bool:
    """Return whether somewhere in an expression a repetition has exponentially many ways to match one text."""
    waiting: list[tuple[Any, float]] = [(tree, 1)]  # a piece, and how often what it stands in may repeat it
    while waiting:
        piece, times = waiting.pop()
        for operator, argument in piece:
            name, most = str(operator), times
            if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
                low, high = int(argument[0]), float(argument[1])
                unbounded = high > MOST_WAYS
                ways = float("inf") if unbounded else high - low + 1
                if times > 1 and ways > 1 and ways ** min(times, 64) > MOST_WAYS:
                    return True
                most = times * max(1.0, float("inf") if unbounded else high)
            elif name == "BRANCH" and len(argument[1]) ** min(times, 64) > MOST_WAYS:
                return True
            waiting += [(inner, most) for inner in _pieces_of(argument)]
    return False


def _pieces_of(argument: Any) -> Iterator[Any]:
    """Yield the pieces of an expression that an operator's argument contains."""
    if type(argument).__name__ == "SubPattern":
        yield argument
    elif isinstance(argument, (tuple, list)):
        for each in argument:
            yield from _pieces_of(each)


def _mask_card(found: re.Match[str]) -> str:
    """Mask a run of digits only when its Luhn checksum says that it is a payment card."""
    digits = [int(char) for char in found[0] if char.isdigit()]
    doubled = [sum(divmod(digit * 2, 10)) for digit in digits[-2::-2]]
    return MASK if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else found[0]
