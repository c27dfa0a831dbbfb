"""Pictures of the pages that traces are looked at in, for people: `cd tests && python -m support.pictures_of_pages FOLDER` keeps PNGs, light and dark, wide and narrow.

They are no part of the repository: whoever wants them makes them.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from support.browser import Browser
from support.pictures import T0, shop
from tracebridge.html.document import document
from tracebridge.ids.identity import Identity
from tracebridge.plugins.adapter import Context
from tracebridge.reading.destination import Destination
from tracebridge.records.record import StatusCode
from tracebridge.settings.model import TraceIdSettings
from tracebridge.ui.answers import Answers
from tracebridge.ui.server import UiServer
from tracebridge_adapters.store import StoreAdapter, StoreOptions

TRACES = 120
NAMES = ("POST /orders", "GET /cart", "nightly report")
SCREENS = {"wide": (1280, 900), "narrow": (400, 900)}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a page over made-up traces."""
    store, chance = StoreAdapter(StoreOptions(path=str(folder / "store.db")), Context("store")), random.Random(7)
    for number in range(TRACES):
        spans = shop(chance.choice((3, 8, 20, 60)), seed=number, trace_id=f"user{number % 40}_report_{number:05d}")
        began, share = time.time_ns() - number * 7_000_000_000, 10 ** chance.uniform(-3, 0)
        name, failed = chance.choice(NAMES), chance.random() < 0.1
        moved = [
            replace(
                span,
                name=span.name if span.parent_id else name,
                status=int(StatusCode.ERROR) if failed and not span.parent_id else span.status,
                start_time_ns=began + int((span.start_time_ns - T0) * share),
                end_time_ns=began + int((span.end_time_ns - T0) * share),
            )
            for span in spans
        ]
        store.send(store.encode(moved), len(moved))
    with UiServer(Answers([Destination("store", store, store, "")], Identity(TraceIdSettings()))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()
    store.close()


def keep(browser: Browser, folder: Path, name: str) -> None:
    """Keep what is shown on every kind of screen."""
    for screen, (width, height) in SCREENS.items():
        for dark in (False, True):
            browser.screen(width, height, dark=dark)
            browser.picture(folder / f"{name}-{screen}-{'dark' if dark else 'light'}.png")
    browser.screen(*SCREENS["wide"])


def main(folder: Path) -> None:
    """Make all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "trace.html"
        file.write_text(document([shop(60, seed=4)]))
        browser = Browser()
        try:
            browser.screen(*SCREENS["wide"])
            browser.open(file.as_uri())
            browser.click(".body > .row:nth-child(3)")
            browser.until("document.querySelector('.details')")
            keep(browser, folder, "file")
            with served(Path(work)) as url:
                browser.open(url)
                browser.until("document.querySelector('.list-of-traces tbody tr')")
                keep(browser, folder, "list")
                for row in (3, 5):
                    browser.click(f".list-of-traces tr:nth-child({row}) input")
                browser.click(".under button")
                browser.until("document.querySelectorAll('.two .tree').length === 2")
                keep(browser, folder, "compare")
        finally:
            browser.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
