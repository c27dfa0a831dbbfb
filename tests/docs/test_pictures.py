"""The pictures of terminals on the pages show what the commands draw now."""

from __future__ import annotations

import re

import pytest

from support.terminal_pictures import ALL, PICTURES

_TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")
_DRAWN = re.compile(r"[╸╺━─│├└┌]+")


def words(svg: str) -> list[str]:
    """Return the words of a picture, without what differs each time: numbers, IDs, units of time and lengths of bars."""
    text = " ".join(_TEXT.findall(svg)).replace("&#160;", " ")
    return [
        word
        for word in _DRAWN.sub(" ", text).split()
        if word.isascii() and word.strip("·✓✗").isalpha() and word not in {"ns", "ms", "s"}
    ]


@pytest.mark.parametrize("name", ALL)
def test_a_picture_shows_what_the_command_draws(name, tmp_path):
    """After a change of what it draws: `cd tests && python -m support.terminal_pictures`, and look at them."""
    kept, now = words((PICTURES / name).read_text()), words(ALL[name](tmp_path))
    assert len(kept) >= 10
    assert kept == now, "a picture is stale; make all anew: cd tests && python -m support.terminal_pictures"


def test_pictures_fetch_nothing():
    """No picture names a font, a style or a picture elsewhere."""
    fetched = {
        path.name: re.findall(r"(?:href|src)=\"(https?:[^\"]+)|url\(\"?(https?:[^\")]+)", path.read_text())
        for path in PICTURES.glob("*.svg")
    }
    assert {name: found for name, found in fetched.items() if found} == {}
