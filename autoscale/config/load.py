"""Find a configuration, read it, check all of it, freeze it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from autoscale.config.problems import BadConfig, nearest
from autoscale.config.settings import CatalogSettings, Settings
from autoscale.errors import BadInput
from autoscale.model.settings import DecideSettings, LoopSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from autoscale.config.document import Document, Loc
    from autoscale.config.schema import File
    from autoscale.ports import Policy

    _Found = tuple[int, BadInput]


@runtime_checkable
class Adjusts(Protocol):
    """A policy that also changes a number the decision starts from, such as how long a node may be idle."""

    def adjust(self, settings: DecideSettings) -> DecideSettings:
        """The settings with this policy's say in them."""
        ...


ENVIRONMENT = "AUTOSCALE_CONFIG"


def find(given: str | None) -> str | None:
    """The file to read: the one given, else the one that $AUTOSCALE_CONFIG names, else none (the defaults)."""
    return given or os.environ.get(ENVIRONMENT) or None


def load(path: str | None, *, policies: Mapping[str, Callable[[], type]]) -> Settings:
    """Settings from a file, the defaults without one.

    `policies` has, by name, how to get each known policy's class. Raises BadConfig with every error there is.
    """
    if path is None:
        return Settings(digest=digest_of({}))
    return parse(read_file(path, what="configuration"), policies=policies)


def read_file(path: str, *, what: str) -> Document:
    """The YAML in a file, with its lines. Raises BadInput."""
    from autoscale.config.document import read

    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadInput(f"no such {what} file", where=path) from error
    except IsADirectoryError as error:
        raise BadInput("a directory", where=path, expected=f"a {what} file") from error
    except UnicodeDecodeError as error:
        raise BadInput("not text in UTF-8", where=path) from error
    except OSError as error:
        raise BadInput(f"can't be read, {str(error.strerror).lower()}", where=path) from error
    return read(text, name=path, what=f"an {what}" if what[0] in "aeiou" else f"a {what}")


def parse(document: Document, *, policies: Mapping[str, Callable[[], type]]) -> Settings:
    """Settings from a document. Raises BadConfig with every error there is."""
    from pydantic import ValidationError

    from autoscale.config.schema import File

    problems: list[_Found] = []
    checked: File | None = None
    try:
        checked = File.model_validate(dict(document.values))
    except ValidationError as error:
        problems += problems_of(error, File, document)
    built = _policies(document, policies, problems)
    if checked is not None and checked.batch.idle > checked.batch.max:
        problems.append(_batch(document))
    if problems or checked is None:
        raise BadConfig([problem for _, problem in sorted(problems, key=lambda found: found[0])])
    return _settings(document, checked, built)


def _settings(document: Document, file: File, policies: tuple[Policy, ...]) -> Settings:
    decide = DecideSettings(
        cluster=file.cluster,
        node_cost_microusd_per_hour=file.objective.cost_per_node,
        provision_timeout_s=file.reservation.provision_timeout,
        hold_timeout_s=file.reservation.hold_timeout,
        daemon_timeout_s=file.reservation.daemon_timeout,
        scheduler_names=frozenset(file.scheduling.scheduler_names),
        changes_pods=file.reservation.claims == "pods",
        expendable_below=file.scheduling.expendable_below,
        preferences_max_extra_ppm=file.preferences.max_extra_cost,
        gpu_pods_only=file.pods == "gpu",
    )
    for policy in policies:
        if isinstance(policy, Adjusts):
            decide = policy.adjust(decide)
    return Settings(
        source=document.name,
        digest=digest_of(document.values),
        providers=None if file.providers is None else {name: each or {} for name, each in file.providers.items()},
        provider_lines={str(loc[1]): line for loc, line in document.lines.items() if _is_provider(loc)},
        loop=LoopSettings(quiet_s=file.batch.idle / 1000, batch_max_s=file.batch.max / 1000),
        solver_time_limit_s=file.solver.time_limit / 1000,
        policies=policies,
        decide=decide,
        claims="" if file.reservation.claims == "pods" else file.reservation.claims,
        catalog=CatalogSettings(
            cache=_beside(document, file.catalog.cache),
            overlay=_beside(document, file.catalog.overlay),
            refresh_s=file.catalog.refresh,
        ),
    )


