"""A real syslog-ng as the shipper in the middle: a socket in, a file for each of its formats out.

Its package conflicts with rsyslog's, so it is unpacked into the cache folder and not installed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.backends.cache import MissingServerError, locked, need
from support.backends.process import ServerProcess

PACKAGES = ("syslog-ng-core", "libivykis0", "libnet1", "libwrap0", "libjson-c5", "libpcre3")
CONFIG = """@version: 3.35
options {{ keep-hostname(yes); log-msg-size(65536); stats-freq(0); }};
source s_app {{ unix-dgram("{folder}/log.sock"); }};
parser p_json {{ json-parser(); }};
destination d_file {{ file("{folder}/file.log"); }};
destination d_iso {{ file("{folder}/iso.log" template("${{ISODATE}} ${{HOST}} ${{MSGHDR}}${{MSG}}\\n")); }};
destination d_protocol {{ file("{folder}/protocol.log" flags(syslog-protocol)); }};
destination d_json {{ file("{folder}/json.log" template("$(format-json --scope rfc5424)\\n")); }};
destination d_pairs {{ file("{folder}/pairs.log" template("$(format-json --scope nv-pairs)\\n")); }};
destination d_parsed {{ file("{folder}/parsed.log" template("$(format-json --scope none --key *)\\n")); }};
log {{ source(s_app); destination(d_file); destination(d_iso); destination(d_protocol); destination(d_json); destination(d_pairs); }};
log {{ source(s_app); parser(p_json); destination(d_parsed); }};
"""
OUTPUTS = ("file", "iso", "protocol", "json", "pairs")


def _unpacked() -> Path:
    """Return the folder that syslog-ng is unpacked in, getting it where it is not there. Raises MissingServerError."""
    need("apt-get", "dpkg")
    with locked("syslog-ng") as folder:
        root = folder / "root"
        if not (root / "usr/sbin/syslog-ng").exists():
            done = subprocess.run(
                ["apt-get", "download", *PACKAGES], cwd=folder, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise MissingServerError(f"syslog-ng cannot be downloaded: {done.stderr.strip()[-200:]}")
            for package in folder.glob("*.deb"):
                subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
                package.unlink()
        return root


@contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Start syslog-ng in a folder of its own, in which it listens on `log.sock` and writes `NAME.log`."""
    root = _unpacked()
    libraries = [root / "usr/lib/syslog-ng", *root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")]
    (modules,) = root.glob("usr/lib/syslog-ng/3.*")
    (folder / "syslog-ng.conf").write_text(CONFIG.format(folder=folder))
    command = [
        str(root / "usr/sbin/syslog-ng"),
        "-F",
        "--no-caps",
        f"--cfgfile={folder}/syslog-ng.conf",
        f"--module-path={modules}",
    ]
    command += [f"--{name}={folder}/syslog-ng.{name}" for name in ("persist-file", "pidfile", "control")]
    process = ServerProcess("syslog-ng", command, env={"LD_LIBRARY_PATH": ":".join(map(str, libraries))})
    try:
        process.wait_until((folder / "log.sock").exists)
        yield folder
    finally:
        process.stop()
