"""A log line as shippers leave it, and a text as applications' loggers write it: the first is a line again, the second never is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Wrap = Callable[[str], str]
NANOS, ZONED = "2026-01-02T03:04:05.678901234Z", "2026-01-02T03:04:05.123456+01:00"
CONTAINER = "c5f9a3e1d7b24680" * 4
POD = {"pod_name": "shop-7f9c-x2", "namespace_name": "default", "container_name": "shop", "labels": {"app": "shop"}}


def obj(**fields: Any) -> Callable[[str], str]:
    """A JSON object, in which the value `...` stands for the line, and `{...}` for the line parsed."""

    def wrap(line: str) -> str:
        def put(value: Any) -> Any:
            if value is ...:
                return line
            return json.loads(line) if value == {...} else value

        return json.dumps({key: put(value) for key, value in fields.items()})

    return wrap


def front(text: str) -> Wrap:
    """A text before the line."""
    return lambda line: text + line


AGENT = {"type": "filebeat", "version": "8.15.0", "id": "a", "ephemeral_id": "b", "name": "node-1"}
SHIPPED: Mapping[str, Wrap] = {
    "CRI": front(f"{NANOS} stdout F "),
    "CRI with an offset": front("2026-01-02T03:04:05.678901234+01:00 stderr F "),
    "Docker json-file": lambda line: obj(log=line + "\n", stream="stdout", time=NANOS)(line),
    "Docker json-file with attributes": lambda line: obj(log=line + "\n", stream="stderr", attrs={"tag": "shop"}, time=NANOS)(line),
    "Docker json-file, newline stripped by an agent": obj(log=..., stream="stdout", time=NANOS),
    "Docker fluentd driver": obj(container_id=CONTAINER, container_name="/shop", source="stdout", log=...),
    "Docker gelf driver": obj(
        version="1.1", host="node-1", short_message=..., timestamp=1767323045.678, level=6, _command="python app.py", _container_id=CONTAINER,
        _container_name="shop", _created=NANOS, _image_id="sha256:ab", _image_name="shop:1", _tag="c5f9",
    ),
    "Fluent Bit, tail": obj(date=1767323045.678901, log=...),
    "Fluent Bit, Docker parser": obj(date=1767323045.678901, log=..., stream="stdout", time=NANOS),
    "Fluent Bit, CRI parser": obj(time=NANOS, stream="stdout", logtag="F", log=...),
    "Fluent Bit, Kubernetes": obj(date=1767323045.6, stream="stdout", logtag="F", log=..., kubernetes=POD),
    "Fluent Bit, merged": obj(log="x", log_processed={...}, kubernetes=POD),
    "Fluentd, Kubernetes": obj(stream="stdout", log=..., docker={"container_id": CONTAINER}, kubernetes=POD, tag="kubernetes.var.log"),
    "FireLens": obj(
        container_id="9ba4-123", container_name="shop", ecs_cluster="c", ecs_task_arn="arn:aws:ecs:eu-west-1:1:task/c/9", log=..., source="stdout"
    ),
    "Filebeat": obj(
        **{"@timestamp": "2026-01-02T03:04:05.678Z", "@metadata": {"beat": "filebeat", "type": "_doc", "version": "8.15.0"}, "agent": AGENT},
        message=..., log={"offset": 0, "file": {"path": "/var/log/app.log"}}, input={"type": "filestream"}, ecs={"version": "8.0.0"},
    ),
    "Filebeat, parsed": obj(**{"@timestamp": "2026-01-02T03:04:05.678Z", "agent": AGENT}, json={...}, input={"type": "log"}),
    "Filebeat 6": obj(
        **{"@timestamp": "2026-01-02T03:04:05.678Z"}, beat={"name": "n", "hostname": "n", "version": "6.8.0"}, message=..., offset=0, source="/x"
    ),
    "Logstash": obj(
        **{"@timestamp": "2026-01-02T03:04:05.678Z", "@version": "1"}, message=..., event={"original": "x"}, host={"name": "n"},
        log={"file": {"path": "/x"}},
    ),
    "Logstash 7": obj(**{"@timestamp": "2026-01-02T03:04:05.678Z", "@version": "1"}, message=..., host="node-1", path="/var/log/app.log"),
    "Vector": obj(message=..., source_type="file", file="/x", host="n", timestamp=NANOS),
    "Vector, Docker": obj(container_id=CONTAINER, message=..., source_type="docker_logs", stream="stdout", timestamp=NANOS),
    "rsyslog file": front(f"{ZONED} host shop[4711]: "),
    "rsyslog file, no space after the tag": front(f"{ZONED} host shop[4711]:"),
    "rsyslog traditional file": front("Jan 22 03:04:05 host shop[4711]: "),
    "rsyslog JSON": lambda line: obj(msg=" " + line, syslogtag="shop:", timereported=ZONED)(line),
    "rsyslog JSON, a tag without a space": obj(msg=..., syslogtag="shop:", fromhost="h"),
    "rsyslog %jsonmesg%": obj(
        msg=..., rawmsg="<13>…", timereported=ZONED, hostname="h", syslogtag="shop:", programname="shop", pri="13", **{"fromhost-ip": "127.0.0.1"}
    ),
    "syslog-ng file": front("Jan  2 03:04:05 host shop[4711]: "),
    "syslog-ng JSON": obj(PROGRAM="shop", PRIORITY="info", PID="4711", MESSAGE=..., HOST="h", FACILITY="user", DATE="Jan  2 03:04:05"),
    "syslog-ng pairs": obj(SOURCE="s_net", PROGRAM="shop", MESSAGE=..., HOST_FROM="h", HOST="h"),
    "RFC 3164": front("<13>Jan  2 03:04:05 host shop[4711]: "),
    "RFC 3164 without a process ID": front("<13>Jan  2 03:04:05 host shop: "),
    "RFC 5424": front(f'<134>1 {NANOS} host shop 4711 ID47 [origin ip="1.2.3.4" x="a\\]b"][b] '),
    "RFC 5424 with a mark": front("<134>1 2026-01-02T03:04:05.003+01:00 host shop - - - \ufeff"),
    "RFC 5424, as rsyslog writes what came with a tag": front("<14>1 2026-01-02T03:04:05.003+01:00 host shop 4711 - -  "),
    "RFC 5424 without priority": front("1 2026-01-02T03:04:05.003+01:00 host shop 1 - - "),
    "RFC 5424 without data (Heroku)": front("<40>1 2026-01-02T03:04:05+00:00 host app web.3 - "),
    "RFC 5424 with its length": front("283 <40>1 2026-01-02T03:04:05+00:00 host app web.3 - "),
    "syslog's cookie": front("<134>1 2026-01-02T03:04:05+00:00 host shop 4711 - - @cee: "),
    "a priority alone": front("<134>"),
    "journald export": front("MESSAGE="),
    "journald JSON": obj(
        MESSAGE=..., __REALTIME_TIMESTAMP="1767323045678901", __CURSOR="s=a;i=1", __MONOTONIC_TIMESTAMP="1", _BOOT_ID="a" * 32, _PID="4711"
    ),
    "journald JSON, not UTF-8": lambda line: json.dumps({"MESSAGE": list(line.encode()), "__REALTIME_TIMESTAMP": "1", "_BOOT_ID": "a" * 32}),
    "Cloud Logging, text": obj(textPayload=..., logName="projects/p/logs/stdout", insertId="1", resource={"type": "k8s_container"}),
    "Cloud Logging, parsed": obj(jsonPayload={...}, logName="projects/p/logs/stdout", insertId="1"),
    "CloudWatch events": obj(timestamp=1767323045678, message=..., ingestionTime=1767323045679),
    "CloudWatch filtered events": obj(logStreamName="s", timestamp=1767323045678, message=..., ingestionTime=1767323045679, eventId="37"),
    "CloudWatch Insights": obj(**{"@message": ..., "@timestamp": "2026-01-02 03:04:05.678", "@ptr": "Cm"}),
    "Loki": obj(labels={"app": "shop"}, line=..., timestamp=NANOS),
    "Splunk": obj(_raw=..., _time="2026-01-02T03:04:05.678+00:00", sourcetype="json", index="main"),
    "Elasticsearch": obj(_index="logs-1", _id="a", _score=1, _source={...}),
    "docker compose": front("shop-1  | "),
    "docker compose, coloured": front("\x1b[36mshop-1     | \x1b[0m"),
    "docker-compose 1": front("shop_1   | "),
    "kubectl --prefix": front("[pod/shop-7f/app] "),
    "docker --timestamps": front(f"{NANOS} "),
}  # fmt: skip
"""Every envelope that is known by itself."""

AMBIGUOUS: Mapping[str, tuple[str, Wrap]] = {
    "rsyslog file without a process ID": ("syslog", front(f"{ZONED} host shop: ")),
    "rsyslog traditional file without a process ID": ("syslog", front("Jan 22 03:04:05 host shop: ")),
    "syslog-ng file without a tag": ("syslog", front("Jan  2 03:04:05 host ")),
    "syslog-ng ISO file without a tag": ("syslog", front("2026-01-02T03:04:05+00:00 host ")),
    "CloudWatch's export to S3": ("timestamp", front("2026-01-02T03:04:05.678Z ")),
    "docker compose, container_name": ("compose", front("shop | ")),
    "stern": ("stern", front("shop-7f9c-x2 app ")),
    "stern, coloured": ("stern", front("\x1b[31mshop-7f9c-x2\x1b[0m \x1b[32mapp\x1b[0m ")),
    "glued": ("glued", lambda line: line + '{"level":"info","msg":"next"}'),
    "glued behind": ("glued", lambda line: '{"level":"info","msg":"before"} ' + line),
}
"""Forms that an application's logger may write as well, and the name that `--envelope` takes."""

