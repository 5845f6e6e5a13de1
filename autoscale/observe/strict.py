"""What people write, read strictly: an error names file, line or key, what was expected and what was found."""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from autoscale.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import msgspec

_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_MISMATCH = re.compile(r"Expected (.*?)(?:, got (.*))?")
_AT = re.compile(r"(.*?)(?: - at (?:the key |)`(.*)`)?", re.DOTALL)
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}
_BOUNDS = ((">= ", "of at least "), ("<= ", "of at most "), ("of length >= ", "of a length of at least "))
_BYTE = re.compile(r"\s*\(byte (\d+)\)")


def read_bytes(path: str) -> bytes:
    """A file's bytes, or standard input's for `-`. BadInput when there is nothing to read."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except IsADirectoryError as error:
        raise BadInput("this is a directory", where=path, expected="a file") from error
    except FileNotFoundError as error:
        raise BadInput("there is no such file", where=path) from error
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path) from error
    if not data.strip():
        raise BadInput("the file is empty" if path != "-" else "standard input is empty", where=path)
    return data


def nearest(word: str, known: Iterable[str]) -> str:
    """What to expect instead of an unknown word: the nearest that is known, else all of them."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return close[0] if close else "one of " + ", ".join(words)


def check_text(data: bytes, where: str) -> None:
    """BadInput when the bytes are not UTF-8, with the line."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"the byte {data[error.start]:#x}"
        raise BadInput("not text", where=f"{where} line {line}", expected="UTF-8", found=found) from error


def bad_json(error: msgspec.DecodeError, data: bytes, where: str) -> BadInput:
    """The error of bytes that are no JSON, with the line."""
    text = str(error)
    if "truncated" in text:
        lines = data.rstrip().count(b"\n") + 1
        return BadInput("the JSON ends too early", where=f"{where} line {lines}")
    at = _BYTE.search(text)
    line = data.count(b"\n", 0, int(at[1])) + 1 if at else 1
    what = _BYTE.sub("", text.removeprefix("JSON is malformed: "))
    return BadInput(f"not JSON ({what})", where=f"{where} line {line}")


def too_deep(where: str) -> BadInput:
    """The error of JSON with more levels than can be read."""
    return BadInput("it has too many levels", where=where)


def bad_value(error: msgspec.ValidationError, where: str, keys: Mapping[str, Iterable[str]]) -> BadInput:
    """The error of a value that does not fit, with its path.

    `keys`: last key on the path ("" at the top) -> keys that are known there.
    """
    match = _AT.fullmatch(str(error))
    text, path = (match[1], match[2] or "$") if match else (str(error), "$")
    path = path.removeprefix("$").removeprefix(".")
    here = " ".join(filter(None, [where, path]))
    if unknown := _UNKNOWN.fullmatch(text):
        last = re.sub(r"\[[^]]*\]", "", path).rsplit(".", 1)[-1]
        known = keys.get(last, ())
        return BadInput("unknown key", where=here, expected=nearest(unknown[1], known), found=unknown[1])
    if missing := _MISSING.fullmatch(text):
        return BadInput(f"the key {missing[1]} is missing", where=here)
    if mismatch := _MISMATCH.fullmatch(text):
        expected, found = _plain(mismatch[1]), _plain(mismatch[2] or "")
        what = "wrong kind of value" if found else "the value is out of bounds"
        return BadInput(what, where=here, expected=expected, found=found)
    return BadInput(text[:1].lower() + text[1:], where=here)


def _plain(text: str) -> str:
    """The decoder's words for kinds of values as a person's: `int | null` is `a whole number`."""
    kinds = [each for each in text.replace("`", "").split(" | ") if each]
    if len(kinds) > 1 and "null" in kinds:
        kinds.remove("null")
    return " or ".join(_kind(each) for each in kinds)


def _kind(text: str) -> str:
    name, _, bound = text.partition(" ")
    for words, plain in _BOUNDS:
        if bound.startswith(words):
            bound = plain + bound.removeprefix(words).removesuffix(".0")
    return f"{_KINDS.get(name, name)} {bound}".rstrip()
