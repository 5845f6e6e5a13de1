"""Files, directories and standard input as single documents of JSON bytes, each knowing where it came from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from autoscale.errors import BadInput
from autoscale.observe.strict import bad_json, check_text, read_bytes, too_deep
from autoscale.observe.yaml_documents import YamlDocuments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUFFIXES = (".yaml", ".yml", ".json")


class Document(NamedTuple):
    """One document as JSON. `where` names its file, and the document and line when there are several."""

    where: str
    raw: bytes | msgspec.Raw


def documents(paths: Iterable[str]) -> Iterator[Document]:
    """Every document of these files, directories (with what is below them) and `-`, in order. Raises BadInput."""
    for path in paths:
        for file in _files(path):
            yield from _documents(file, read_bytes(file))


def _files(path: str) -> list[str]:
    if path == "-" or not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        return [path]
    found = sorted(str(p) for p in Path(path).rglob("*") if p.suffix in _SUFFIXES and p.is_file())
    if not found:
        raise BadInput("there are no manifests in this directory", where=path, expected="files *.yaml, *.yml or *.json")
    return found


def _documents(file: str, data: bytes) -> Iterator[Document]:
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] not in (b"{", b"["):
        return _yaml_documents(file, data)
    check_text(data, name_of(file))
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except RecursionError as error:
        raise too_deep(name_of(file)) from error
    except msgspec.DecodeError as error:
        if "trailing" in str(error):
            return _json_documents(file, data)
        if file.endswith(".json"):
            raise bad_json(error, data, name_of(file)) from error
        return _yaml_documents(file, data)  # YAML in braces
    return iter([Document(name_of(file), text)])


def _json_documents(file: str, data: bytes) -> Iterator[Document]:
    """Objects one after the other, as jq writes them."""
    text = data.decode("utf-8-sig")
    decoder, at, number = json.JSONDecoder(), 0, 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        number += 1
        where = f"{name_of(file)} document {number} (line {text.count(chr(10), 0, at) + 1})"
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise BadInput(f"not JSON ({error.msg})", where=f"{name_of(file)} line {error.lineno}") from error
        except RecursionError as error:
            raise too_deep(name_of(file)) from error
        yield Document(where, msgspec.json.encode(value))
        at = end


def _yaml_documents(file: str, data: bytes) -> Iterator[Document]:
    return (Document(where, raw) for where, raw in YamlDocuments(name_of(file)).read(data))


def name_of(file: str) -> str:
    """What errors call it."""
    return "standard input" if file == "-" else file
