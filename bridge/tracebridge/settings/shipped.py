"""What is shipped of the configuration for editors and type checkers: it knows the adapters of this package.

`python -m tracebridge.settings.shipped config/tracebridge_config/bridge.schema.json` writes the JSON Schema, and the typed mapping beside it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tracebridge.plugins.registry import ADAPTERS, OWN_PACKAGE, RECEIVERS, entries
from tracebridge.settings.schema import json_schema
from tracebridge.settings.typed import typed_mapping


def shipped_adapters() -> list[str]:
    """Return the adapters that this package brings."""
    return [name for name, entry in entries(ADAPTERS).items() if entry.package == OWN_PACKAGE]


def shipped_receivers() -> list[str]:
    """Return the receivers that this package brings."""
    return [name for name, entry in entries(RECEIVERS).items() if entry.package == OWN_PACKAGE]


def shipped_schema() -> str:
    """Return the text of the schema that knows them."""
    return json.dumps(json_schema(shipped_adapters()), indent=2, ensure_ascii=False) + "\n"


def shipped_types() -> str:
    """Return the text of the typed mapping that knows them."""
    return typed_mapping(shipped_adapters(), shipped_receivers())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(shipped_schema(), encoding="utf-8")
    Path(sys.argv[1]).with_name("types.py").write_text(shipped_types(), encoding="utf-8")
