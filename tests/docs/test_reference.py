"""Everything that users can name has its words on a page, made of the code."""

from __future__ import annotations

from support.reference import PAGE, page


def test_the_reference_is_what_the_code_says():
    """After a change of a name, a key, an option, a flag or its words: `cd tests && python -m support.reference`."""
    assert PAGE.read_text() == page(), (
        "a name, a key, an option or a command has changed; write the page anew: cd tests && python -m support.reference"
    )
