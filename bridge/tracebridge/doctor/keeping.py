"""Where `open_spans` keeps spans: is the engine there, and may it be used?"""

from __future__ import annotations

from tracebridge.doctor.examine import STEP_TIMEOUT_S
from tracebridge.doctor.findings import Outcome, Trouble
from tracebridge.doctor.looking import look
from tracebridge.doctor.probe import address_of, reach
from tracebridge.errors import TracebridgeError
from tracebridge.masking.foreign import clean
from tracebridge.plugins.examination import ExaminableEngine
from tracebridge.settings.model import Settings
from tracebridge.wiring import engine_of


def examine_engine(settings: Settings) -> list[Outcome]:
    """Return what is found of the engine. Never raises for what fails, and leaves nothing there."""
    chosen = settings.open_spans
    assert chosen.engine is not None  # noqa: S101 - whoever asks has one
    first = Outcome(f"open_spans {chosen.engine}", chosen.engine)
    try:
        engine = engine_of(chosen)
        address = address_of(chosen.url) if chosen.url and "://" in chosen.url else None
    except (TracebridgeError, ValueError, OSError, ImportError) as error:
        first.problem = Trouble("not-usable", clean(error), "see docs/open-spans.md for what it needs")
        return [first]
    try:
        if address is not None:
            first.target = str(address)
            first.problem = reach(address, None, STEP_TIMEOUT_S, first.steps)
        if first.problem is not None or not isinstance(engine, ExaminableEngine):
            return [first]
        return [first, *look(engine.examine(), "open_spans", first, "check open_spans.url")]
    finally:
        engine.close()
