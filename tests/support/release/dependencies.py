"""What comes with the package: a bill of materials, its licences, and what is known against any of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from license_expression import get_spdx_licensing

from support.release.sources import commit_time
from support.release.step import ROOT, NotDoneError, require, run

ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"
}  # fmt: skip
"""Licences, by SPDX, under which a library may be a dependency. LGPL: psycopg, installed beside us and not changed."""
STATED = {"protobuf": "BSD-3-Clause", "thrift": "Apache-2.0", "google-re2": "BSD-3-Clause"}
"""Licences of libraries whose metadata do not say them by SPDX, as the files LICENSE in their packages do."""
CLASSIFIERS = {"License :: OSI Approved :: Apache Software License": "Apache-2.0"}
"""Old ways to say it that can mean one licence only, here where all of them are young enough."""
_LICENSING = get_spdx_licensing()


def bill(python: Path) -> dict[str, Any]:
    """Return the bill of materials of an environment, in CycloneDX's JSON; the same bytes for the same versions."""
    made = run(
        *(sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--mc-type", "library"),
        *("--pyproject", ROOT / "pyproject.toml", python),
        env={"SOURCE_DATE_EPOCH": commit_time()},
    )
    document: dict[str, Any] = json.loads(made)
    return document


def libraries(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what a bill lists, by name, but for ourselves."""
    return {each["name"]: each for each in document["components"] if each["name"] != "tracebridge"}


def licence(component: Mapping[str, Any]) -> str:
    """Return a component's licence as an SPDX expression, or what its metadata say; empty when they say nothing."""
    if component["name"] in STATED:
        return STATED[component["name"]]
    told = component.get("licenses", [])
    expressions = [each["expression"] for each in told if "expression" in each]
    named = [each["license"].get("id") or each["license"].get("name", "") for each in told if "license" in each]
    return expressions[0] if expressions else " AND ".join(dict.fromkeys(CLASSIFIERS.get(name, name) for name in named))


def is_allowed(expression: str, allowed: Iterable[str] = frozenset(ALLOWED)) -> bool:
    """Return whether the licences on the list satisfy an SPDX expression: one side of an OR, both sides of an AND."""
    try:
        parsed = _LICENSING.parse(expression, validate=True)
    except Exception:  # free text
        return False
    if parsed is None:
        return False
    return _satisfied(parsed, set(allowed))


def _satisfied(node: Any, allowed: set[str]) -> bool:
    if isinstance(node, _LICENSING.OR):
        return any(_satisfied(each, allowed) for each in node.args)
    if isinstance(node, _LICENSING.AND):
        return all(_satisfied(each, allowed) for each in node.args)
    base = getattr(node, "license_symbol", node)  # an exception only adds to what a licence permits
    return base.key in allowed


def licence_problems(components: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each component whose licence is not on the list."""
    return [
        f"{each['name']} {each['version']}: {licence(each) or 'its metadata name no licence'}: not on the list of licences"
        for each in components
        if not is_allowed(licence(each))
    ]


def licences(bills: Mapping[str, Mapping[str, Any]], output: Path) -> str:
    """Write a table of every library's licence, with what brings it; hold them against the list."""
    brought: dict[str, list[str]] = {}
    all_of_them: dict[str, Mapping[str, Any]] = {}
    for extra, document in bills.items():
        for name, component in libraries(document).items():
            all_of_them[name] = component
            brought.setdefault(name, []).append(extra)
    lines = ["| library | version | licence | comes with |", "|---|---|---|---|"]
    for name, each in sorted(all_of_them.items()):
        extras = "every installation" if "" in brought[name] else ", ".join(f"`{extra}`" for extra in brought[name])
        lines.append(f"| {name} | {each['version']} | {licence(each)} | {extras} |")
    output.write_text("\n".join(lines) + "\n", "utf-8")
    require(licence_problems(all_of_them.values()))
    return f"{len(all_of_them)} libraries, all on the list"


def audit(bills: Iterable[Mapping[str, Any]], work: Path) -> str:
    """Ask the advisory database about every library. Raises NotDoneError when it cannot be reached."""
    pinned = {f"{name}=={each['version']}" for document in bills for name, each in libraries(document).items()}
    requirements, answer = work / "audited.txt", work / "audit.json"
    requirements.write_text("\n".join(sorted(pinned)) + "\n")
    run(
        *(sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off"),
        *("-r", requirements, "--format", "json", "-o", answer),
        codes=(0, 1),
    )
    return told(json.loads(answer.read_text()) if answer.exists() else {})


def told(answer: Mapping[str, Any]) -> str:
    """Say what an audit found. Raises FailedError when something is known against a library, NotDoneError when nothing could be asked."""
    asked = [each for each in answer.get("dependencies", ()) if "vulns" in each]
    require([f"{each['name']} {each['version']}: {known['id']}" for each in asked for known in each["vulns"]])
    if not asked:
        raise NotDoneError("the advisory database could not be reached: no library was audited")
    skipped = len(answer["dependencies"]) - len(asked)
    return f"{len(asked)} libraries, no known vulnerability" + (
        f"; {skipped} could not be asked about" if skipped else ""
    )
