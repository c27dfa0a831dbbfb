"""A tracking URI of MLflow's as the destination: which of the things that may name destinations is taken, and what MLflow's variables mean."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from tracebridge import Client, ConfigError
from tracebridge.plugins.options import Secret, TlsOptions
from tracebridge.settings.load import load
from tracebridge.settings.mlflow import CREDENTIALS_FILE, options_from

SERVER, OTHER = "http://127.0.0.1:1/mlflow", "http://127.0.0.1:2"
URI = "MLFLOW_TRACKING_URI"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own to work in and to be at home in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def mlflow_options(environ: dict[str, str], **adapter: Any) -> Any:
    """The options of an `mlflow` adapter that a configuration names, or a variable."""
    given = {"adapters": {"mlflow": adapter}} if adapter or URI not in environ else None
    (chosen,) = load(given, environ=environ).settings.adapters.values()
    return chosen.options


@pytest.mark.parametrize(
    ("given", "environ", "told"),
    [
        ("config", {"TRACEBRIDGE_CONFIG": "env.yaml", URI: OTHER}, "given.yaml (config=)"),
        ("both", {"TRACEBRIDGE_CONFIG": "env.yaml", URI: OTHER}, "given.yaml (config=)"),
        ("yaml as URI", {"TRACEBRIDGE_CONFIG": "env.yaml", URI: OTHER}, "given.yaml (config=)"),
        ("URI", {"TRACEBRIDGE_CONFIG": "env.yaml", URI: OTHER}, "env.yaml (TRACEBRIDGE_CONFIG)"),
        ("URI", {URI: OTHER}, f"{SERVER} (tracking_uri)"),
        ("", {"TRACEBRIDGE_CONFIG": "env.yaml", URI: OTHER}, "env.yaml (TRACEBRIDGE_CONFIG)"),
        ("", {URI: f" {OTHER} "}, f"{OTHER} (MLFLOW_TRACKING_URI)"),
        ("", {URI: "https://me:s3cret@h/path"}, "https://h/path (MLFLOW_TRACKING_URI)"),
        ("", {URI: ""}, "the embedded store, ./tracebridge.db (nothing is configured)"),
    ],
)
def test_one_line_says_what_was_taken(home, monkeypatch, caplog, given, environ, told):
    """`config=`, then TRACEBRIDGE_CONFIG, then `tracking_uri=`, then MLFLOW_TRACKING_URI, then the store; without secrets."""
    for name in ("given.yaml", "env.yaml"):
        (home / name).write_text("adapters: {memory: {}}")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    arguments: dict[str, Any] = {
        "config": {"config": "given.yaml"},
        "both": {"config": "given.yaml", "tracking_uri": SERVER},
        "yaml as URI": {"tracking_uri": "given.yaml"},
        "URI": {"tracking_uri": SERVER},
        "": {},
    }[given]
    with caplog.at_level(logging.INFO, "tracebridge"), Client(**arguments):
        pass
    assert [f"destinations: {told}"] == [record.getMessage() for record in caplog.records]


def test_building_a_client_uses_no_network(monkeypatch):
    """Not even to look an experiment up: nothing answers at this address, and nothing is asked."""
    monkeypatch.setenv(URI, "http://192.0.2.1:5000")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "checkout")
    asked: list[Any] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *given, **_: asked.append(given) or [])
    client = Client()
    client.close()
    assert (asked, list(client.stats().adapters)) == ([], ["mlflow"])


@pytest.mark.parametrize(
    ("uri", "words", "unsaid"),
    [
        ("databricks", ("Databricks", "otlp_http:", "${DATABRICKS_TOKEN}"), "mlflow server"),
        ("databricks://my-profile", ("'databricks://…'", "otlp_http:"), "my-profile"),
        ("postgresql://u:s3cret@db/x", ("'postgresql://…'", "mlflow: {endpoint: http://localhost:5000}"), "s3cret"),
        ("sqlite:///mlflow.db", ("a database or a folder", "TRACEBRIDGE_CONFIG"), "Databricks"),
        ("./mlruns", ("'./mlruns'", "mlflow server"), "Databricks"),
        ("ftp://me:s3cret@[host", ("'ftp://…'",), "s3cret"),
    ],
)
@pytest.mark.parametrize("by", ["tracking_uri", "MLFLOW_TRACKING_URI"])
def test_a_uri_that_cannot_be_served_is_a_warning_with_the_yaml_to_write(monkeypatch, caplog, uri, words, unsaid, by):
    """Traces go to the store meanwhile, whatever else is exported; no user and no password is shown."""
    monkeypatch.setenv(URI, uri if by == URI else OTHER)
    with caplog.at_level(logging.WARNING, "tracebridge"), Client(uri if by == "tracking_uri" else None) as client:
        assert list(client.stats().adapters) == ["store"]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith(by)
    assert [word for word in words if word not in warning] == []
    assert unsaid not in warning


SECRETIVE = {"adapters": {"otlp_http": {"headers": {"authorization": "Bearer s3cret-of-mine"}}}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tracking_uri": SECRETIVE}, ("tracking_uri", "type dict", "Client(config=…)")),
        ({"tracking_uri": SECRETIVE, "config": "given.yaml"}, ("tracking_uri", "type dict", "Client(config=…)")),
        ({"tracking_uri": load(SECRETIVE).settings}, ("tracking_uri", "type Settings", "Client(config=…)")),
        ({"tracking_uri": [SERVER + "/s3cret-of-mine"]}, ("tracking_uri", "type list")),
        ({"tracking_uri": b"http://s3cret-of-mine@host"}, ("tracking_uri", "type bytes")),
        ({"tracking_uri": 5}, ("tracking_uri", "type int")),
        ({"config": [SECRETIVE]}, ("config=", "type list")),
        ({"config": b"s3cret-of-mine.yaml"}, ("config=", "type bytes")),
        ({"config": True}, ("config=", "type bool")),
        ({"config": "https://me:s3cret-of-mine@host"}, ("path of a YAML file", "Client(tracking_uri=…)")),
        ({"config": "adapters:\n  x: s3cret-of-mine"}, ("path of a YAML file", "as a mapping")),
        ({"config": "adapters: {x: s3cret-of-mine}"}, ("path of a YAML file", "as a mapping")),
    ],
)
def test_what_is_neither_a_tracking_uri_nor_a_configuration_is_an_error_that_shows_no_value(caplog, given, words):
    """A mapping as the first argument is the usual slip: MLflow's first argument is its tracking URI."""
    with pytest.raises(ConfigError) as error:
        Client(**given)
    assert [word for word in words if word not in str(error.value)] == []
    assert "s3cret" not in str(error.value) + caplog.text
    assert error.value.__cause__ is None


