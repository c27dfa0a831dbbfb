"""A coverage-guided fuzz target: bytes become headers, and what is read of them has to be whole.

`test_fuzz_extract.py` runs it for a bounded number of cases; by hand, for as long as you like, with atheris and msgspec installed:

    $ PYTHONPATH=bridge:tests python tests/property/fuzz_extract.py
"""

import sys

import atheris

with atheris.instrument_imports(include=["tracebridge.propagation"]):
    from support.headers import NAMES, check, reader


def one(data: bytes) -> None:
    """Read headers made of these bytes: lines of a number that picks the name, and the value."""
    check(reader.extract([(NAMES[line[0] % len(NAMES)], line[1:]) for line in data.split(b"\n") if line]))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
