"""`python -m support.backends [NAME…]` (from the tests folder): fetch and build the servers, or those named."""

from __future__ import annotations

import sys

from support.backends.cache import MissingServerError, prune
from support.backends.fetching import FETCH


def main() -> int:
    """Fetch; return 1 when one could not be had."""
    failed = 0
    for name in sys.argv[1:] or FETCH:
        try:
            print(f"{name}: {FETCH[name]()}")
        except MissingServerError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = 1
    prune()
    return failed


if __name__ == "__main__":
    sys.exit(main())
