"""Coverage-guided fuzzing of everything that reads IDs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNS = 300_000


def test_three_hundred_thousand_guided_cases_find_nothing(atheris, tmp_path):
    """Starting from the published vectors; only refusals, whole IDs, and canonical texts that are read as they were written."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    vectors = json.loads((files("tracebridge_config") / "id_vectors.json").read_text("utf-8"))
    for number, vector in enumerate([*vectors["trace_ids"], *vectors["span_ids"], *vectors["refused"]]):
        (corpus / str(number)).write_bytes(vector["text"].encode())
    command = [atheris, ROOT / "tests/property/fuzz_ids.py", corpus, f"-runs={RUNS}", "-seed=20261125", "-max_len=120"]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}/bridge"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(rf"Done {RUNS} runs", done.stderr), done.stderr[-3000:]
