"""Pages that lead into Zipkin and Jaeger, from their first command to their last, with real ones."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.pages import PAGES, blocks, commands, matches

INSTALLS = ("python3 -m venv", ". .venv", "pip install", "docker run")  # what the machine of the tests has already
EXPORT = "export "


@pytest.mark.server
@pytest.mark.parametrize("page", ["tutorial", "zipkin-and-jaeger"])
def test_the_page_leads_to_both_systems(page, zipkin, jaeger_2, tmp_path):
    """Each block does and prints what the page shows, at the addresses of the real servers."""
    addresses = {
        "http://localhost:9411": zipkin.url,
        "http://localhost:4318": jaeger_2.otlp_http,
        "http://localhost:16686": jaeger_2.query_url,
    }
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    env.pop("TRACEBRIDGE_CONFIG", None)
    try:
        for block in blocks(PAGES / f"{page}.md"):
            text = re.sub("|".join(addresses), lambda found: addresses[found[0]], block.text)
            if block.title:
                (tmp_path / block.title).write_text(text)
            for command, wanted in commands(text) if block.language == "console" else []:
                if command.startswith(INSTALLS):
                    continue
                if command.startswith(EXPORT):
                    name, _, value = command.removeprefix(EXPORT).partition("=")
                    env[name] = value
                    continue
                if command == "docker pause jaeger":
                    os.killpg(jaeger_2.process.group, signal.SIGSTOP)
                    continue
                if command == "docker unpause jaeger":
                    os.killpg(jaeger_2.process.group, signal.SIGCONT)
                    continue
                done = subprocess.run(
                    ["bash", "-c", f"{command} 2>&1"],
                    cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=120,
                )  # fmt: skip
                assert matches(_narrow(wanted), _narrow(done.stdout)), f"$ {command}\n{done.stdout}"
                assert done.returncode == 0, f"$ {command}\n{done.stdout}"
    finally:
        os.killpg(jaeger_2.process.group, signal.SIGCONT)


def _narrow(text: str) -> str:
    """Two blanks for each longer gap within a line: a column is as wide as the number of the process in it."""
    return re.sub(r"(?<=\S) {3,}(?=\S)", "  ", text)
