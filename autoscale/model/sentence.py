"""What others say, as one short line: clouds, and the proxies before them, answer with pages of HTML at times."""

from __future__ import annotations

import html
import re

_MOST = 400  # characters
_PAGE = re.compile(r"<\s*(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_UNSEEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def one_line(text: str) -> str:
    """The text in one line of at most 400 characters, without a full stop; of a page in HTML, its title."""
    found = _PAGE.search(text)
    if found:
        page = _UNSEEN.sub(" ", text[found.start() :])
        title = _TITLE.search(page)
        text = text[: found.start()] + html.unescape(_TAG.sub(" ", title[2] if title else page))
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) > _MOST:
        return line[: _MOST - 3].rsplit(" ", 1)[0] + "..."
    return line.rstrip(".")
