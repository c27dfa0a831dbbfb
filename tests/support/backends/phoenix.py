"""A real Phoenix."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from support.backends.fetching import phoenix_script
from support.backends.process import ServerProcess, answers, free_ports


@dataclass
class Phoenix:
    """A running Phoenix."""

    url: str
    process: ServerProcess


def start_phoenix() -> Phoenix:
    """Start Phoenix in a folder of its own."""
    script = phoenix_script()
    port, grpc = free_ports(2)
    folder = Path(tempfile.mkdtemp(prefix="tracebridge-phoenix-"))
    env = {
        "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_WORKING_DIR": str(folder), "PHOENIX_TELEMETRY_ENABLED": "false",
    }  # fmt: skip
    process = ServerProcess("phoenix", [str(script), "serve"], folder=folder, env=env)
    url = f"http://127.0.0.1:{port}"
    process.wait_until(answers(f"{url}/healthz"))
    return Phoenix(url, process)
