"""JSON objects that shippers and log stores hold a line in: each form is a type, and an object is of that form or it is not.

A form's fields are a shipper's own marks, which an application's logger does not write by default; `LINES` names the fields that may hold the
line, as text or, where an agent parsed it, as an object. A form of common words is closed: an object with any other field is not of it.

Sources, as of November 2026: the manuals of each product; journald's fields from systemd.journal-fields(7), those of Docker's drivers from
Moby's `daemon/logger`, those of Filebeat from its exported fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")]
Digits = Annotated[str, Meta(pattern=r"^\d+$")]
Stream = Literal["stdout", "stderr"]
Text = str | UnsetType


class Form(Struct):
    """An object that holds a line."""

    LINES: ClassVar[tuple[str, ...]]

    @property
    def part(self) -> tuple[str, bool] | None:
        """Which split line this is a part of, and whether more parts follow; None for a whole line."""
        return None


class DockerJsonFile(Form, forbid_unknown_fields=True):
    """Docker, JSON File logging driver. A line is split at 16 KiB; the last part alone ends in a newline."""

    LINES = ("log",)
    log: str
    stream: Stream
    time: Time
    attrs: dict[str, str] = {}

    @property
    def part(self) -> tuple[str, bool] | None:  # noqa: D102 - as `Form` says
        return f"docker {self.stream}", not self.log.endswith("\n")


class DockerFluentd(Form):
    """Docker, Fluentd logging driver."""

    LINES = ("log",)
    container_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{12,64}(-\d+)?$")]
    container_name: str
    source: Stream
    partial_id: str = ""
    partial_last: str = "true"

    @property
    def part(self) -> tuple[str, bool] | None:  # noqa: D102 - as `Form` says
        return (f"fluentd {self.partial_id}", self.partial_last != "true") if self.partial_id else None


class DockerGelf(Form):
    """Docker, Graylog Extended Format logging driver."""

    LINES = ("short_message",)
    container_id: str = field(name="_container_id")
    image_id: str = field(name="_image_id")
    command: str = field(name="_command")


class Pod(Struct):
    """What a Kubernetes filter knows of a line's origin."""

    pod_name: str
    namespace_name: str


class Kubernetes(Form):
    """Fluent Bit's and Fluentd's Kubernetes filters; `log_processed` is what `Merge_Log_Key` is usually set to."""

    LINES = ("log_processed", "log", "message")
    kubernetes: Pod


class FluentBitCri(Form, forbid_unknown_fields=True):
    """Fluent Bit's tail input with its CRI parser; `P` marks a part."""

    LINES = ("log", "message")
    stream: Stream
    logtag: Literal["F", "P"]
    log: Text = UNSET
    message: Text = UNSET
    time: Text = UNSET
    date: float | str | UnsetType = UNSET

    @property
    def part(self) -> tuple[str, bool] | None:  # noqa: D102 - as `Form` says
        return f"fluent-bit {self.stream}", self.logtag == "P"


class FluentBitTail(Form, forbid_unknown_fields=True):
    """Fluent Bit's tail input as its outputs write JSON."""

    LINES = ("log",)
    log: str
    date: float | Time
    stream: Stream | UnsetType = UNSET
    time: Time | UnsetType = UNSET
    partial: Literal["F", "P"] | UnsetType = field(name="_p", default=UNSET)


class FireLens(Form):
    """Amazon ECS, FireLens."""

    LINES = ("log",)
    ecs_cluster: str
    ecs_task_arn: Annotated[str, Meta(pattern=r"^arn:")]


class Beat(Struct):
    """What a Beat says of itself."""

    type: Literal["filebeat", "journalbeat", "winlogbeat", "functionbeat", "elastic-agent"]
    version: str


class Filebeat(Form):
    """Filebeat 7 and newer, Elastic Agent; `json` holds what it parsed without `keys_under_root`."""

    LINES = ("json", "message")
    timestamp: Time = field(name="@timestamp")
    agent: Beat


class OldBeat(Struct):
    """What a Beat said of itself."""

    hostname: str
    version: str


class OldFilebeat(Form):
    """Filebeat 5 and 6."""

    LINES = ("json", "message")
    timestamp: Time = field(name="@timestamp")
    beat: OldBeat


class Original(Struct):
    """What ECS keeps of the line as it came."""

    original: str


class Logstash(Form):
    """Logstash 8 (`ecs_compatibility: v8`)."""

    LINES = ("message",)
    timestamp: Time = field(name="@timestamp")
    version: Literal["1"] = field(name="@version")
    event: Original


