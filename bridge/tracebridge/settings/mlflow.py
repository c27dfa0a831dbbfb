"""MLflow's variables and tracking URIs (read in MLflow 3.18): what they say of a destination, and what is said of one that cannot be served."""

from __future__ import annotations

import configparser
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CREDENTIALS_FILE = "~/.mlflow/credentials"  # where MLflow looks for what the variables do not say
CREDENTIALS = {
    "username": "MLFLOW_TRACKING_USERNAME",
    "password": "MLFLOW_TRACKING_PASSWORD",
    "token": "MLFLOW_TRACKING_TOKEN",
}
VARIABLES = {
    "endpoint": "MLFLOW_TRACKING_URI",
    "experiment_name": "MLFLOW_EXPERIMENT_NAME",
    "experiment_id": "MLFLOW_EXPERIMENT_ID",
    "workspace": "MLFLOW_WORKSPACE",
    "timeout": "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "tls.insecure_skip_verify": "MLFLOW_TRACKING_INSECURE_TLS",
    "tls.ca_file": "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "tls.cert_file": "MLFLOW_TRACKING_CLIENT_CERT_PATH",
}
"""Options of the `mlflow` adapter, and the variables that fill them."""
UNSERVED = {"MLFLOW_TRACKING_AUTH": "a plug-in of MLflow's", "MLFLOW_TRACKING_AWS_SIGV4": "a signature of AWS's"}
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def is_server(uri: str) -> bool:
    """Return whether a tracking URI is one that we can send to.

    >>> is_server("http://localhost:5000"), is_server("databricks"), is_server("sqlite:///mlflow.db")
    (True, False, False)
    """
    return uri.lower().startswith(("http://", "https://"))


def shown(uri: str) -> str:
    """Return a tracking URI as it may be shown: without user info and query; of one that does not name a server, only its scheme.

    >>> shown("https://me:secret@host:1/path?key=1"), shown("postgresql://me:secret@host/db"), shown("databricks")
    ('https://host:1/path', 'postgresql://…', 'databricks')
    """
    if is_server(uri):
        parts = urlsplit(uri)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    scheme, colon, rest = uri.partition(":")  # it may be no URI at all
    return f"{scheme}://…" if colon and rest else uri


def unserved(uri: str, given_by: str) -> str:
    """Return what a person is told of a tracking URI that does not name a server: what it is, where traces go instead, and the YAML to write."""
    if uri.lower().startswith("databricks"):
        what, do = "Databricks", "name an OTLP endpoint"
        yaml = '  otlp_http:\n    endpoint: https://…\n    headers: {authorization: "Bearer ${DATABRICKS_TOKEN}"}'
    else:
        what, do = "a database or a folder", "run `mlflow server` over it, and name that"
        yaml = "  mlflow: {endpoint: http://localhost:5000}"
    return (
        f"{given_by} {shown(uri)!r} names {what}, which tracebridge does not write; traces go to the embedded store instead. To send them on, {do} in a "
        f"YAML file, and the file in TRACEBRIDGE_CONFIG or as config=:\nadapters:\n{yaml}"
    )


def options_from(environ: Mapping[str, str], given: Set[str] = frozenset()) -> dict[str, tuple[str, Any]]:
    """Return options of the `mlflow` adapter by dotted key, each with the variable that gives it.

    Credentials, the experiment and TLS are taken as a whole: where the configuration gives a part, none is added.
    """
    found: dict[str, tuple[str, Any]] = {}
    settled = {key.partition("_")[0] for key in given if key.startswith("experiment_")} | given
    for key, variable in VARIABLES.items():
        text = environ.get(variable, "").strip()
        if text and key.partition("_")[0] not in settled and key.partition(".")[0] not in settled:
            found[key] = (variable, _read(key, text))
    if not given & {*CREDENTIALS, "headers"}:
        found |= _credentials(environ)
    for variable, what in UNSERVED.items():
        if environ.get(variable, "").strip().lower() not in {"", "false", "0"}:
            _warn("%s asks for %s, which tracebridge does not have; requests are sent without it", variable, what)
    return found


def _read(key: str, text: str) -> Any:
    if key == "timeout":
        return f"{text}s"
    return _TRUTHS.get(text.lower(), text) if key == "tls.insecure_skip_verify" else text


def _credentials(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    kept = {} if environ.get(CREDENTIALS["token"]) else _from_file()
    texts = {key: environ.get(variable, "").strip() or kept.get(key, "") for key, variable in CREDENTIALS.items()}
    return {key: (CREDENTIALS[key], text) for key, text in texts.items() if text}


def _from_file() -> dict[str, str]:
    """Return user and password from MLflow's own file; nothing when there is none, or it cannot be read."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(Path(CREDENTIALS_FILE).expanduser(), encoding="utf-8")
        section = parser["mlflow"]
        return {key: section.get(CREDENTIALS[key].lower(), "") for key in ("username", "password")}
    except (OSError, KeyError, ValueError, configparser.Error, RuntimeError):
        return {}


def _warn(message: str, *values: object) -> None:
    from tracebridge.masking.loggers import logger  # only what is wrong pays for it

    logger("tracebridge").warning(message, *values)
