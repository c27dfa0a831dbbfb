"""The pipelines of docs/ci-pipelines.md: what each system would run is run, each command in a shell of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.pages import blocks

PAGE = Path(__file__).parents[2] / "docs" / "ci-pipelines.md"
BLOCKS = {block.title: block.text for block in blocks(PAGE)}
RUN_ID = {"github.run_id": "77", "github.run_attempt": "1"}


def _github() -> tuple[dict[str, str], list[str]]:
    job = yaml.safe_load(BLOCKS["workflow.yml"])["jobs"]["build"]
    env = {key: re.sub(r"\$\{\{ (.*?) \}\}", lambda m: RUN_ID[m[1]], value) for key, value in job["env"].items()}
    return {**env, "GITHUB_WORKFLOW": "ci", "GITHUB_REF_NAME": "main"}, [step["run"] for step in job["steps"]]


def _gitlab() -> tuple[dict[str, str], list[str]]:
    job = yaml.safe_load(BLOCKS["gitlab-ci.yml"])["build"]
    env = {key: value.replace("$CI_PIPELINE_ID", "77") for key, value in job["variables"].items()}
    return {**env, "CI_JOB_NAME": "ci", "CI_COMMIT_REF_NAME": "main"}, job["script"] + job["after_script"]


def _jenkins() -> tuple[dict[str, str], list[str]]:
    text = BLOCKS["Jenkinsfile"]
    env = dict(re.findall(r"(TRACEBRIDGE_\w+) = ['\"](.*?)['\"]\n", text))
    env = {key: value.replace("${env.BUILD_TAG}", "jenkins-shop-77") for key, value in env.items()}
    return {**env, "JOB_NAME": "ci", "BRANCH_NAME": "main"}, re.findall(r"sh '''(.*?)'''", text)


@pytest.mark.parametrize(
    ("pipeline", "trace_id"), [(_github, "gh-77-1"), (_gitlab, "gl-77"), (_jenkins, "jenkins-shop-77")]
)
def test_a_pipeline_is_one_trace_under_its_own_id(pipeline, trace_id, tmp_path):
    """Four spans, nested as the steps are, delivered by the last line."""
    (tmp_path / "bridge.yaml").write_text(BLOCKS["bridge.yaml"])
    env, commands = pipeline()
    whole = {**os.environ, **env, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in commands:
        subprocess.run(["bash", "-c", command], cwd=tmp_path, env=whole, check=True, timeout=300)
    lines = (tmp_path / "spans.jsonl").read_text().splitlines()
    scopes = [
        scope for line in lines for resource in json.loads(line)["resourceSpans"] for scope in resource["scopeSpans"]
    ]
    spans = [span for scope in scopes for span in scope["spans"]]
    names = {span["spanId"]: span["name"] for span in spans}
    ids = {
        each["value"]["stringValue"]
        for span in spans
        for each in span["attributes"]
        if each["key"] == "tracebridge.trace_id"
    }
    assert sorted((span["name"], names.get(span.get("parentSpanId", ""), "")) for span in spans) == [
        ("build", "ci"), ("ci", ""), ("compile", "build"), ("test", "ci"),
    ]  # fmt: skip
    assert (ids, len({span["traceId"] for span in spans})) == ({trace_id}, 1)