class OldLogstash(Form, forbid_unknown_fields=True):
    """Logstash's own inputs before that; a logger that writes its format adds a level and a logger's name."""

    LINES = ("message",)
    message: str
    timestamp: Time = field(name="@timestamp")
    version: Literal["1"] = field(name="@version")
    host: str | dict[str, Any]
    path: Text = UNSET
    type: Text = UNSET
    log: dict[str, Any] | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET


class Vector(Form):
    """Vector: every source says of which type it is."""

    LINES = ("message",)
    source_type: Literal[
        "docker_logs", "exec", "file", "file_descriptor", "fluent", "heroku_logs", "http", "http_server", "journald", "kafka", "kubernetes_logs",
        "logstash", "opentelemetry", "pulsar", "redis", "socket", "splunk_hec", "stdin", "syslog", "vector",
    ]  # fmt: skip
    timestamp: Time


class Journald(Form):
    """`journalctl -o json`. What is not UTF-8 comes as numbers; what is above 4,096 bytes, as null without `--all`."""

    LINES = ("MESSAGE",)
    realtime: Digits = field(name="__REALTIME_TIMESTAMP")


class Rsyslog(Form):
    """rsyslog, a JSON template of its own properties (`%jsonmesg%` too)."""

    LINES = ("msg", "message")
    syslogtag: str


class SyslogNg(Form):
    """syslog-ng, `$(format-json --scope rfc5424)` and `--scope rfc3164`."""

    LINES = ("MESSAGE",)
    FACILITY: str
    PRIORITY: str
    HOST: str


class SyslogNgPairs(Form):
    """syslog-ng, `$(format-json --scope nv-pairs)`."""

    LINES = ("MESSAGE",)
    SOURCE: str
    HOST_FROM: str


class CloudLogging(Form):
    """Google Cloud, LogEntry; `jsonPayload` is a line that was parsed."""

    LINES = ("textPayload", "jsonPayload")
    logName: Annotated[str, Meta(pattern=r"^(projects|folders|organizations|billingAccounts)/[^/]+/logs/.")]


class CloudWatch(Form, forbid_unknown_fields=True):
    """Amazon CloudWatch Logs, `OutputLogEvent` and `FilteredLogEvent`."""

    LINES = ("message",)
    message: str
    timestamp: int
    ingestionTime: int
    logStreamName: Text = UNSET
    eventId: Text = UNSET


class CloudWatchInsights(Form, forbid_unknown_fields=True):
    """Amazon CloudWatch Logs Insights; HashiCorp's logger writes the same names beside a level."""

    LINES = ("@message",)
    message: str = field(name="@message")
    timestamp: str | int = field(name="@timestamp")
    pointer: Text = field(name="@ptr", default=UNSET)
    log: Text = field(name="@log", default=UNSET)
    stream: Text = field(name="@logStream", default=UNSET)
    ingested: str | int | UnsetType = field(name="@ingestionTime", default=UNSET)


class Loki(Form, forbid_unknown_fields=True):
    """Grafana Loki, `logcli --output=jsonl`."""

    LINES = ("line",)
    line: str
    labels: dict[str, str]
    timestamp: str


class Splunk(Form):
    """Splunk, the results of a search."""

    LINES = ("_raw",)
    time: str | float = field(name="_time")


class Elasticsearch(Form):
    """Elasticsearch and OpenSearch, a hit."""

    LINES = ("_source",)
    index: str = field(name="_index")
    id: str = field(name="_id")


FORMS: tuple[type[Form], ...] = (
    DockerJsonFile, DockerFluentd, DockerGelf, Kubernetes, FluentBitCri, FluentBitTail, FireLens, Filebeat, OldFilebeat, Logstash, OldLogstash, Vector,
    Journald, SyslogNg, SyslogNgPairs, Rsyslog, CloudLogging, CloudWatch, CloudWatchInsights, Loki, Splunk, Elasticsearch,
)  # fmt: skip
_NEEDED = [
    (form, frozenset(each.encode_name for each in msgspec.structs.fields(form) if each.required)) for form in FORMS
]


def held_lines(given: Mapping[str, Any]) -> Iterator[tuple[Form, Any]]:
    """Yield the forms that an object is of (one, for nearly all) with what stands in the field of the line."""
    keys = given.keys()
    for form, needed in _NEEDED:
        if needed <= keys and (name := next((name for name in form.LINES if name in keys), None)) is not None:
            try:
                yield msgspec.convert(given, form), given[name]
            except msgspec.ValidationError:
                continue
