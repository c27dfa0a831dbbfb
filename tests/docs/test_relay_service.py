"""The page on running a relay as a service: its files are what systemd, Kubernetes and Prometheus read, and its commands exist."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path
from typing import Any

import click
import yaml

from support.pages import PAGES, blocks
from tracebridge.cli import main
from tracebridge.settings.load import load_settings
from tracebridge.settings.parsers import FORMS

FILES = {block.title: block.text for block in blocks(PAGES / "relay-service.md") if block.title}


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What the command line makes of arguments; raises for an option that is not there."""
    program, name, *rest = arguments
    assert Path(program).name == "tracebridge"
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return command.make_context(name, rest, resilient_parsing=False).params


def test_systemd_starts_what_there_is_and_waits_long_enough() -> None:
    """The unit's command is one, and its patience is more than twice the relay's bound."""
    unit = configparser.RawConfigParser(strict=True)
    unit.optionxform = str  # type: ignore[assignment]  # systemd's keys have capitals
    unit.read_string(FILES["tracebridge-relay@.service"])
    service = unit["Service"]
    given = parsed(shlex.split(service["ExecStart"]))
    assert (given["config"], given["status"]) == ("/etc/tracebridge/relay.yaml", "%t/tracebridge-relay/%i.json")
    assert int(service["TimeoutStopSec"]) > 2 * bound()


def bound() -> float:
    """`lifecycle.shutdown_timeout` of the page's relay."""
    return load_settings(yaml.safe_load(FILES["relay.yaml"]), environ={}).lifecycle.shutdown_timeout


def test_the_manifest_is_whole_and_its_commands_exist() -> None:
    """Volumes that are mounted are there, the probe reads what the relay writes, the grace period is long enough."""
    manifest = yaml.safe_load(FILES["relay-deployment.yaml"])
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert manifest["spec"]["selector"]["matchLabels"] == manifest["spec"]["template"]["metadata"]["labels"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    probe = parsed(container["livenessProbe"]["exec"]["command"])
    assert probe["relay"] == parsed(container["args"])["status"]
    assert pod["terminationGracePeriodSeconds"] > 2 * bound()


def test_the_memory_limit_covers_what_the_page_adds_up() -> None:
    """The journal, what is fetched ahead, the batches in hand, and the process itself."""
    settings = load_settings(yaml.safe_load(FILES["relay.yaml"]), environ={})
    limit = FORMS["size"].read("400MiB", {})
    assert settings.journal.bound + 16 * 2**20 + 8 * 2**20 * len(settings.adapters) + 100 * 2**20 < limit


def test_the_alerts_name_the_group_of_the_page() -> None:
    """A rule for a group that nothing reads for would never fire."""
    settings = load_settings(yaml.safe_load(FILES["relay.yaml"]), environ={})
    assert settings.relay is not None
    options: Any = settings.relay.options
    rules = yaml.safe_load(FILES["relay-alerts.yaml"])["groups"][0]["rules"]
    assert [f'consumergroup="{options.group}"' in rule["expr"] for rule in rules] == [True, True]
