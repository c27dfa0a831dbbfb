"""Everything that users can name has its words on a page, made of the code."""

from __future__ import annotations

import pytest

from support.reference import DOCS, PAGES, names, page
from support.reference.findings import finding
from support.since import append, since
from tracebridge.version import VERSION


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_is_what_the_code_says(name):
    """After a change of a name, a key, an option, a flag or its words: `cd tests && python -m support.reference`."""
    assert (DOCS / name).read_text() == page(name), (
        "a name, a key, an option or a command has changed; write the pages anew: cd tests && python -m support.reference"
    )


def test_no_two_things_share_a_name():
    """Whatever the reference tells of has a name of its own, so that its version can be looked up."""
    told = list(names())
    assert sorted(told) == sorted(set(told))


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("Client.flush", "0.1.0"),
        ("adapter zipkin: endpoint", "0.1.0"),
        ("adapter zipkin: proxy", "0.2.0"),
        ("tracebridge show", "0.1.0"),
        ("tracebridge show --html", "0.2.0"),
        ("something that is made today", VERSION),
    ],
)
def test_a_name_is_there_since_the_release_that_first_had_it(name, version):
    """A name that a release had keeps its version; one that none had comes with the version that is being made."""
    assert since(name) == version


def test_a_release_writes_down_what_no_release_had_before(tmp_path):
    """Releasing appends the new names, once; what stands there stays as it is, also when it is gone from the code."""
    released = tmp_path / "since.txt"
    released.write_text("0.1.0 Client.flush\n0.1.0 Client.gone\n")
    names_now = ["Client.flush", "Client.new", "tracebridge show --html"]
    assert (append(names_now, "0.2.0", released), append(names_now, "0.3.0", released)) == (2, 0)
    assert since("Client.new", released) == "0.2.0"
    assert released.read_text() == (
        "0.1.0 Client.flush\n0.1.0 Client.gone\n0.2.0 Client.new\n0.2.0 tracebridge show --html\n"
    )


def test_a_finding_says_what_was_expected_what_happens_and_why_a_user_cares(tmp_path):
    """The comments at the head of a script are its entry; one that leaves a part out is refused with what belongs there."""
    script = tmp_path / "a.sh"
    whole = "#!/usr/bin/env bash\n# lib: it does this.\n#\n# Expected: that,\n#   always.\n# Happens: this.\n# Why a user cares: money.\npip install lib[all]==1.2.3\n"
    script.write_text(whole)
    assert finding(script) == ("a.sh", "lib", "it does this.", ("lib 1.2.3",), ("that, always.", "this.", "money."))
    for part in ("# Happens: this.\n", "lib: ", "==1.2.3"):
        script.write_text(whole.replace(part, ""))
        with pytest.raises(ValueError, match="Why a user cares: …"):
            finding(script)
