"""Coverage-guided fuzzing of everything that reads headers."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path

from support.headers import NAMES, SEEDS

ROOT = Path(__file__).parents[2]
RUNS = 300_000


def test_three_hundred_thousand_guided_cases_find_nothing(atheris, tmp_path):
    """Starting from real headers of every format; never an exception, never half an ID."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, headers in enumerate(SEEDS):
        lines = [bytes([NAMES.index(name)]) + value.encode() for name, value in headers.items()]
        (corpus / str(number)).write_bytes(b"\n".join(lines))
    command = [
        atheris,
        ROOT / "tests/property/fuzz_extract.py",
        corpus,
        f"-runs={RUNS}",
        "-seed=20261125",
        "-max_len=600",
    ]
    metadata = Path(str(importlib.metadata.distribution("tracebridge").locate_file("")))
    (installed,) = metadata.glob("tracebridge-*.dist-info")
    shutil.copytree(installed, tmp_path / "metadata" / installed.name)  # header formats are found by their entry points
    env = {**os.environ, "PYTHONPATH": f"{ROOT}/bridge:{ROOT}/tests:{tmp_path}/metadata"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(rf"Done {RUNS} runs", done.stderr), done.stderr[-3000:]
