"""Pictures of what other systems show: `pip install pymupdf`, then `cd tests && python -m support.server_pictures` makes docs/pictures/zipkin.svg anew.

The tutorial's program sends its trace to a real Zipkin, whose page is printed by a real Chromium and kept as lines and text. (The Jaeger that the tests build has no pages.)
"""

from __future__ import annotations

import base64
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from support.backends.servers import running
from support.browser import Browser
from support.pages import PAGES, blocks

WIDTH, HEIGHT = 1100, 620
TRACE = "order-1002"
WIRE_ID = "60fc018d4bed6177c48176bcf588132a"
FONTS = '"Liberation Sans", Arial, Helvetica, sans-serif'.replace('"', "'")  # of the same widths


def svg(browser: Browser) -> str:
    """Return the page that is shown, as far as it is on the screen."""
    inches = {"paperWidth": WIDTH / 96, "paperHeight": HEIGHT / 96}
    margins = dict.fromkeys(("marginTop", "marginBottom", "marginLeft", "marginRight"), 0)
    printed = browser.devtools("Page.printToPDF", printBackground=True, pageRanges="1", **inches, **margins)
    pymupdf: Any = importlib.import_module("pymupdf")
    document = pymupdf.open(stream=base64.b64decode(printed["data"]), filetype="pdf")
    text: str = document[0].get_svg_image(text_as_path=False)
    return text.replace('font-family="Liberation Sans"', f'font-family="{FONTS}"')


def main() -> None:
    """Make the picture."""
    (program,) = (block for block in blocks(PAGES / "tutorial.md") if block.title == "shop.py")
    for zipkin in running("zipkin"):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "bridge.yaml"
            file.write_text(
                f"resource: {{attributes: {{service.name: shop}}}}\nadapters: {{zipkin: {{endpoint: {zipkin.spans_url}}}}}\n"
            )
            env = {**os.environ, "TRACEBRIDGE_CONFIG": str(file)}
            subprocess.run([sys.executable, "-c", program.text, TRACE], cwd=folder, env=env, check=True)
        browser = Browser()
        try:
            browser.screen(WIDTH, HEIGHT)
            browser.open(f"{zipkin.url}/zipkin/traces/{WIRE_ID}")
            browser.until("document.body.innerText.includes('reserve stock')")
            browser.until("document.body.innerText.includes('tracebridge.trace_id')")
            (PAGES / "pictures" / "zipkin.svg").write_text(svg(browser))
        finally:
            browser.stop()


if __name__ == "__main__":
    main()
