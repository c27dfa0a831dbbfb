"""How each server is had: by its ordinary package client, once for a machine."""

from __future__ import annotations

import hashlib
import shutil
import sys
import venv
from pathlib import Path

from support.backends.cache import go_environment, locked, need, run

ZIPKIN_VERSION, PHOENIX_VERSION = "3.6.1", "20.26.1"
JAEGER_1_VERSION, JAEGER_2_VERSION, COLLECTOR_VERSION = "1.62.0", "2.13.0", "0.165.1"
MLFLOW_VERSION, MLFLOW_DEPENDENCIES_OF = "3.18.0", "3.17.2"
DDTRACE_VERSION, ATHERIS_VERSION = "4.16.0", "3.0.0"
KAFKA_VERSION, SCALA_VERSION = "4.4.0", "2.13"
GO_MODULES = Path(__file__).parent / "go"

KAFKA_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tracebridge</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_{scala}</artifactId><version>{version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


def zipkin_jar() -> Path:
    """Return Zipkin's executable jar, fetched from Maven Central when it is not cached."""
    with locked("zipkin") as folder:
        jar = folder / f"zipkin-server-{ZIPKIN_VERSION}-exec.jar"
        if not jar.exists():
            need("java", "mvn")
            fresh = folder / "fresh"
            fresh.mkdir(exist_ok=True)
            artifact = f"-Dartifact=io.zipkin:zipkin-server:{ZIPKIN_VERSION}:jar:exec"
            run("fetching Zipkin", ["mvn", "-q", "dependency:copy", artifact, f"-DoutputDirectory={fresh}"], folder)
            (fresh / jar.name).rename(jar)
        need("java")
        return jar


def kafka_jars() -> Path:
    """Return the folder of Kafka's jars, fetched from Maven Central when it is not cached."""
    with locked("kafka") as folder:
        jars = folder / KAFKA_VERSION
        if not jars.exists():
            need("java", "mvn")
            (folder / "pom.xml").write_text(KAFKA_POM.format(scala=SCALA_VERSION, version=KAFKA_VERSION))
            fresh = folder / "fresh"
            shutil.rmtree(fresh, ignore_errors=True)
            run(
                "fetching Kafka",
                ["mvn", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={fresh}"],
                folder,
            )
            fresh.rename(jars)
        need("java")
        return jars


def go_binary(name: str, version: str, binary: str, package: str, linker: str = "") -> Path:
    """Return a binary, built from the pinned modules in `go/NAME` when this version of it is not cached."""
    with locked(name) as folder:
        built = folder / version / binary
        if not built.exists():
            need("go")
            shutil.rmtree(folder / "source", ignore_errors=True)
            source = shutil.copytree(GO_MODULES / name, folder / "source")
            fresh = folder / "fresh"
            # `-p 2`: one compiler of Jaeger's packages takes 2 GB of memory.
            command = ["go", "build", "-p", "2", "-trimpath", "-buildvcs=false", f"-ldflags=-s -w {linker}"]
            with go_environment() as environment:
                run(f"building {name} (minutes)", [*command, "-o", str(fresh), package], source, environment)
            built.parent.mkdir(exist_ok=True)
            fresh.rename(built)
        return built


def jaeger_1_binary() -> Path:
    """Return Jaeger 1's all-in-one: the stack that teams still run."""
    return go_binary("jaeger-1", JAEGER_1_VERSION, "all-in-one", "github.com/jaegertracing/jaeger/cmd/all-in-one")


def jaeger_2_binary() -> Path:
    """Return Jaeger 2."""
    told = f"-X github.com/jaegertracing/jaeger/internal/version.latestVersion=v{JAEGER_2_VERSION}"
    return go_binary("jaeger-2", JAEGER_2_VERSION, "jaeger", "github.com/jaegertracing/jaeger/cmd/jaeger", told)


def collector_binary() -> Path:
    """Return an OpenTelemetry Collector of the components in `go/collector/main.go`; a cached one of other components is built anew."""
    components = hashlib.sha256((GO_MODULES / "collector" / "main.go").read_bytes()).hexdigest()[:8]
    return go_binary("collector", f"{COLLECTOR_VERSION}-{components}", "otelcol", ".")


def python_server(name: str, script: str, *installs: str) -> Path:
    """Return a script of a Python server, installed in a virtual environment of its own when it is not cached.

    Each of `installs` is what one call of pip is given.
    """
    with locked(f"{name}-{sys.version_info.major}.{sys.version_info.minor}") as folder:
        home = folder / "+".join(installs).replace("==", "-").replace(" ", "+")
        if not (home / "done").exists():
            shutil.rmtree(home, ignore_errors=True)
            venv.create(home, with_pip=True)
            for each in installs:
                run(f"installing {each}", [str(home / "bin" / "pip"), "install", "-q", *each.split()], folder)
            (home / "done").touch()
        return home / "bin" / script


def mlflow_script() -> Path:
    """Return MLflow's command. Its newest wheel asks for parts of the same version that were never published, and runs without."""
    return python_server("mlflow", "mlflow", f"mlflow=={MLFLOW_DEPENDENCIES_OF}", f"--no-deps mlflow=={MLFLOW_VERSION}")


def phoenix_script() -> Path:
    """Return Phoenix's command."""
    return python_server("phoenix", "phoenix", f"arize-phoenix=={PHOENIX_VERSION}")


def ddtrace_python() -> Path:
    """Return a Python that has Datadog's library: no server, but too heavy for everybody's environment."""
    return python_server("ddtrace", "python", f"ddtrace=={DDTRACE_VERSION}")


def atheris_python() -> Path:
    """Return a Python that has the coverage-guided fuzzer, and what `tracebridge.propagation` imports."""
    return python_server("atheris", "python", f"atheris=={ATHERIS_VERSION} msgspec")


FETCH = {
    "zipkin": zipkin_jar,
    "jaeger": jaeger_1_binary,
    "jaeger_2": jaeger_2_binary,
    "collector": collector_binary,
    "kafka": kafka_jars,
    "mlflow": mlflow_script,
    "phoenix": phoenix_script,
    "ddtrace": ddtrace_python,
    "atheris": atheris_python,
}