def _beside(document: Document, path: str) -> str:
    """A path in the file, as seen from where we run: it counts from the folder of the configuration."""
    return str(Path(document.name).parent / Path(path).expanduser()) if path else ""


def _is_provider(loc: Loc) -> bool:
    return len(loc) == 2 and loc[0] == "providers"


def _policies(
    document: Document, known: Mapping[str, Callable[[], type]], problems: list[_Found]
) -> tuple[Policy, ...]:
    """The policies in the order of the file; what is wrong with them goes to `problems`."""
    listed = document.values.get("policies")
    out: list[Policy] = []
    for index, item in enumerate(listed if isinstance(listed, list) else []):
        if not isinstance(item, dict):
            continue  # the schema has said so
        loc: Loc = ("policies", index)
        if len(item) != 1:
            found = ", ".join(map(str, item)) or "none"
            problem = BadInput("not one policy", where=document.where(loc), expected="one key", found=found)
            problems.append((document.line(loc), problem))
            continue
        name, options = next(iter(item.items()))
        if name not in known:
            where = document.where((*loc, name))
            problem = BadInput(f"unknown policy {name!r}", where=where, expected=nearest(str(name), known))
            problems.append((document.line((*loc, name)), problem))
            continue
        policy = _policy(known[name](), options or {}, document, (*loc, name), problems)
        if policy is not None:
            out.append(policy)
    return tuple(out)


def _policy(kind: type, options: Any, document: Document, loc: Loc, problems: list[_Found]) -> Policy | None:
    from pydantic import ValidationError

    from autoscale.config.options import build, model_of

    model = model_of(kind)
    try:
        policy: Policy = build(kind, model.model_validate(options))
    except ValidationError as error:
        problems += problems_of(error, model, document, loc)
    except BadInput as error:
        where = document.where(loc)
        problem = BadInput(error.what, where=where, expected=error.expected, found=error.found)
        problems.append((document.line(loc), problem))
    else:
        return policy
    return None


def _batch(document: Document) -> _Found:
    loc = ("batch", "idle")
    batch = {"idle": "1s", "max": "10s", **document.values["batch"]}
    expected = f"at most {batch['max']}"
    problem = BadInput("longer than batch.max", where=document.where(loc), expected=expected, found=batch["idle"])
    return document.line(loc), problem


def problems_of(error: Any, model: type[BaseModel], document: Document, base: Loc = ()) -> list[tuple[int, BadInput]]:
    """Pydantic's errors as sentences, with their lines."""
    return [_problem(each, model, document, base) for each in error.errors(include_url=False)]


def _problem(error: Mapping[str, Any], model: type[BaseModel], document: Document, base: Loc) -> _Found:
    loc: Loc = tuple(part for part in error["loc"] if part != "[key]")
    where, line = document.where((*base, *loc)), document.line((*base, *loc))
    if error["type"] == "extra_forbidden":
        where = document.where((*base, *loc))
        return line, BadInput("unknown key", where=where, expected=nearest(str(loc[-1]), _keys(model, loc[:-1])))
    if error["type"] == "missing":
        return line, BadInput(f"{loc[-1]} is missing", where=document.where((*base, *loc[:-1])))
    expected = error.get("ctx", {}).get("expected") or _EXPECTED.get(error["type"], error["msg"].lower())
    return line, BadInput("wrong value", where=where, expected=str(expected), found=_shown(error["input"]))


_EXPECTED = {
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "dict_type": "a mapping of keys",
    "list_type": "a list",
}


def _keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys known at a place: down through sections, and through mappings and lists of sections."""
    from typing import get_args

    from pydantic import BaseModel

    for part in loc:
        field = next((f for name, f in model.model_fields.items() if (f.alias or name) == part), None)
        if field is None:
            continue  # the key or index of a mapping or list of sections
        pending = [field.annotation]
        while pending:
            kind: Any = pending.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                model = kind
                break
            pending += get_args(kind)
    return [field.alias or name for name, field in model.model_fields.items()]


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def digest_of(values: Mapping[str, Any]) -> str:
    """A hash of what a file says; comments and order don't count."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
