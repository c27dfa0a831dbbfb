"""The site of the pages: `pip install '.[docs]' && python -m website` writes it to build/website/site, or under a folder that is named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from website import live
from website.check import problems
from website.layout import ROOT, lay_out, not_in_the_navigation


def build(work: Path) -> Path:
    """Write the site under a folder, which is deleted before, and return where it is. Raises SystemExit with what is wrong."""
    shutil.rmtree(work, ignore_errors=True)
    lay_out(work)
    live.write(work / "pages")
    wrong = [*not_in_the_navigation(work / "pages")]
    if not wrong:
        command = [sys.executable, "-m", "zensical", "build"]
        done = subprocess.run(command, cwd=work, check=False, capture_output=True, text=True)
        wrong = [done.stdout + done.stderr] if done.returncode else [*problems(work / "site")]
    if wrong:
        sys.exit("\n".join(wrong))
    return work / "site"


if __name__ == "__main__":
    print(build(Path(*sys.argv[1:2]) if sys.argv[1:] else ROOT / "build" / "website") / "index.html")
