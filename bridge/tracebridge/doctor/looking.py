"""What a plugin's own examination says, as outcomes: of a relay's receiver and of an engine of open spans alike."""

from __future__ import annotations

import time
from collections.abc import Iterable

from tracebridge.doctor.findings import Outcome, Step, Trouble
from tracebridge.masking.foreign import clean
from tracebridge.plugins.examination import Found


def look(examined: Iterable[Found], section: str, first: Outcome, advice: str) -> list[Outcome]:
    """Return an outcome for each thing that was found; what the examination raises is the problem of `first`, with this advice."""
    outcomes: list[Outcome] = []
    started = time.perf_counter()
    try:
        for found in examined:
            outcome = Outcome(f"{section} {found.what}", first.type)
            if found.problem:
                outcome.problem = Trouble(found.cause, clean(found.problem), found.advice)
            else:
                outcome.steps.append(Step("look", found.detail, (time.perf_counter() - started) * 1000))
            outcomes.append(outcome)
            started = time.perf_counter()
    except Exception as error:
        first.problem = Trouble("not-usable", f"{type(error).__name__}: {clean(error)}", advice)
    return outcomes
