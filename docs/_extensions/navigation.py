"""The site's navigation is what a page lists, so that one list serves readers on GitHub and on the site.

A page takes part that is the index, lists other pages, or has a folder of its name with pages made by the build.
"""

import re

from sphinx.application import Sphinx

SECTION = re.compile(r"^## (?P<caption>.+)$")
ENTRY = re.compile(r"^- \[(?P<title>[^]]+)\]\((?P<page>[\w/.-]+)\.md\)")
LISTING_PAGES = ("index", "adr/README")
MADE_PAGES = {"reference": "reference/pinterest_pipeline/*/index"}


def append_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    if page in LISTING_PAGES:
        source[0] += "".join(toctree(entries, caption) for caption, entries in listed(source[0]).items())
    elif page in MADE_PAGES:
        source[0] += toctree([MADE_PAGES[page]], options=(":glob:", ":maxdepth: 2"))


def listed(text: str) -> dict[str, list[str]]:
    """Return by heading the pages that the list under it links to first in an entry."""
    sections: dict[str, list[str]] = {}
    caption = ""
    for line in text.splitlines():
        if found := SECTION.match(line):
            caption = found["caption"]
        elif found := ENTRY.match(line):
            sections.setdefault(caption, []).append(f"{found['title']} <{found['page']}>")
    return sections


def toctree(entries: list[str], caption: str = "", options: tuple[str, ...] = (":hidden:",)) -> str:
    named = [f":caption: {caption}"] if caption else []
    return "\n".join(["", "", "```{toctree}", *options, *named, "", *entries, "```", ""])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", append_contents)
    return {"parallel_read_safe": True}
