"""Once an application has imported mlflow, our errors are its errors too."""

from __future__ import annotations

import subprocess
import sysconfig

import pytest

PROGRAM = """
import sys
sys.path.append(sys.argv[1])  # behind MLflow's own environment
import tracebridge
client = tracebridge.Client(config={"adapters": {"memory": {}}})
def code(call):
    try:
        call()
    except Exception as error:
        return type(error).__mro__, error.error_code, error.message
before = code(lambda: client.end_trace("nope"))
from mlflow.exceptions import MlflowException
root = client.start_trace("r", trace_id="x")
for call in (
    lambda: client.end_trace("nope"),
    lambda: client.start_span("c", "x", ""),
    lambda: client.start_span("c", "x", "00f067aa0ba902b7"),
):
    kinds, error_code, message = code(call)
    assert MlflowException in kinds and tracebridge.TracebridgeError in kinds, kinds
    print(error_code, "|", message)
root.end()
kinds, error_code, message = code(lambda: client.end_trace("x"))
assert MlflowException in kinds
print(error_code, "|", message)
assert MlflowException not in before[0]
client.close()
"""


@pytest.mark.server
def test_misuse_raises_mlflows_own_exception_class_code_and_words(mlflow):
    """An `except MlflowException` written for MlflowClient keeps working."""
    paths = sysconfig.get_paths()["purelib"]
    python = str(mlflow.script.parent / "python")
    bootstrap = "import site, sys; site.addsitedir(sys.argv[1])\n"
    done = subprocess.run([python, "-c", bootstrap + PROGRAM, paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "RESOURCE_DOES_NOT_EXIST | Trace with ID nope not found."
    assert lines[1].startswith("INVALID_PARAMETER_VALUE | start_span() must be called with an explicit parent_id.")
    assert lines[2] == "RESOURCE_DOES_NOT_EXIST | Parent span with ID '00f067aa0ba902b7' not found."
    assert lines[3] == "INVALID_PARAMETER_VALUE | Trace with ID x already finished."
