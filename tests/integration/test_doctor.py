"""`tracebridge doctor` at real servers: well where it should be, and each mix-up of their ports told by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.backends.zipkin import start_zipkin
from support.commands import CliRunner
from tracebridge.cli import main

pytestmark = pytest.mark.server


def doctor(tmp_path: Path, adapters: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Run the command; its exit code, and the findings by destination."""
    (tmp_path / "bridge.yaml").write_text(
        json.dumps({"resource": {"attributes": {"service.name": "doctor"}}, "adapters": adapters})
    )
    result = CliRunner().invoke(main, ["doctor", "--config", str(tmp_path / "bridge.yaml"), "--json"])
    return result.exit_code, {found["name"]: found for found in json.loads(result.stdout)["destinations"]}


def test_real_servers_take_the_span_and_give_it_back(zipkin, jaeger, jaeger_2, mlflow, tmp_path):
    """Zipkin, Jaeger 1, Jaeger 2 and MLflow: every step to the end, no warning, a link into each UI."""
    headers = {"x-mlflow-experiment-id": mlflow.experiment_id}
    code, found = doctor(
        tmp_path,
        {
            "zipkin": {"endpoint": zipkin.spans_url, "query_endpoint": zipkin.url},
            "zipkin/jaeger": {"endpoint": jaeger.zipkin_url},
            "otlp_http/jaeger": {"endpoint": jaeger.otlp_http, "query_endpoint": jaeger.query_url},
            "otlp_grpc/jaeger": {"endpoint": jaeger.otlp_grpc, "query_endpoint": jaeger.query_url},
            "otlp_http/jaeger-2": {"endpoint": jaeger_2.otlp_http, "query_endpoint": jaeger_2.query_url},
            "otlp_http/mlflow": {
                "endpoint": mlflow.url,
                "query_endpoint": mlflow.url,
                "dialect": "mlflow",
                "headers": headers,
            },
        },
    )
    steps = {name: [step["step"] for step in each["steps"]] for name, each in found.items()}
    whole = ["resolve", "connect", "send", "read back"]
    assert steps == {**dict.fromkeys(found, whole), "zipkin/jaeger": whole[:3]}
    assert (code, [each["warnings"] + [each["problem"]] for each in found.values()]) == (0, [[None]] * 6)
    assert [name for name, each in found.items() if not each["link"]] == ["zipkin/jaeger"]


def test_each_mix_up_is_told_by_its_name(zipkin, jaeger, jaeger_2, collector, mlflow, tmp_path):
    """gRPC and HTTP ports, UI ports, schemes, paths and systems confused: the cause is the one a person can act on."""
    https = jaeger_2.otlp_http.replace("http:", "https:")
    wrong = {
        "zipkin/wrong-path": {"endpoint": f"{zipkin.url}/api/v2/span"},
        "zipkin/redirect": {"endpoint": f"{zipkin.url}/"},
        "zipkin/query-endpoint": {"endpoint": zipkin.spans_url, "query_endpoint": jaeger.query_url},
        "otlp_http/zipkin-port": {"endpoint": zipkin.url},
        "otlp_http/zipkin-port2": {"endpoint": collector.zipkin_url.removesuffix("/api/v2/spans")},
        "otlp_http/foreign-answer": {"endpoint": collector.health_url},
        "zipkin/foreign-answer": {"endpoint": f"{collector.health_url}/api/v2/spans"},
        "jaeger_thrift/foreign-answer": {"endpoint": collector.health_url},
        "otlp_http/wrong-path": {"endpoint": f"{jaeger.otlp_http}/somewhere"},
        "otlp_http/grpc-port": {"endpoint": jaeger.otlp_grpc},
        "otlp_http/grpc-port2": {"endpoint": jaeger_2.otlp_grpc},
        "otlp_http/web-page": {"endpoint": jaeger.query_url},
        "otlp_http/tls-not-spoken": {"endpoint": https},
        "otlp_grpc/tls-not-spoken": {"endpoint": jaeger_2.otlp_grpc.replace("http:", "https:")},
        "otlp_grpc/http-port": {"endpoint": jaeger.otlp_http},
        "otlp_grpc/http-port2": {"endpoint": mlflow.url},
        "otlp_grpc/http-port3": {"endpoint": zipkin.url},
        "otlp_http/not-read-back": {"endpoint": jaeger.otlp_http, "query_endpoint": jaeger_2.query_url},
        "mlflow/unknown-experiment": {"endpoint": mlflow.url, "experiment_id": "777"},
        "otlp_http/unknown-experiment": {
            "endpoint": mlflow.url,
            "dialect": "mlflow",
            "headers": {"x-mlflow-experiment-id": "777"},
        },
        "otlp_http/refused-span": {"endpoint": mlflow.url},  # without its dialect no experiment is named
    }
    code, found = doctor(tmp_path, wrong)
    causes = {name: each["problem"] and each["problem"]["cause"] for name, each in found.items()}
    assert (code, causes) == (1, {name: name.partition("/")[2].rstrip("23") for name in wrong})


def test_a_zipkin_that_cannot_store_is_told_though_it_takes_the_span(tmp_path):
    """It answers 202; what it says of itself is asked too."""
    zipkin = start_zipkin(STORAGE_TYPE="elasticsearch", ES_HOSTS="http://127.0.0.1:9")
    try:
        code, found = doctor(tmp_path, {"zipkin": {"endpoint": zipkin.spans_url}})
    finally:
        zipkin.process.stop()
    problem = found["zipkin"]["problem"]
    assert (code, problem["cause"]) == (1, "unhealthy")
    assert "ElasticsearchStorage" in problem["message"]
