"""AWS Lambda's runtime API on loopback, which freezes the process that asks it, as Lambda does between invocations."""

from __future__ import annotations

import http.server
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from support.http_server import LocalServer

FROZEN_S = 0.02
DEADLINE_S = 30
FUNCTION = {
    "AWS_LAMBDA_FUNCTION_NAME": "shop",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
}
"""What the runtime client wants to know of the function."""


class LambdaApi:
    """Invokes a handler with one event after the other (`2018-06-01/runtime/invocation`), through AWS's own runtime client."""

    def __init__(self, handler: str, folder: Path) -> None:
        self._asked = threading.Event()
        self._events: queue.Queue[Any] = queue.Queue()
        self.answers: queue.Queue[bytes] = queue.Queue()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._asked.set()
                number, event = outer._events.get()
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", str(number))
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + DEADLINE_S) * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:1:function:shop")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                outer.answers.put(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = LocalServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler],
            cwd=folder,
            env={**os.environ, **FUNCTION, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}"},
        )

    def invoke(self, number: int, event: Any) -> bytes:
        """Thaw the process, let it answer one event, and freeze it as it asks for the next; return its answer."""
        assert self._asked.wait(60)
        self._asked.clear()
        self._process.send_signal(signal.SIGCONT)
        self._events.put((number, event))
        answer = self.answers.get(timeout=60)
        assert self._asked.wait(60)
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(FROZEN_S)
        return answer

    def stop(self) -> None:
        """End the process as Lambda does: without a word."""
        self._process.kill()
        self._process.wait()
        self._server.shutdown()
        self._server.server_close()
