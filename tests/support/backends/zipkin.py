"""A real Zipkin."""

from __future__ import annotations

from dataclasses import dataclass

from support.backends.fetching import zipkin_jar
from support.backends.process import ServerProcess, answers, free_ports


@dataclass
class Zipkin:
    """A running Zipkin."""

    url: str
    process: ServerProcess

    @property
    def spans_url(self) -> str:
        """Where v2 spans are posted."""
        return f"{self.url}/api/v2/spans"


def start_zipkin(**environment: str) -> Zipkin:
    """Start Zipkin with storage in memory; `environment` is more of its settings."""
    jar = zipkin_jar()
    (port,) = free_ports(1)
    # Its QUERY_PORT would listen on every interface.
    listens = {"address": "127.0.0.1", "port": str(port), "protocols[0]": "http"}
    command = ["java", "-Xmx256m", "-jar", str(jar), *(f"--armeria.ports[0].{key}={listens[key]}" for key in listens)]
    process = ServerProcess(
        "zipkin", command, env={"STORAGE_TYPE": "mem", "SELF_TRACING_ENABLED": "false", **environment}
    )
    url = f"http://127.0.0.1:{port}"
    process.wait_until(answers(f"{url}/info"))  # /health is 503 while a storage is down
    return Zipkin(url, process)
