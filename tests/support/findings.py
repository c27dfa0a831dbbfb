"""The table of docs/findings.md, made of the scripts: `cd tests && python -m support.findings` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "findings.md"
HEAD = "| library | what it does | seen in | script |\n|---|---|---|---|\n"
_PIN = re.compile(r"([A-Za-z][\w-]*)(?:\[[^\]]*\])?==([\d.]+)")
_COMPANIONS = {"six", "opentelemetry-sdk"}  # installed beside the package that a script is about


def row(script: Path) -> str:
    """Return the row of one script: its second line, and the versions that it installs."""
    text = script.read_text()
    library, _, does = text.splitlines()[1].removeprefix("# ").partition(": ")
    first = does.split()[0]
    does = does if re.search(r"\W", first) else does[0].upper() + does[1:]
    pins = dict(_PIN.findall(text))
    named = {name: version for name, version in pins.items() if name not in _COMPANIONS} or pins
    seen = ", ".join(f"{name} {version}" for name, version in named.items())
    return f"| {library} | {does} | {seen} | [`{script.name}`](../findings/{script.name}) |\n"


def page() -> str:
    """Return the page with a row for each script."""
    before = PAGE.read_text().partition(HEAD)[0]
    return before + HEAD + "".join(row(script) for script in sorted((ROOT / "findings").glob("*.sh")))


if __name__ == "__main__":
    PAGE.write_text(page())
