"""What is said of a command that does not exist."""

from __future__ import annotations

import pytest

from support.commands import CliRunner
from tracebridge.cli.main import main


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["reply"], 'Error: no such command "reply"; did you mean "replay"?'),
        (["span", "strt"], 'Error: no such command "strt"; did you mean "start"?'),
        (["qqq"], 'Error: no such command "qqq"'),
    ],
)
def test_a_mistyped_command_is_told_which_was_meant(typed, said):
    """At the top and within a group, with exit code 2."""
    done = CliRunner().invoke(main, typed)
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (2, said)