def test_a_tracking_uri_has_no_parameters():
    """MLflow appends its paths to it as text, so what follows a question mark could be neither sent to nor read from."""
    with pytest.raises(ConfigError, match=r"adapters\.mlflow.*endpoint must be a base address, without a \?"):
        load(tracking_uri="http://host/?key=s3cret-of-mine", environ={})


def test_the_yaml_that_a_warning_shows_is_a_configuration(caplog):
    """It can be taken as it stands, but for the address."""
    for uri in ("databricks", "sqlite:///x.db"):
        caplog.clear()
        with Client(uri):
            pass
        shown = next(r.getMessage() for r in caplog.records if r.levelno == logging.WARNING).partition("adapters:")
        Path("shown.yaml").write_text((shown[1] + shown[2]).replace("https://…", "https://host"))
        environ = {**os.environ, "DATABRICKS_TOKEN": "t"}
        assert len(load("shown.yaml", environ=environ).settings.adapters) == 1


def test_mlflows_arguments_are_taken_in_its_order(caplog):
    """`workspace_store_uri` is the third; it and `registry_uri` are noted."""
    with caplog.at_level(logging.INFO, "tracebridge"), Client(SERVER, "http://registry", "http://workspaces"):
        pass
    assert "registry_uri and workspace_store_uri" in caplog.records[0].getMessage()


