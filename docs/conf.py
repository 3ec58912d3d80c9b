"""The documentation site: the README and the pages of ``docs/``, as ``make docs`` builds them."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

project = "feedsway"
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "docs/**.md"]
extensions = ["myst_parser"]
myst_heading_anchors = 6
html_theme = "furo"
html_title = "feedsway"
html_copy_source = False
CONTENTS = """

```{toctree}
:hidden:
:glob:

docs/*
docs/decisions/README
CHANGELOG
```
"""
DECISIONS = """

```{toctree}
:hidden:
:glob:

*
```
"""
START = '<!doctype html><meta http-equiv="refresh" content="0; url=README.html"><title>feedsway'


def _append_contents(_: Sphinx, page: str, source: list[str]) -> None:
    """Give the pages that lead to others a table of contents, which only a site needs."""
    source[0] += {"README": CONTENTS, "docs/decisions/README": DECISIONS}.get(page, "")


def _write_start(app: Sphinx, problem: Exception | None) -> None:
    if problem is None:
        Path(app.outdir, "index.html").write_text(START + "</title>\n", encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Have the site begin with the README."""
    app.connect("source-read", _append_contents)
    app.connect("build-finished", _write_start)
