"""YAML as documents of JSON bytes. Documents that differ only in a name are parsed once.

PyYAML reads some 3,000 small manifests a second even in C, and files with thousands of pods are made by machines. So
the text is cut at its document marks, and a List at its items; what is equal but for one `name:` is parsed once, with a
placeholder. Text that can't be cut safely (directives, content beside a mark, aliases across items) is parsed whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import yaml

from autoscale.config.yaml_tree import compose
from autoscale.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARK = re.compile(r"^---[ \t\r]*(?:\n|\Z)", re.MULTILINE)
_UNCUTTABLE = re.compile(r"^(?:%|\.\.\.|---[ \t]+\S)|[\x85\u2028\u2029]|\r(?!\n)", re.MULTILINE)
_NAME = re.compile(r"""^  name: (["']?)([a-z][a-z0-9.-]*)\1[ \t\r]*$""", re.MULTILINE)
_NO_STRING = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))
_PLACEHOLDER = b'"@name@"'
_ITEMS = re.compile(r"^items:[ \t\r]*\n((?:[ -].*(?:\n|\Z)|\r?\n)+)", re.MULTILINE)
_LONG = 10_000  # characters; a shorter List is parsed whole


class Parsed(NamedTuple):
    """A document as JSON, and the line that it starts in, from 0."""

    line: int
    raw: bytes


class YamlDocuments:
    """The documents of one file; `name` is what errors call the file."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: dict[str, tuple[bytes, bytes, int]] = {}

    def read(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Each document that is not empty, with its place in words before it. Raises BadInput, with the line."""
        for number, found in enumerate(self._documents(data), 1):
            yield f"{self._name} document {number} (line {found.line + 1})", found.raw

    def _documents(self, data: bytes) -> Iterator[Parsed]:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = ""  # UTF-16, perhaps: PyYAML knows
        if not text or _UNCUTTABLE.search(text):
            yield from self._parse(data, 0)
            return
        line, at = 0, 0
        for mark in (*_MARK.finditer(text), None):
            part = text[at : mark.start() if mark else len(text)]
            found = self._list(part) if len(part) > _LONG else None
            found = found or self._document(part, line)
            if found:
                yield Parsed(line + found.line, found.raw)
            line += part.count("\n") + 1
            at = mark.end() if mark else at

    def _document(self, text: str, line: int) -> Parsed | None:
        """The only document of the text, its line counted from the text's first; None when it is empty."""
        name = _NAME.search(text)
        if name is None or (not name[1] and name[2] in _NO_STRING):
            return next(self._parse(text, line), None)
        key = f'{text[: name.start()]}  name: "@name@"{text[name.end() :]}'
        known = self._known.get(key)
        if known is None:
            found = next(self._parse(key, line), None)
            if found is None or found.raw.count(_PLACEHOLDER) != 1:
                return next(self._parse(text, line), None)
            before, _, after = found.raw.partition(_PLACEHOLDER)
            known = self._known[key] = (before, after, found.line)
        before, after, start = known
        return Parsed(start, b'%b"%b"%b' % (before, name[2].encode(), after))

    def _list(self, text: str) -> Parsed | None:
        """A List, parsed item by item; None when the text is none, or can't be cut."""
        items = _ITEMS.search(text)
        if items is None:
            return None
        lines = items[1].split("\n")
        dash = lines[0][: len(lines[0]) - len(lines[0].lstrip(" "))] + "- "
        inner = " " * len(dash)
        if not all(line.startswith((dash, inner)) or not line.strip() for line in lines):
            return None
        try:
            head = next(self._parse(text[: items.start()] + text[items.end() :], 0), None)
            found = [
                self._document(item.replace(f"\n{inner}", "\n"), 0)
                for item in re.split(f"^{dash}", items[1], flags=re.MULTILINE)[1:]
            ]
        except BadInput:
            return None  # parsed whole, it tells the right line
        if head is None or not head.raw.startswith(b"{") or b'"items"' in head.raw or head.raw == b"{}":
            return None
        raw = b",".join(item.raw if item else b"null" for item in found)
        return Parsed(head.line, b'%b,"items":[%b]}' % (head.raw[:-1], raw))

    def _parse(self, text: str | bytes, line: int) -> Iterator[Parsed]:
        """All documents as PyYAML sees them; `line` is where the text starts, for errors."""
        try:
            loader = _LOADER(text)
            try:
                while loader.check_node():
                    node = compose(loader.get_node, strict=True)
                    value = loader.construct_document(node)
                    if node is not None and value is not None:
                        yield Parsed(node.start_mark.line, self._as_json(value, line + node.start_mark.line))
            finally:
                loader.dispose()
        except yaml.YAMLError as error:
            raise self._bad(error, line) from error

    def _as_json(self, value: object, line: int) -> bytes:
        try:
            return msgspec.json.encode(value)
        except (TypeError, ValueError, RecursionError) as error:
            where = f"{self._name} line {line + 1}"
            raise BadInput("this YAML has no equal in JSON", where=where, found=str(error)) from error

    def _bad(self, error: yaml.YAMLError, line: int) -> BadInput:
        mark = getattr(error, "problem_mark", None)
        where = f"{self._name} line {line + mark.line + 1}" if mark else self._name
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        return BadInput(f"not YAML ({problem})", where=where)
