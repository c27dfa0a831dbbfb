"""A real MLflow server."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from support.backends.fetching import mlflow_script
from support.backends.process import ServerProcess, answers, free_ports
from support.backends.process import http as client


@dataclass
class MLflow:
    """A running MLflow server with one experiment."""

    url: str
    experiment_id: str
    script: Path
    process: ServerProcess


def start_mlflow() -> MLflow:
    """Start an MLflow server over SQLite and make an experiment in it."""
    script = mlflow_script()
    (port,) = free_ports(1)
    folder = Path(tempfile.mkdtemp(prefix="tracebridge-mlflow-"))
    database = f"sqlite:///{folder}/mlflow.db"
    command = [
        str(script),
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--backend-store-uri",
        database,
        "--workers",
        "1",
    ]
    process = ServerProcess(
        "mlflow",
        command,
        folder=folder,
        env={"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
    )
    url = f"http://127.0.0.1:{port}"
    process.wait_until(answers(f"{url}/health"))
    try:
        made = client.request("POST", f"{url}/api/2.0/mlflow/experiments/create", json={"name": "tracebridge"})
        return MLflow(url, made.json()["experiment_id"], script, process)
    except BaseException:
        process.stop()
        raise