LOGGED: Mapping[str, Wrap] = {
    "logging": front("INFO:root:"),
    "logging, with a time": front("2026-01-02 03:04:05,123 - shop - INFO - "),
    "logging, time alone": front("2026-01-02 03:04:05,123 "),
    "logging, as in the manual": front("2026-01-02 03:04:05,123 INFO shop: "),
    "python-json-logger": obj(asctime="2026-01-02 03:04:05,123", levelname="INFO", name="shop", message=...),
    "loguru": front("2026-01-02 03:04:05.123 | INFO     | __main__:<module>:3 - "),
    "loguru, serialized": lambda text: json.dumps({"text": text + "\n", "record": {"message": text, "level": {"name": "INFO"}, "extra": {}}}),
    "structlog": front("2026-01-02 03:04:05 [info     ] "),
    "structlog, JSON": obj(event=..., level="info", timestamp="2026-01-02T03:04:05.123456Z", logger="shop"),
    "structlog, logfmt": lambda text: f"event={json.dumps(text)} level=info",
    "Django": front('[02/Jan/2026 03:04:05] "POST / HTTP/1.1" 200 '),
    "gunicorn": front("[2026-01-02 03:04:05 +0000] [4711] [INFO] "),
    "uvicorn": front("INFO:     "),
    "Celery": front("[2026-01-02 03:04:05,123: INFO/MainProcess] "),
    "winston": front("2026-11-30T12:00:00.000Z [shop] info: "),
    "winston, simple": front("info: "),
    "winston, simple with a time": front("2026-11-30T12:00:00.000Z info: "),
    "winston, a label as a host": front("2026-11-30T12:00:00.000Z shop info: "),
    "winston, JSON": obj(level="info", message=..., service="shop", timestamp="2026-11-30T12:00:00.000Z"),
    "winston, JSON with an input": obj(level="info", message=..., input={"type": "x"}),
    "winston, JSON with labels": obj(level="info", message=..., labels={"app": "x"}),
    "pino": obj(level=30, time=1767323045678, pid=4711, hostname="n", msg=..., name="shop", reqId="1"),
    "pino-pretty": front("[03:04:05.678] INFO (4711): "),
    "bunyan": obj(name="shop", hostname="n", pid=4711, level=30, msg=..., time="2026-01-02T03:04:05.678Z", v=0),
    "log4js": front("[2026-01-02T03:04:05.678] [INFO] default - "),
    "debug": front("2026-01-02T03:04:05.678Z app:server "),
    "morgan": lambda text: f'::1 - - [02/Jan/2026:03:04:05 +0000] "POST / HTTP/1.1" 200 2 "-" {json.dumps(text)}',
    "Serilog": front("[03:04:05 INF] "),
    "Serilog with a time": front("2026-11-30 12:00:00.000 +00:00 [INF] Received: "),
    "Serilog with a time in UTC": front("2026-11-30T12:00:00.000Z [INF] Received: "),
    "Serilog, CLEF": obj(**{"@t": "2026-01-02T03:04:05.678Z", "@mt": "{Body}", "@m": ..., "Body": ...}),
    "Serilog, JSON": lambda text: json.dumps({"Timestamp": NANOS, "Level": "Information", "MessageTemplate": "{Body}", "Properties": {"Body": text}}),
    ".NET console": front("info: Shop.Program[0]\n      "),
    ".NET JSON console": lambda text: json.dumps({"EventId": 0, "LogLevel": "Information", "Category": "Shop", "Message": text, "State": {"Message": text}}),
    "NLog": front("2026-01-02 03:04:05.6789|INFO|Shop.Program|"),
    "log4j2": front("03:04:05.678 [main] INFO  shop.App - "),
    "log4j2, ISO": front("2026-01-02T03:04:05,678 INFO s.App [main] "),
    "log4j2, JSON": obj(instant={"epochSecond": 1, "nanoOfSecond": 2}, thread="main", level="INFO", loggerName="a", message=..., endOfBatch=False),
    "log4j2, ECS": obj(**{"@timestamp": "2026-01-02T03:04:05.678Z", "ecs.version": "1.2.0", "log.level": "INFO", "message": ..., "log.logger": "a"}),
    "log4j2, Logstash": obj(**{"@version": 1, "@timestamp": "2026-01-02T03:04:05.678Z"}, source_host="n", message=..., level="INFO", logger_name="a"),
    "log4j2, GELF": obj(version="1.1", host="n", short_message=..., full_message=..., timestamp=1767323045.678, level=6, _logger="a"),
    "log4j2, GCP": obj(timestamp="2026-01-02T03:04:05.678Z", severity="INFO", message=..., **{"logging.googleapis.com/insertId": "1"}),
    "logback": front("03:04:05.678 [main] INFO  shop.App - "),
    "logback, Logstash": obj(
        **{"@timestamp": "2026-01-02T03:04:05.678+01:00", "@version": "1"}, message=..., logger_name="a", thread_name="main", level="INFO",
        level_value=20000,
    ),
    "logback, JSON": obj(timestamp="1", level="INFO", thread="main", logger="a", message=..., context="default"),
    "Spring Boot": front("2026-01-02T03:04:05.678+01:00  INFO 4711 --- [shop] [main] shop.App : "),
    "Quarkus": obj(timestamp="2026-01-02T03:04:05.678+01:00", sequence=1, loggerName="a", level="INFO", message=..., hostName="n", processId=1),
    "Tomcat": front("02-Jan-2026 03:04:05.678 INFO [main] shop.App.main "),
    "zap": front("2026-01-02T03:04:05.678+0100\tINFO\tshop/main.go:12\t"),
    "zap, JSON": obj(level="info", ts=1767323045.678, caller="shop/main.go:12", msg=...),
    "logrus": lambda text: f'time="2026-01-02T03:04:05Z" level=info msg={json.dumps(text)}',
    "logrus on a terminal": front("INFO[0000] "),
    "logrus, JSON": obj(level="info", msg=..., time="2026-01-02T03:04:05Z"),
    "slog": lambda text: f"time=2026-01-02T03:04:05.678+01:00 level=INFO msg={json.dumps(text)}",
    "slog, JSON": obj(time="2026-01-02T03:04:05.678+01:00", level="INFO", msg=...),
    "Go's log": front("2026/01/02 03:04:05 "),
    "klog": front("I0102 03:04:05.678901    4711 main.go:12] "),
    "zerolog": obj(level="info", time="2026-01-02T03:04:05Z", message=...),
    "zerolog on a terminal": front("3:04AM INF "),
    "hclog": front("2026-01-02T03:04:05.678+0100 [INFO]  shop: "),
    "hclog, JSON": obj(**{"@level": "info", "@message": ..., "@module": "shop", "@timestamp": "2026-01-02T03:04:05.678901Z"}),
    "Rails": front("I, [2026-01-02T03:04:05.678901 #4711]  INFO -- : "),
    "Rails, tagged": front("[5f1c] [127.0.0.1] "),
    "lograge, JSON": obj(method="POST", path="/", status=200, params=...),
    "Semantic Logger": front("2026-01-02 03:04:05.678901 I [4711:main] Shop -- "),
    "Semantic Logger, JSON": obj(host="n", application="shop", timestamp="2026-01-02T03:04:05.678901Z", level="info", pid=4711, message=...),
    "Monolog": front("[2026-01-02T03:04:05.678901+01:00] app.INFO: "),
    "Monolog, JSON": obj(message=..., context=[], level=200, level_name="INFO", channel="app", datetime="2026-01-02T03:04:05.678+01:00", extra=[]),
    "PHP": front("[02-Jan-2026 03:04:05 UTC] "),
    "tracing": front("2026-01-02T03:04:05.678901Z  INFO shop: "),
    "tracing, JSON": lambda text: json.dumps({"timestamp": "2026-01-02T03:04:05.678901Z", "level": "INFO", "fields": {"message": text}, "target": "shop"}),
    "env_logger": front("[2026-01-02T03:04:05Z INFO  shop] "),
    "Elixir": front("03:04:05.678 [info] "),
    "nginx": lambda text: f'127.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 2 "-" {json.dumps(text)}',
    "nginx, error log": lambda text: f"2026/01/02 03:04:05 [error] 4711#0: *1 {text}, client: 127.0.0.1",
    "nginx, JSON": obj(time_local="02/Jan/2026:03:04:05 +0000", request=..., status="200", http_user_agent=...),
    "Apache, error log": front("[Fri Jan 02 03:04:05.678901 2026] [core:info] [pid 4711] "),
    "Envoy": lambda text: f'[2026-01-02T03:04:05.678Z] "POST / HTTP/1.1" 200 - 0 2 1 - "-" {json.dumps(text)}',
    "AWS Lambda": front("[INFO]\t2026-01-02T03:04:05.678Z\t8f5f-1\t"),
    "AWS Lambda, Node": front("2026-01-02T03:04:05.678Z\t8f5f-1\tINFO\t"),
    "AWS Lambda, JSON": obj(timestamp="2026-01-02T03:04:05Z", level="INFO", message=..., logger="root", requestId="8f5f"),
    "AWS Powertools": obj(level="INFO", location="handler:7", message=..., timestamp="2026-01-02 03:04:05,678+0000", service="shop"),
    "Google Cloud": obj(severity="INFO", message=..., **{"logging.googleapis.com/labels": {}, "httpRequest": {}}),
    "python-logstash": obj(
        **{"@timestamp": "2026-01-02T03:04:05.678Z", "@version": "1"}, message=..., host="n", path="/app.py", tags=[], type="logstash", level="INFO",
        logger_name="shop",
    ),
    "ECS logging": obj(**{"@timestamp": "2026-01-02T03:04:05.678Z", "log.level": "info", "message": ..., "ecs": {"version": "1.6.0"}, "log": {"logger": "a"}}),
    "an agent of a browser": obj(message=..., agent="Mozilla/5.0", input="x"),
    "an agent of a person": obj(**{"@timestamp": "2026-01-02T03:04:05Z"}, message=..., agent={"type": "support", "version": "1"}),
    "a log of a stream": obj(log=..., stream="orders"),
    "a log of a stream and a time": obj(log=..., stream="orders", time=NANOS),
    "a log with a level": obj(log=..., level="info"),
    "a log with a time": obj(log=..., time=NANOS),
    "a log of a cluster": obj(log=..., kubernetes={"cluster": "x"}),
    "a line": obj(line=...),
    "a line with labels and a level": obj(line=..., labels={"a": "b"}, timestamp=NANOS, level="info"),
    "an input": obj(message=..., input={"type": "form"}, source_type="user"),
    "words": front("received body: "),
    "words and a BSD time": front("Nov 30 12:00:00 received body: "),
    "a time alone": front("2026-11-30T12:00:00.000Z "),
    "systemd's level": front("<6>"),
    "a thread": front("worker-1 | "),
    "quoted": json.dumps,
    "several fields": lambda text: json.dumps({"level": "info", "request": {"body": text, "headers": {"x": text}}}),
    "a list": lambda text: json.dumps([text]),
}  # fmt: skip
"""How applications' loggers write a text that a user gave them."""


