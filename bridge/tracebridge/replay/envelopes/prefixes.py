"""What shippers put in front of a line.

`KNOWN` are forms that only a shipper writes. `NAMED` are forms that an application's own logger writes as well: `2026-11-30T12:00:00Z shop
info: ` is a syslog file's line, and winston's. They come off only when the user names them (`--envelope`).
"""

from __future__ import annotations

import re

_SECOND = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_TIME = rf"{_SECOND}(?:\.\d{{1,9}})?(?:Z|[+-]\d\d:\d\d)"  # RFC 3339
_NANOSECONDS = rf"{_SECOND}\.\d{{9}}(?:Z|[+-]\d\d:\d\d)"
_OFFSET_TIME = rf"{_SECOND}(?:\.\d{{1,6}})?[+-]\d\d:?\d\d"  # as syslog daemons write it; applications write Z
_BSD_TIME = r"[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,6})?"  # RFC 3164 section 4.1.2
_PRIORITY = (
    r"<(?:[89]|[1-9]\d{1,2})>"  # not the kernel's `<6>`, which programs write to tell systemd their level (sd-daemon)
)
_HOST = r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,254}"
_TAG = r"[^\s\"{}\[\]:]{1,128}"
_PID = r"\[\d{1,10}\]"
_ANY_PID = r"\[[^\]\"{]{1,64}\]"
_FIELDS = r"\S{1,255} \S{1,48} \S{1,128} \S{1,32}"  # RFC 5424: host, application, process, message ID
_DATA = r"(?:-|(?:\[[^\]\"]*(?:\"(?:[^\"\\]|\\.)*\"[^\]\"]*)*\])+)"  # RFC 5424 section 6.3
_BOM = r"(?:\xef\xbb\xbf)?"
_COLOUR = r"(?:\x1b\[[\d;]{0,16}m){0,4}"
_NO_LEVEL = r"(?!(?i:TRACE|TRC|DEBUG|DBG|INFO|INF|NOTICE|WARN(?:ING)?|WRN|ERROR|ERR|CRITICAL|FATAL|FTL)\b)"  # an application's line, not a host's


def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(rb"\A" + pattern.encode("latin-1"))  # so that no use of it looks further into a line


CRI = _compiled(rf"{_TIME} (stdout|stderr) ([FP])(?::[FP])* ")
"""Kubernetes, CRI logging format; `P` lines are parts of one line."""

KNOWN = [
    _compiled(pattern)
    for pattern in (
        # RFC 5424: <PRI>1 TIME HOST APP PROCID MSGID SD MSG. Heroku's drains leave SD out and put the length in front (RFC 6587)
        rf"(?:\d{{1,7}} )?{_PRIORITY}1 (?:{_TIME}|-) {_FIELDS} (?:{_DATA} )? ?{_BOM}",  # rsyslog keeps the space behind a tag
        rf"1 (?:{_TIME}|-) {_FIELDS} {_DATA}  ?{_BOM}",
        # RFC 3164 with its priority: <PRI>TIME HOST TAG[PID]: MSG
        rf"{_PRIORITY}(?:{_BSD_TIME}|{_TIME}) (?:{_HOST} )?{_TAG}(?:{_ANY_PID})?: ?",
        rf"{_PRIORITY}(?:{_TAG}{_PID}: ?)?",
        # files of rsyslog and syslog-ng, with a process ID: TIME HOST TAG[PID]: MSG
        rf"(?:{_BSD_TIME}|{_OFFSET_TIME}) {_NO_LEVEL}{_HOST} {_TAG}{_PID}: ?",
        # a line by itself in journald's export format (systemd, journal export formats)
        r"MESSAGE=",
        # lumberjack's cookie, behind which stands an object (CEE log syntax 1.0)
        r"@cee: ?",
        # kubectl logs --prefix
        r"\[pod/[a-z0-9.-]{1,253}/[a-z0-9-]{1,63}\] ",
        # docker compose logs: the service's name and number, padded
        rf"{_COLOUR}[a-z0-9][\w.-]{{0,127}}[-_]\d{{1,5}} {{2,128}}\| {_COLOUR}",
        # docker logs --timestamps, kubectl logs --timestamps
        rf"{_NANOSECONDS} ",
    )
]

NAMED = {
    "syslog": _compiled(rf"(?:{_BSD_TIME} (?:{_HOST} )?|{_TIME} {_HOST} )(?:{_TAG}(?:{_ANY_PID})?: ?)?"),
    "timestamp": _compiled(rf"{_TIME}[ \t]"),
    "compose": _compiled(rf"{_COLOUR}[\w.-]{{1,128}} +\| {_COLOUR}"),
    "stern": _compiled(rf"{_COLOUR}[a-z0-9][a-z0-9.-]{{0,252}}{_COLOUR} {_COLOUR}[a-z0-9][a-z0-9-]{{0,62}}{_COLOUR} "),
}
"""Forms by the name that `--envelope` takes."""
