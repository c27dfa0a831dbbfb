"""The shell's commands, run as a person runs them: steps of their own processes, under one ID, delivered at the end."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tracebridge.sharing.directory import FILE

COMMAND = str(Path(sys.executable).parent / "tracebridge")
CONFIG = """
resource: {{attributes: {{service.name: ci}}}}
adapters: {{otlp_file: {{path: {folder}/spans.jsonl}}}}
open_spans: {{engine: directory, url: {folder}/open}}
"""


class Shell:
    """A person's shell, with a folder of open spans."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        self.env = {**os.environ, "TRACEBRIDGE_OPEN_SPANS": str(folder / "open")}
        for name in ("TRACEPARENT", "TRACEBRIDGE_TRACE_ID"):
            self.env.pop(name, None)
        (folder / "bridge.yaml").write_text(CONFIG.format(folder=folder))

    def run(self, *words: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *words], cwd=self.folder, env={**self.env, **env}, input=stdin, capture_output=True, text=True, check=False, timeout=300
        )  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        started = subprocess.Popen([COMMAND, *words], cwd=self.folder, env=self.env, text=True, **pipes)  # type: ignore[call-overload]
        self.started.append(started)
        return started

    def delivered(self) -> list[dict]:
        """Deliver, and return the spans in the order of their ends, with their attributes as a mapping."""
        done = self.run("drain", "--config", "bridge.yaml")
        assert (done.returncode, (self.folder / "spans.jsonl").exists()) == (0, True), done.stderr
        spans = []
        for line in (self.folder / "spans.jsonl").read_text().splitlines():
            for resource in json.loads(line)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    spans += scope["spans"]
        for span in spans:
            span["attributes"] = {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}
        return spans


@pytest.fixture
def shell(tmp_path):
    """A shell with a folder of its own."""
    made = Shell(tmp_path)
    yield made
    for step in made.started:
        step.kill()
        step.communicate()


def test_steps_of_one_id_nest_below_its_root_and_are_delivered_by_drain(shell):
    """Each step is a process of its own; a step within a step finds TRACEPARENT."""
    root = shell.run("trace", "start", "--trace", "ci-1234", "--name", "pipeline")
    assert (
        shell.run(
            "exec", "--trace", "ci-1234", "--name", "outer", "--", COMMAND, "exec", "--name", "inner", "--", "true"
        ).returncode
        == 0
    )
    shell.run("span", "start", "--trace", "ci-1234", "--id", "build", "--name", "build", "-a", "password=hunter2")
    shell.run("span", "event", "--trace", "ci-1234", "--id", "build", "--name", "uploaded", "-a", "bytes:=3")
    shell.run("span", "set", "--trace", "ci-1234", "--id", "build", "--status", "error", "--message", "no room")
    assert shell.run("list", "--open", "--trace", "ci-1234").stdout.count("\n") == 2
    assert shell.run("trace", "end", "--trace", "ci-1234", "--all").returncode == 0
    spans = {span["name"]: span for span in shell.delivered()}
    ids = {name: span["spanId"] for name, span in spans.items()}
    assert {name: span.get("parentSpanId", "") for name, span in spans.items()} == {
        "pipeline": "", "outer": ids["pipeline"], "inner": ids["outer"], "build": ids["pipeline"],
    }  # fmt: skip
    assert root.stdout.strip() == f"00-{spans['pipeline']['traceId']}-{ids['pipeline']}-01"
    assert {span["attributes"]["tracebridge.trace_id"] for span in spans.values()} == {"ci-1234"}
    assert (spans["build"]["status"], spans["build"]["attributes"]["password"]) == (
        {"code": 2, "message": "no room"},
        "[redacted]",
    )
    assert [event["name"] for event in spans["build"]["events"]] == ["uploaded"]