def any_value(given: Any) -> dict[str, Any]:
    """A value in OTLP's JSON, as a Collector's parser leaves it."""
    if isinstance(given, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": any_value(value)} for key, value in given.items()]}}
    if isinstance(given, list):
        return {"arrayValue": {"values": [any_value(value) for value in given]}}
    if isinstance(given, bool):
        return {"boolValue": given}
    if isinstance(given, int):
        return {"intValue": str(given)}
    return {"doubleValue": given} if isinstance(given, float) else {"stringValue": given}


def logs(*bodies: dict[str, Any]) -> dict[str, Any]:
    """OTLP logs."""
    records = [{"timeUnixNano": "1767323045678901234", "body": body, "traceId": "", "spanId": ""} for body in bodies]
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": records}]}]}


AT_MS = 1767323045678
ANSWERS: Mapping[str, Callable[[str, str], Any]] = {
    "CloudWatch, get-log-events": lambda one, two: {
        "events": [{"timestamp": AT_MS, "message": line, "ingestionTime": AT_MS} for line in (one, two)],
        "nextForwardToken": "f/1", "nextBackwardToken": "b/1",
    },
    "CloudWatch, filter-log-events": lambda one, two: {
        "events": [
            {"logStreamName": "s", "timestamp": AT_MS, "message": line + "\n", "ingestionTime": AT_MS, "eventId": "7"} for line in (one, two)
        ],
        "searchedLogStreams": [],
    },
    "CloudWatch Insights, get-query-results": lambda one, two: {
        "results": [
            [{"field": "@timestamp", "value": "2026-01-02 03:04:05.678"}, {"field": "@message", "value": line}, {"field": "@ptr", "value": "p"}]
            for line in (one, two)
        ],
        "statistics": {"recordsMatched": 2.0, "recordsScanned": 2.0, "bytesScanned": 900.0}, "status": "Complete",
    },
    "CloudWatch, subscription": lambda one, two: {
        "messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s", "subscriptionFilters": ["f"],
        "logEvents": [{"id": "3", "timestamp": AT_MS, "message": line} for line in (one, two)],
    },
    "Loki, query_range": lambda one, two: {
        "status": "success",
        "data": {"resultType": "streams", "stats": {}, "result": [
            {"stream": {"app": "shop"}, "values": [["1767323045678901234", one]]},
            {"stream": {"app": "shop", "pod": "b"}, "values": [["1767323045678901234", two, {"detected_level": "info"}]]},
        ]},
    },
    "Loki, push": lambda one, two: {"streams": [{"stream": {"app": "shop"}, "values": [["1", one], ["2", two]]}]},
    "Elasticsearch, _search": lambda one, two: {
        "took": 3, "timed_out": False, "_shards": {"total": 1},
        "hits": {"max_score": 1.0, "hits": [
            {"_index": "logs", "_id": "a", "_score": 1.0, "_source": json.loads(one)},
            {"_index": "logs", "_id": "b", "_score": 1.0, "_source": {"@timestamp": "2026-01-02T03:04:05.678Z", "agent": AGENT, "message": two}},
        ]},
    },
    "Splunk, results": lambda one, two: {
        "preview": False, "init_offset": 0, "results": [{"_raw": line, "_time": "2026-01-02T03:04:05.678+00:00", "host": "h"} for line in (one, two)],
    },
    "Google Cloud, gcloud logging read": lambda one, two: [
        {"logName": "projects/p/logs/stdout", "insertId": "a", "jsonPayload": json.loads(one)},
        {"logName": "projects/p/logs/stdout", "insertId": "b", "textPayload": two},
    ],
    "Fluent Bit, http output": lambda one, two: [{"date": 1767323045.6, "log": line} for line in (one, two)],
    "jq --slurp": lambda one, two: [json.loads(one), json.loads(two)],
    "Collector, OTLP logs": lambda one, two: logs({"stringValue": one}, {"stringValue": two}),
    "Collector, OTLP logs, parsed": lambda one, two: logs(any_value(json.loads(one)), any_value(json.loads(two))),
}  # fmt: skip
"""Documents that hold two lines."""
