"""The key `sampling:` of the configuration: which traces are kept, at their start and once they are whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tracebridge.plugins.options import AttributeValue, Duration, Ratio, Size, option

KINDS = Literal["internal", "server", "client", "producer", "consumer"]


@dataclass(frozen=True, kw_only=True)
class MatchSettings:
    """What a trace's root has to be for a rule to decide about it; all that is given has to fit."""

    name: str | None = option(None, help="The root's name; * stands for any text.", examples=["GET /health*"])
    kind: KINDS | None = option(None, help="The root's kind.", examples=["server"])
    attributes: dict[str, AttributeValue] = option(
        factory=dict,
        help="What the root has at its start: the value itself, or a list of which it is one; in text, * stands for any text.",
        examples=[{"tenant": ["acme", "beta*"]}],
    )
    service: str | None = option(
        None, help="The service.name of what produced it; * stands for any text.", examples=["checkout*"]
    )

    @property
    def is_empty(self) -> bool:
        """Whether every root fits."""
        return self.name is self.kind is self.service is None and not self.attributes


@dataclass(frozen=True, kw_only=True)
class RuleSettings:
    """Another ratio for the traces whose root fits."""

    match: MatchSettings = option(help="What the root has to be.")
    ratio: Ratio = option(help="The share of these traces that is kept.", examples=[0, 0.5, 1])


@dataclass(frozen=True, kw_only=True)
class KeepSettings:
    """What makes a whole trace worth keeping, whatever was decided at its start."""

    errors: bool = option(False, help="Keep a trace in which a span ended with the status ERROR.")
    slower_than: Duration | None = option(
        None, help="Keep a trace in which a span took longer than this.", examples=["2s"], minimum=0
    )
    names: list[str] = option(
        factory=list, help="Keep a trace that has a span of such a name; * stands for any text.", examples=[["pay*"]]
    )
    attributes: dict[str, AttributeValue] = option(
        factory=dict,
        help="Keep a trace in which a span has one of these attributes: the value itself, or a list of which it is one.",
        examples=[{"tenant": ["acme"]}],
    )
    wait: Duration = option(
        30.0, help="Longest time that a trace's first finished span waits for the root's end.", minimum=0.001
    )
    max_spans: int = option(50_000, help="Most spans of one trace that wait.", minimum=1)
    max_bytes: Size = option(64 * 2**20, help="Most that all waiting spans together may take.", minimum=65_536)

    def __post_init__(self) -> None:
        """Refuse one that keeps nothing."""
        if not (self.errors or self.slower_than is not None or self.names or self.attributes):
            raise ValueError("name what is kept: errors, slower_than, names or attributes")


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """Which traces are delivered: decided at their start by a share of all, and, once they are whole, by what is in them."""

    ratio: Ratio = option(1.0, help="The share of the traces that begin here that is kept.", examples=[0.1, "10%"])
    rules: list[RuleSettings] = option(
        factory=list,
        help="Other ratios for some traces: the first rule that fits the root decides.",
        examples=[[{"match": {"name": "GET /health*"}, "ratio": 0}]],
    )
    keep: KeepSettings | None = option(
        None, help="What is kept whatever the ratio says, decided when the root has ended.", examples=[{"errors": True}]
    )
    max_traces_per_second: int | None = option(
        None, help="Most traces a second that begin here and are kept by ratio and rules.", examples=[100], minimum=1
    )
    parent: Literal["obey", "threshold", "ignore"] = option(
        "obey",
        help="With a parent elsewhere: its sampled flag decides, or the threshold that came along, or what is set here.",
    )
    randomness: Literal["auto", "id", "hash"] = option(
        "auto",
        help="What is drawn by: the trace ID where that is random and its hash where it is not, always the ID, or always the hash.",
    )
    attributes: list[Literal["jaeger", "datadog", "priority"]] = option(
        factory=list,
        help="Attributes that say the same to others: sampler.type and sampler.param on roots; _dd.rule_psr on roots; sampling.priority on what `keep` kept.",
        examples=[["priority"]],
    )

    def __post_init__(self) -> None:
        """Refuse rules that can never decide."""
        seen: list[MatchSettings] = []
        for number, rule in enumerate(self.rules):
            if rule.match in seen:
                raise ValueError(
                    f"rules[{number}] matches what rules[{seen.index(rule.match)}] matches, which decides first; leave one of them out"
                )
            if any(other.is_empty for other in seen):
                raise ValueError(
                    f"rules[{number}] comes behind a rule that matches every trace, so that it can never decide; put it in front"
                )
            seen.append(rule.match)
        if len(set(self.attributes)) < len(self.attributes):
            raise ValueError("attributes names one of them twice")
