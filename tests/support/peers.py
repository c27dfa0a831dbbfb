"""Other tracing libraries, which the test extra installs: skipped with a reason where a machine has not got them; never in CI."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

from support.backends.cache import REQUIRE


def peer(module: str) -> Any:
    """Import a peer's module for a test module, or skip the whole of it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if os.environ.get(REQUIRE):
            raise
        return pytest.skip(f"{error}: pip install -e '.[test]'", allow_module_level=True)
