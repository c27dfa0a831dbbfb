"""The lowest version that pyproject.toml allows of each library, as constraints for pip."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def lowest(pyproject: Path = PYPROJECT) -> Iterator[str]:
    """Yield a constraint for each library that the package, its extras for tests, or those that they name, require."""
    project = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["test"]]
    for line in wanted:  # grows
        required = Requirement(line)
        if required.name == project["name"]:
            wanted += [each for extra in sorted(required.extras) for each in extras[extra]]
            continue
        (bound,) = required.specifier
        if bound.operator != ">=":
            raise ValueError(f"{line}: give one lower bound, {required.name}>=…")
        marker = f"; {required.marker}" if required.marker else ""
        yield f"{required.name}=={bound.version}{marker}"
