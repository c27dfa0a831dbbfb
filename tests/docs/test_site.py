"""The site of the pages: whole, without a request to anywhere, and searchable where no server is."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from website.__main__ import build
from website.check import problems
from website.layout import ROOT, lay_out, not_in_the_navigation

from support.backends.cache import REQUIRE
from support.browser import Browser

SEARCH = "document.activeElement.shadowRoot"
BUILT = ROOT / "build" / "website" / "site"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made now where the generator is installed, else what `python -m website` has made."""
    if importlib.util.find_spec("zensical"):
        return build(tmp_path_factory.mktemp("website") / "work")
    if not BUILT.exists():
        why = "there is no site: pip install '.[docs]' && python -m website"
        (pytest.fail if os.environ.get(REQUIRE) else pytest.skip)(why)
    return BUILT


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A copy of docs/."""
    return Path(shutil.copytree(ROOT / "docs", tmp_path / "docs"))


def test_every_page_has_one_place_in_the_navigation(tmp_path: Path, pages: Path) -> None:
    """A page that is left out, or is gone, is a complaint; the pages that there are have none."""
    lay_out(tmp_path / "as it is")
    assert list(not_in_the_navigation(tmp_path / "as it is" / "pages")) == []
    (pages / "threads.md").rename(pages / "new.md")
    lay_out(tmp_path / "changed", pages)
    assert list(not_in_the_navigation(tmp_path / "changed" / "pages")) == [
        "docs/new.md: give it a place in the nav of website/zensical.toml",
        "website/zensical.toml: threads.md of the nav does not exist, or no page links to it",
    ]


def test_a_link_out_of_the_pages_leads_to_a_page_that_shows_the_file(tmp_path: Path) -> None:
    """A folder, a source, a page and data of the repository; what stands in a block stays as it is, and so does a dead link."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text(
        "[s](../examples/saga) [w](../examples/saga/step.py) [r](../RATIONALE.md#the-pages) [d](../config/tracebridge_config/id_vectors.json)\n"
        '[b](b.md#c) [gone](../gone.py)\n| `a \\| b` | c \\| d |\n```text shown title="t"\n[s](../examples/saga)\n```\n'
    )
    lay_out(tmp_path / "work", docs)
    laid_out = tmp_path / "work" / "pages"
    assert (laid_out / "a.md").read_text() == (
        "[s](project/examples/saga.md) [w](project/examples/saga/step.py.md) [r](project/RATIONALE.md#the-pages) "
        '[d](project/config/tracebridge_config/id_vectors.json)\n[b](b.md#c) [gone](../gone.py)\n| `a | b` | c \\| d |\n```text title="t"\n[s](../examples/saga)\n```\n'
    )
    step = (ROOT / "examples" / "saga" / "step.py").read_text().rstrip()
    assert (
        laid_out / "project/examples/saga/step.py.md"
    ).read_text() == f"# examples/saga/step.py\n\n````python\n{step}\n````\n"
    assert f"## step.py\n\n````python\n{step}\n````" in (laid_out / "project/examples/saga.md").read_text()


def test_what_is_wrong_with_a_site_is_found(tmp_path: Path) -> None:
    """Dead links, anchors and pictures, and whatever a browser would fetch from elsewhere; what a reader may follow may be anywhere."""
    (tmp_path / "a.html").write_text(
        '<h1 id="a">A</h1><a href="https://example.com">e</a><a href="b.html#b">b</a><a href="#a">a</a><img src="data:,">'
        '<a href="b.html#c">c</a><a href="gone.html">g</a><img src="p.svg"><script src="//cdn.example/x.js"></script><link href="https://f.example/f.css">'
    )
    (tmp_path / "b.html").write_text(
        '<h1 id="b">B</h1><p>```python x</p><pre>```a \\|</pre><td><code>str \\| None</code></td><p>[a](b)</p>'
    )
    (tmp_path / "c.css").write_text("a { background: url('https://c.example/c.png') } b { background: url(own.png) }")
    assert list(problems(tmp_path)) == [
        "a.html: b.html#c has no such anchor",
        "a.html: <a> leads to gone.html, which is not there",
        "a.html: <img> leads to p.svg, which is not there",
        "a.html: <link> makes the browser fetch https://f.example/f.css",
        "a.html: <script> makes the browser fetch //cdn.example/x.js",
        "b.html: this Markdown was not understood: ```python x",
        "b.html: this Markdown was not understood: str \\| None",
        "b.html: this Markdown was not understood: [a](b)",
        "c.css makes the browser fetch https://c.example/c.png",
    ]


@pytest.mark.server
class TestInABrowser:
    """Opened as files, with the network refused."""

    @pytest.fixture
    def reader(self, browser: Browser) -> Iterator[Browser]:
        """A browser that is offline."""
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        browser.devtools("Network.enable")
        browser.devtools("Network.emulateNetworkConditions", **offline)
        browser.log()
        yield browser
        browser.devtools("Network.emulateNetworkConditions", **offline | {"offline": False})

    def test_pages_load_without_a_word_in_the_console(self, site: Path, reader: Browser) -> None:
        """Each page shows its heading and its pictures, fits a phone, and asks for nothing that is not in the site."""
        for page in sorted(site.glob("*.html")):
            if page.stem == "404":
                continue
            reader.screen(400)
            reader.open(page.as_uri())
            reader.until("document.readyState === 'complete' && document.querySelector('h1').innerText")
            wrong = {
                "console": reader.log(),
                "elsewhere": reader.run(
                    "return performance.getEntriesByType('resource').map((one) => one.name).filter((name) => !/^(file|data|blob):/.test(name))"
                ),
                "pictures": reader.run(
                    "return [...document.images].filter((one) => !one.naturalWidth).map((one) => one.src)"
                ),
                "too wide": reader.run("return document.documentElement.scrollWidth > innerWidth"),
            }
            assert (page.name, wrong) == (
                page.name,
                {"console": [], "elsewhere": [], "pictures": [], "too wide": False},
            )

    def test_a_word_is_found(self, site: Path, reader: Browser) -> None:
        """What is typed into the search leads to the one page that says it."""
        reader.screen(1280)
        reader.open((site / "index.html").as_uri())
        reader.click(".md-search__button")
        reader.until(f"{SEARCH}?.querySelector('input')")
        reader.press(*"jenkinsfile")
        reader.until(f"{SEARCH}.querySelector('[role=status]').innerText === '1 result'")
        reader.press("Enter")
        reader.until("location.pathname.endsWith('/ci-pipelines.html')")
