"""A coverage-guided fuzz target: any bytes as an ID, read by every scheme.

`test_fuzz_ids.py` runs it for a bounded number of cases; by hand, for as long as you like, with atheris and msgspec installed:

    $ PYTHONPATH=bridge python tests/property/fuzz_ids.py
"""

import sys

import atheris

with atheris.instrument_imports(include=["tracebridge.ids"]):
    from tracebridge.ids import digits, headers, standards
    from tracebridge.ids.scheme import Refused, Scheme
    from tracebridge.ids.schemes import recognise

SCHEMES = [
    each for module in (digits, headers, standards) for each in vars(module).values() if isinstance(each, Scheme)
]
NAMED_SPANS = {"traceparent": headers.W3C, "xray": headers.AWS, "gcp": headers.GOOGLE, "uber": headers.UBER}


def derived(derive, text):
    """What a scheme makes of a text; None where it refuses."""
    try:
        return derive(text)
    except Refused:
        return None


def one(data: bytes) -> None:
    """Read a text by every scheme, as a trace and as a span, write it back, and look for a span in it."""
    text = data.decode("utf-8", "surrogateescape")[:512]
    if not text:
        return
    recognise(text)
    for scheme in SCHEMES:
        for derive, back, size in ((scheme.derive, scheme.back, 16), (scheme.derive_span, scheme.back_span, 8)):
            made = None if derive is None else derived(derive, text)
            if made is None:
                continue
            assert type(made) is bytes and len(made) == size, (scheme.accepts, text, made)
            written = back(made) if back is not None and any(made) else None
            assert written is None or derived(derive, written) == made, (scheme.accepts, text, written)
    for name, scheme in NAMED_SPANS.items():
        if derived(scheme.derive, text) is not None:
            span = headers.span_in(text, name)
            assert span is None or (len(span) == 16 and int(span, 16)), (name, text, span)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
