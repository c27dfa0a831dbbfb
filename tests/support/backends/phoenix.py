"""A real Phoenix."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from support.backends.fetching import phoenix_script
from support.backends.process import ServerProcess, answers, free_ports

ON_LOOPBACK = """
import sys
import grpc.aio
from phoenix.server.main import main

server = grpc.aio._server.Server
add_port = server.add_insecure_port
server.add_insecure_port = lambda self, address: add_port(self, address.replace("[::]", "127.0.0.1"))
sys.argv = ["phoenix", "serve"]
sys.exit(main())
"""
"""Phoenix with its gRPC port on loopback: it has an option for the host of its web page, and none for that of this port."""


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
    process = ServerProcess("phoenix", [str(script.with_name("python")), "-c", ON_LOOPBACK], folder=folder, env=env)
    url = f"http://127.0.0.1:{port}"
    process.wait_until(answers(f"{url}/healthz"))
    return Phoenix(url, process)
