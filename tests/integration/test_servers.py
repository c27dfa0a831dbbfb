"""The servers of the test support keep to themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.backends.process import ServerProcess
from support.backends.servers import START

pytestmark = pytest.mark.server
LISTENING = "0A"
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
"""127.0.0.1, the same in IPv6's form, and ::1, as Linux writes them."""


def listening(process: ServerProcess) -> set[str]:
    """Addresses, in Linux's hexadecimal, on which a server and whatever it started listen for TCP."""
    sockets = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == process.group:
                sockets |= {str(fd.readlink()) for fd in (folder / "fd").iterdir()}
        except OSError:
            continue  # it has ended
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {each[1].partition(":")[0] for each in lines if each[3] == LISTENING and f"socket:[{each[9]}]" in sockets}


@pytest.mark.parametrize("name", START)
def test_every_server_listens_on_loopback_alone(request, name):
    """A machine in an office or a café opens no port to its neighbours."""
    found = listening(request.getfixturevalue(name).process)
    assert found
    assert found <= LOOPBACK
