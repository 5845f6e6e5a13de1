"""The instance metadata `kube-env`, as Cluster Autoscaler reads it: what a node will be, told before any of them exists.

Only its key `AUTOSCALER_ENV_VARS` is looked at: `NAME=VALUE;NAME=VALUE`, with lists as `KEY=VALUE,KEY=VALUE`. The document
also holds certificates and tokens: nothing of it is ever quoted but the names of variables that can't be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autoscale.model.frozen import empty
from autoscale.model.names import SLOT
from autoscale.model.resources import Resources
from autoscale.model.workload import Taint

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLES = "AUTOSCALER_ENV_VARS"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_STARTUP = ("startup-taint.cluster-autoscaler.kubernetes.io/", "ignore-taint.cluster-autoscaler.kubernetes.io/")


@dataclass(frozen=True, slots=True)
class KubeEnv:
    """What the node bootstrap says. `reserved` is None when it does not say; `local_ssds` hold the node's disk space.

    Taints that only last while a node starts are left out: they keep nobody from using it later.
    """

    labels: Mapping[str, str] = field(default_factory=empty)
    taints: tuple[Taint, ...] = ()
    reserved: Mapping[str, int] | None = None
    resources: Mapping[str, int] = field(default_factory=empty)
    arch: str = ""
    os: str = "linux"
    local_ssds: int = 0


def kube_env(text: str) -> KubeEnv | str:
    """From the metadata's value, or a sentence naming what can't be read. Empty text says nothing."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader, in C where there is one
    except yaml.YAMLError:
        return "its kube-env is not YAML"
    if not isinstance(document, dict):
        return "its kube-env is not a map" if document else KubeEnv()
    variables = _variables(str(document.get(_VARIABLES) or ""))
    if isinstance(variables, str):
        return variables
    try:
        return _parsed(variables)
    except _UnreadableError as error:
        return f"kube-env {_VARIABLES} {error}"


class _UnreadableError(ValueError):
    """Names a variable, never its value."""


def _variables(text: str) -> dict[str, str] | str:
    found: dict[str, str] = {}
    for part in filter(str.strip, text.split(";")):
        name, equals, value = part.strip().partition("=")
        if not equals:
            return f"kube-env {_VARIABLES}: expected NAME=VALUE separated by semicolons"
        found.setdefault(name.strip(), value.strip(" \"'"))
    return found


def _parsed(variables: Mapping[str, str]) -> KubeEnv:
    reserved = _pairs(variables, "kube_reserved")
    ssds = variables.get("ephemeral_storage_local_ssd_count", "0")
    if not ssds.isdecimal():
        raise _UnreadableError("ephemeral_storage_local_ssd_count: expected a whole number")
    return KubeEnv(
        labels=_pairs(variables, "node_labels") or {},
        taints=_taints(variables),
        reserved=None if not reserved else _amounts(reserved, "kube_reserved", up=True),
        resources=_amounts(_pairs(variables, "extended_resources") or {}, "extended_resources", up=False),
        arch=variables.get("arch", ""),
        os=variables.get("os", "linux"),
        local_ssds=int(ssds),
    )


def _pairs(variables: Mapping[str, str], name: str) -> dict[str, str] | None:
    """A list of `KEY=VALUE`; None when the variable is not there."""
    if name not in variables:
        return None
    found = {}
    for part in filter(None, variables[name].split(",")):
        key, equals, value = part.partition("=")
        if not (key and equals):
            raise _UnreadableError(f"{name}: expected KEY=VALUE separated by commas")
        found[key.strip()] = value
    return found


def _taints(variables: Mapping[str, str]) -> tuple[Taint, ...]:
    found = []
    for key, text in (_pairs(variables, "node_taints") or {}).items():
        value, _, effect = text.rpartition(":")
        if effect not in _EFFECTS:
            raise _UnreadableError(f"node_taints: expected {key}=VALUE:EFFECT with an effect of {', '.join(_EFFECTS)}")
        if key != SLOT and not key.startswith(_STARTUP):
            found.append(Taint(key, value, effect))
    return tuple(found)


def _amounts(pairs: Mapping[str, Any], name: str, *, up: bool) -> dict[str, int]:
    try:
        found = {key: Resources.parse({key: value}, up=up)[key] for key, value in pairs.items()}
    except ValueError:
        raise _UnreadableError(f"{name}: expected Kubernetes quantities") from None
    if any(amount < 0 for amount in found.values()):
        raise _UnreadableError(f"{name}: expected amounts of 0 or more")
    return found
