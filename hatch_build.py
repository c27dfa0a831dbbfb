"""Hatchling's build hook: the native module goes into the wheel where it can be built; elsewhere the wheel is pure Python.

How it is compiled, and what `TRACEBRIDGE_NATIVE` says about it, stands in `bridge/tracebridge/native/building.py`.
"""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = Path("bridge", "tracebridge", "native")


class NativeBuildHook(BuildHookInterface):
    """Compiles into the checkout for an editable install, into the wheel otherwise."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before hatchling collects what goes into the wheel."""
        if self.target_name != "wheel":
            return
        folder = Path(self.root) / NATIVE
        building = runpy.run_path(str(folder / "building.py"))
        product = building["product_name"]()
        self._temporary = tempfile.TemporaryDirectory()
        target = folder if version == "editable" else Path(self._temporary.name)
        problem = building["try_to_build"](target / product)
        self.app.display_info(f"tracebridge: {problem or 'with the native module'}")
        if not problem and version != "editable":
            build_data["force_include"][str(target / product)] = f"tracebridge/native/{product}"
        if not problem:
            build_data.update(pure_python=False, infer_tag=True)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatchling's signature
        """Delete what was compiled for the wheel: it is in there now."""
        if self.target_name == "wheel":
            self._temporary.cleanup()
