"""A real Chromium, driven over WebDriver (https://www.w3.org/TR/webdriver2/) as plain HTTP and JSON.

Everything waits for a condition, as long as `WAIT_S`: a machine with other work is slow, and no test says how slow.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import urllib3

from support.backends.cache import MissingServerError
from support.backends.process import ServerProcess, free_ports

WAIT_S = 120.0
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --no-default-browser-check --disable-background-networking "
    "--disable-component-update --disable-sync --disable-extensions --hide-scrollbars --force-color-profile=srgb"
).split()
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015", "End": "\ue010",
        "Home": "\ue011", "Tab": "\ue004"}  # fmt: skip

_http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=30, read=300))


class Browser:
    """One browser with an empty profile. Raises MissingServerError where this machine has none."""

    def __init__(self) -> None:
        driver = shutil.which("chromedriver")
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if driver is None or chromium is None:
            raise MissingServerError(
                "chromium and chromedriver are not installed (Debian: apt install chromium chromium-driver)"
            )
        [port] = free_ports(1)
        self.profile = Path(tempfile.mkdtemp(prefix="tracebridge-browser-"))
        self.process = ServerProcess(
            "chromedriver", [driver, f"--port={port}", "--allowed-ips=127.0.0.1"], env={"HOME": str(self.profile)}
        )
        self._url = f"http://127.0.0.1:{port}"
        try:
            self.process.wait_until(lambda: _http.request("GET", f"{self._url}/status").json()["value"]["ready"])
            options = {"binary": chromium, "args": [*FLAGS, f"--user-data-dir={self.profile}/data"]}
            wanted = {
                "capabilities": {
                    "alwaysMatch": {
                        "browserName": "chrome",
                        "goog:chromeOptions": options,
                        "goog:loggingPrefs": {"browser": "ALL"},
                    }
                }
            }
            self._session = f"/session/{self._ask('POST', '/session', wanted)['sessionId']}"
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the browser and its driver, and remove the profile."""
        session, self._session = getattr(self, "_session", None), None
        try:
            if session:
                self._ask("DELETE", session)
        finally:
            self.process.stop()
            shutil.rmtree(self.profile, ignore_errors=True)

    # ---- the driver's commands

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = _http.request(method, self._url + path, json=body if body is not None or method != "POST" else {})
        value = answer.json()["value"]
        if answer.status >= 400:
            raise AssertionError(f"{value['error']}: {value['message']}")
        return value

    def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self._ask(
            "POST", f"{self._session}/url", {"url": "about:blank"}
        )  # so that an address that differs in its fragment is loaded, too
        self._ask("POST", f"{self._session}/url", {"url": address})

    @property
    def address(self) -> str:
        """Where the browser is."""
        return str(self._ask("GET", f"{self._session}/url"))

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script's body and return what it returns."""
        return self._ask("POST", f"{self._session}/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, expression: str, *arguments: Any) -> Any:
        """Wait until a script's expression is true, and return its value. Raises AssertionError with the page's text when it is not in time."""
        deadline = time.monotonic() + WAIT_S
        while True:
            value = self.run(f"return ({expression})", *arguments)
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"not so after {WAIT_S:g} s: {expression}\n{self.text()}\n{self.log()}")
            time.sleep(0.05)

    def find(self, selector: str) -> str:
        """Return the first element that matches, waited for."""
        self.until("document.querySelector(arguments[0]) !== null", selector)
        return str(self._ask("POST", f"{self._session}/element", {"using": "css selector", "value": selector})[ELEMENT])

    def click(self, selector: str) -> None:
        """Click an element where a person would."""
        self._ask("POST", f"{self._session}/element/{self.find(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        """Type into an element, which keeps what it has."""
        self._ask("POST", f"{self._session}/element/{self.find(selector)}/value", {"text": text})

    def clear(self, selector: str) -> None:
        """Empty a field."""
        self._ask("POST", f"{self._session}/element/{self.find(selector)}/clear")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is; names of `KEYS`, or characters."""
        actions = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self._ask(
            "POST", f"{self._session}/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}
        )

    def enter(self, element: str) -> None:
        """Go into a frame."""
        self._ask("POST", f"{self._session}/frame", {"id": {ELEMENT: element}})

    def leave(self) -> None:
        """Go back to the page."""
        self._ask("POST", f"{self._session}/frame", {"id": None})

    def text(self, selector: str = "body") -> str:
        """Return what a person reads there; nothing where there is no such element."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def texts(self, selector: str) -> list[str]:
        """Return what a person reads in each element that matches, or would when it is on the screen (`content-visibility`)."""
        return list(
            self.run(
                "return [...document.querySelectorAll(arguments[0])].map((one) => (one.innerText || one.textContent).trim())",
                selector,
            )
        )

    # ---- what a machine looks like

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Send a command of Chromium's own protocol."""
        return self._ask("POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screen(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Have a screen of this size, in CSS pixels, light or dark."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.devtools("Emulation.setEmulatedMedia", features=scheme)

    def picture(self, path: str | os.PathLike[str]) -> None:
        """Keep what is on the screen as a PNG."""
        Path(path).write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))

    def printed(self) -> bytes:
        """Return the page as a PDF."""
        # WebDriver's own command gives a page ten seconds
        return base64.b64decode(self.devtools("Page.printToPDF", printBackground=True)["data"])

    def log(self) -> list[str]:
        """Return what the page's console said since it was last asked: errors, and what its policy forbade."""
        return [entry["message"] for entry in self._ask("POST", f"{self._session}/se/log", {"type": "browser"})]
