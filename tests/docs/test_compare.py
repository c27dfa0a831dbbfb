"""Figures that stand on several pages are those of the pages that measure them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/compare.md", "docs/from-jaeger-client.md", "docs/from-py-zipkin.md", "docs/performance.md"]
NUMBER = r"\d[\d,]*(?:\.\d+)?"


def numbers(text: str) -> list[float]:
    """Every number of a text."""
    return [float(each.replace(",", "")) for each in re.findall(NUMBER, text)]


@pytest.mark.parametrize("page", PAGES)
def test_what_was_lost_elsewhere_is_what_the_harness_counted(page: str) -> None:
    """Each "3 of 50" of a page is a cell of docs/reliability.md."""
    counted = (ROOT / "docs" / "reliability.md").read_text().replace("**", "")
    told = re.findall(rf"{NUMBER} of\s{NUMBER}", (ROOT / page).read_text().partition("<!-- made by")[0])
    assert [each for each in told if " ".join(each.split()) not in counted] == []


@pytest.mark.parametrize("page", PAGES)
def test_what_a_span_costs_elsewhere_is_what_was_measured(page: str) -> None:
    """Each time of a page is in the table of docs/performance.md, to as many digits as the page gives."""
    told, _, measured = (ROOT / "docs" / "performance.md").read_text().partition("<!-- made by")
    text = told if page == "docs/performance.md" else (ROOT / page).read_text()
    figures = re.findall(rf"({NUMBER}) (?:µs|ms) of CPU", text)
    table = numbers(measured.partition("<!-- end -->")[0])
    wrong = [each for each in figures if float(each) not in {round(one, len(each.partition(".")[2])) for one in table}]
    assert wrong == [], "docs/performance.md was measured anew: write its figures here, too"