def test_the_commands_input_outputs_and_exit_code_are_its_own(shell):
    """Nothing is added, nothing taken."""
    done = shell.run(
        "exec",
        "--",
        sys.executable,
        "-c",
        "import sys; print(sys.stdin.read()); print('e', file=sys.stderr); sys.exit(3)",
        stdin="in",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("in\n", "e\n", 3)
    (span,) = shell.delivered()
    assert (span["attributes"]["process.exit.code"], span["status"]) == ("3", {"code": 2, "message": "exit code 3"})


@pytest.mark.parametrize(
    ("words", "code"),
    [(["no-such-command"], 127), (["./bridge.yaml"], 126), (["sh", "-c", "exit 255"], 255), (["true"], 0)],
)
def test_exit_codes_are_those_of_a_shell(shell, words, code):
    """127 for a command that is not there, 126 for one that may not be executed, and the command's own."""
    assert shell.run("exec", "--", *words).returncode == code


def test_a_script_without_a_first_line_is_run_by_sh(shell):
    """As shells do."""
    (shell.folder / "step").write_text("echo from sh $1\n")
    (shell.folder / "step").chmod(0o700)
    assert shell.run("exec", "--", "./step", "x").stdout == "from sh x\n"


def test_a_signal_to_the_command_is_a_signal_to_whoever_waits(shell):
    """A wrapper that is told to stop passes it on, and ends as the command ends; the span says of what."""
    step = shell.start("exec", "--", "sh", "-c", "echo ready; exec sleep 600")
    assert step.stdout is not None and step.stdout.readline() == "ready\n"
    step.send_signal(signal.SIGTERM)
    assert step.wait(300) == -signal.SIGTERM
    (span,) = shell.delivered()
    assert (span["attributes"]["process.exit.signal"], span["attributes"]["process.exit.code"]) == ("SIGTERM", "143")


def test_a_command_that_handles_a_signal_has_it_once(shell):
    """From the terminal it goes to both, and is not passed on as well."""
    program = (
        "import signal, sys, time\nn = [0]\nsignal.signal(signal.SIGINT, lambda *_: n.__setitem__(0, n[0] + 1))\n"
        "print('ready', flush=True)\nend = time.time() + 60\n"
        "while not n[0] and time.time() < end: time.sleep(0.02)\n"
        "time.sleep(0.3); sys.exit(10 + n[0])"
    )
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(shell.folder)
        os.execve(COMMAND, [COMMAND, "exec", "--", sys.executable, "-c", program], shell.env)
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 11


def test_pipes_end_as_they_do_without_it(shell):
    """SIGPIPE has its default action in the command."""
    done = subprocess.run(
        ["bash", "-c", f"{COMMAND} exec -- yes | head -1; echo ${{PIPESTATUS[0]}}"], env=shell.env, capture_output=True, text=True, check=False, timeout=300
    )  # fmt: skip
    assert done.stdout.splitlines() == ["y", str(128 + signal.SIGPIPE)]


def test_a_killed_wrapper_leaves_its_span_open_for_whoever_ends_it(shell):
    """`kill -9` costs nothing that was written."""
    step = shell.start("exec", "--trace", "ci-9", "--id", "step", "--", "sh", "-c", "echo ready; read line")
    assert step.stdout is not None and step.stdout.readline() == "ready\n"
    open_now = shell.run("list", "--open", "--json").stdout
    step.kill()
    step.wait()
    assert json.loads(open_now)["custom_span_id"] == "step"
    assert shell.run("span", "end", "--trace", "ci-9", "--id", "step", "--status", "error").returncode == 0
    assert [span["name"] for span in shell.delivered()] == ["sh"]


def test_an_engine_that_cannot_be_written_costs_one_line(shell):
    """The command runs, with its own exit code."""
    (shell.folder / "open").write_text("a file in the way")
    done = shell.run("exec", "--", "sh", "-c", "echo out; exit 4")
    assert (done.stdout, done.returncode, done.stderr.count("\n")) == ("out\n", 4, 1)
    assert done.stderr.startswith("tracebridge: the span could not be written")


def test_ends_are_told_apart(shell):
    """The first is 0, a second is 1, and one that finds no start is recorded, and said."""
    shell.run("span", "start", "--trace", "ci-1", "--id", "a", "--name", "a")
    codes = [shell.run("span", "end", "--trace", "ci-1", "--id", span) for span in ("a", "a", "b")]
    assert [(done.returncode, bool(done.stderr)) for done in codes] == [(0, False), (1, True), (0, True)]
    assert [span["attributes"].get("tracebridge.end_cause") for span in shell.delivered()] == [None, "orphaned"]


def test_traceparent_from_elsewhere_is_continued(shell):
    """Its trace, its parent, and its decision."""
    outer = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    done = shell.run("exec", "--", "sh", "-c", "echo $TRACEPARENT", TRACEPARENT=outer)
    (span,) = shell.delivered()
    assert (span["traceId"], span["parentSpanId"]) == (outer[3:35], outer[36:52])
    assert done.stdout.strip() == f"00-{span['traceId']}-{span['spanId']}-01"


def test_flush_delivers_at_once(shell):
    """With the configuration that names the destinations."""
    assert shell.run("exec", "--flush", "--config", "bridge.yaml", "--name", "now", "--", "true").returncode == 0
    assert '"name":"now"' in (shell.folder / "spans.jsonl").read_text()


def test_a_configuration_without_an_engine_is_told(shell):
    """Which key to add; the wrapped command runs."""
    (shell.folder / "none.yaml").write_text("adapters: {console: {}}\n")
    done = shell.run("span", "start", "--trace", "x", "--name", "n", "--config", "none.yaml")
    assert (done.returncode, "open_spans" in done.stderr) == (78, True)
    assert shell.run("exec", "--config", "none.yaml", "--", "sh", "-c", "exit 5").returncode == 5


def test_many_steps_at_once_lose_nothing(shell):
    """They write to one folder."""
    steps = [shell.start("exec", "--trace", "ci-7", "--name", f"step {n}", "--", "true") for n in range(12)]
    assert [step.wait(300) for step in steps] == [0] * 12
    assert sorted(span["name"] for span in shell.delivered()) == sorted(f"step {n}" for n in range(12))


def test_it_starts_without_a_client_and_without_yaml(shell):
    """What a step costs is what it imports."""
    program = (
        "import sys\nfrom tracebridge.cli import main\nimport os\nreal = os._exit\n"
        "def told(code):\n    print([m for m in ('yaml', 'tracebridge.client', 'tracebridge.settings.model', 'urllib3', 'rich', 'asyncio') if m in sys.modules], flush=True)\n    real(code)\n"
        "os._exit = told\nmain(['exec', '--trace', 'x', '--', 'true'])"
    )
    done = subprocess.run([sys.executable, "-c", program], env=shell.env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
    assert (shell.folder / "open" / FILE).exists()
