"""The programs on the pages are typed: mypy, strict, has nothing to say of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.pages import blocks

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
UNTYPED = """[mypy]
strict = true
[mypy-celery.*,django.*,opentracing.*]
ignore_missing_imports = true
[mypy-jaeger_client.*]
follow_imports = skip
[mypy-py_zipkin.*]
implicit_reexport = true
[mypy-tasks]
disallow_untyped_decorators = false
"""  # what these libraries' own types lack, or do not say


def test_the_programs_of_every_page_are_typed(tmp_path):
    """Those with a title are modules that the others of the page may import; a title that another page has too gets the page's name."""
    (tmp_path / "mypy.ini").write_text(UNTYPED)
    programs: set[str] = set()
    for page in PAGES:
        for number, block in enumerate(blocks(page), 1):
            if block.language == "python" and not block.shown:
                of_page = page.stem.replace("-", "_")
                name = block.title or f"{of_page}_{number}.py"
                name = f"{of_page}_{name}" if name in programs else name
                programs.add(name)
                (tmp_path / name).write_text(block.text)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "."], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.stdout) == ("", f"Success: no issues found in {len(programs)} source files\n")
