"""`python -m benchmarks.child MODULE:FUNCTION ARGUMENTS`: one call in a process of its own, its result as JSON on the last line."""

from __future__ import annotations

import importlib
import json
import os
import sys

from benchmarks.harness import Missing


def main() -> None:
    """Call it."""
    module, function = sys.argv[1].split(":")
    try:
        answer = {"value": getattr(importlib.import_module(module), function)(*json.loads(sys.argv[2]))}
    except Missing as error:
        answer = {"missing": str(error)}
    print(json.dumps(answer), flush=True)
    os._exit(0)  # a peer's exit hooks are not what is measured


if __name__ == "__main__":
    main()