def test_variables_fill_what_the_options_leave_out():
    """Each with the meaning that it has for MLflow."""
    environ = {
        URI: SERVER,
        "MLFLOW_EXPERIMENT_NAME": "checkout",
        "MLFLOW_EXPERIMENT_ID": "7",
        "MLFLOW_WORKSPACE": "team-a",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "45",
        "MLFLOW_TRACKING_INSECURE_TLS": "TRUE",
        "MLFLOW_TRACKING_USERNAME": "ann",
        "MLFLOW_TRACKING_PASSWORD": "s3cret",
        "MLFLOW_TRACKING_TOKEN": "t0k3n",
    }
    options = mlflow_options(environ)
    expected = (
        SERVER,
        "checkout",
        "7",
        "team-a",
        45.0,
        TlsOptions(insecure_skip_verify=True),
        "ann",
        Secret("s3cret"),
        Secret("t0k3n"),
    )
    assert expected == (
        options.endpoint, options.experiment_name, options.experiment_id, options.workspace, options.timeout, options.tls, options.username,
        options.password, options.token,
    )  # fmt: skip
    assert "s3cret" not in repr(options)


@pytest.mark.parametrize(
    ("adapter", "key", "expected"),
    [
        ({"endpoint": OTHER}, "endpoint", OTHER),
        ({"experiment_id": "3"}, "experiment_name", None),
        ({"experiment_name": "mine"}, "experiment_id", None),
        ({"token": "mine"}, "username", None),
        ({"headers": {"authorization": "Basic x"}}, "token", None),
        ({"tls": {"insecure_skip_verify": False}}, "tls", TlsOptions()),
    ],
)
def test_what_a_configuration_says_of_one_thing_is_all_there_is_to_it(adapter, key, expected):
    """Credentials, the experiment and TLS are one thing each; no variable of somebody else's is mixed in."""
    environ = {
        URI: SERVER, "MLFLOW_EXPERIMENT_NAME": "checkout", "MLFLOW_EXPERIMENT_ID": "7", "MLFLOW_TRACKING_USERNAME": "ann",
        "MLFLOW_TRACKING_PASSWORD": "s3cret", "MLFLOW_TRACKING_TOKEN": "t0k3n", "MLFLOW_TRACKING_INSECURE_TLS": "1",
    }  # fmt: skip
    assert getattr(mlflow_options(environ, **adapter), key) == expected


def test_both_ways_of_trusting_contradict_each_other(home):
    """MLflow refuses this too."""
    (home / "ca.pem").write_text("")
    environ = {
        URI: SERVER,
        "MLFLOW_TRACKING_INSECURE_TLS": "true",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": str(home / "ca.pem"),
    }
    with pytest.raises(ConfigError, match="contradict"):
        load(environ=environ)
    assert mlflow_options({**environ, "MLFLOW_TRACKING_INSECURE_TLS": "false"}).tls.ca_file == str(home / "ca.pem")


def test_what_no_variable_says_comes_from_mlflows_own_file(home):
    """`~/.mlflow/credentials`; a variable comes before it, and a file that cannot be read is none."""
    file = home / CREDENTIALS_FILE.removeprefix("~/")
    file.parent.mkdir()
    file.write_text("[mlflow]\nmlflow_tracking_username = ann\nmlflow_tracking_password = a%b\n")
    found = options_from({"MLFLOW_TRACKING_USERNAME": "bob"})
    assert {key: value for key, (_, value) in found.items()} == {"username": "bob", "password": "a%b"}
    file.write_bytes(b"\xff no section")
    assert options_from({}) == {}


@pytest.mark.parametrize(
    ("variable", "value"), [("MLFLOW_TRACKING_AWS_SIGV4", "true"), ("MLFLOW_TRACKING_AUTH", "kubernetes")]
)
def test_a_way_of_authentication_that_is_not_here_is_told(caplog, variable, value):
    """Else every request would be refused, and nothing would say why."""
    options_from({variable: value})
    assert variable in caplog.text


def test_a_variable_that_cannot_be_used_is_told_and_left_out(caplog):
    """As OpenTelemetry has it for its own; the value is not shown."""
    options = mlflow_options(
        {URI: SERVER, "MLFLOW_HTTP_REQUEST_TIMEOUT": "soon", "MLFLOW_TRACKING_INSECURE_TLS": "yes please"}
    )
    assert (options.timeout, options.tls.insecure_skip_verify) == (30.0, False)
    assert {"MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_TRACKING_INSECURE_TLS"} <= set(caplog.text.split())
