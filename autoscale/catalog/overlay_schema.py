"""The pydantic models of an overlay file. Imported only when one is read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from autoscale.config import values
from autoscale.config.schema import Count, DurationS, Money, Section, Share, Word, reads

_CAPACITY_TYPES = ("on-demand", "spot", "reserved", "flex-start")


def _patterns(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(each, str) and each for each in items):
        raise ValueError("a pattern, or a list of patterns")
    return tuple(str(each) for each in items)


def _capacity_types(value: object) -> tuple[str, ...]:
    found = _patterns(value)
    for each in found:
        if each not in _CAPACITY_TYPES:
            raise ValueError(f"{', '.join(_CAPACITY_TYPES)}, or a list of them")
    return found


def _replicas(value: object) -> int:
    found = values.count(value)
    if found < 2:
        raise ValueError("a whole number, 2 or more")
    return found


def _profiles(value: object) -> dict[str, int]:
    expected = "profiles and how many of each a GPU is cut into, such as {1g.10gb: 7}"
    if not isinstance(value, dict) or not value:
        raise ValueError(expected)
    for name, each in value.items():
        if not isinstance(name, str) or "/" in name or isinstance(each, bool) or not isinstance(each, int) or each < 1:
            raise ValueError(expected)
    return value


def _scores(value: object) -> dict[int, int]:
    expected = "rates by least score of 1 to 10, such as {9: 0.5%, 5: 3%, 1: 10%}"
    if not isinstance(value, dict) or not value:
        raise ValueError(expected)
    out: dict[int, int] = {}
    for score, rate in value.items():
        if isinstance(score, bool) or not isinstance(score, int) or not 1 <= score <= 10:
            raise ValueError(expected)
        out[score] = values.share_ppm(rate)
    return out


Patterns = Annotated[tuple[str, ...], reads(_patterns)]


class For(Section):
    """Which offerings a rule is for."""

    provider: Patterns = ()
    region: Patterns = ()
    zone: Patterns = ()
    type: Patterns = ()
    capacity_type: Annotated[tuple[str, ...], reads(_capacity_types)] = ()


class InterruptionRule(Section):
    """How often nodes are interrupted, and what it costs."""

    hourly_rate: Share | None = None
    by_score: Annotated[dict[int, int], reads(_scores)] | None = None
    cost: Annotated[int, reads(values.money_microusd)] = 0
    lost_work: DurationS = 0


class GpuSharing(Section):
    """Time slicing, as the device plugin is configured for it."""

    replicas: Annotated[int, reads(_replicas)]
    resource: Word = "nvidia.com/gpu"


class Rule(Section):
    """One rule."""

    name: Word | None = None
    for_: Annotated[For, Field(alias="for")] = Field(default_factory=For)
    price: Money | None = None
    discount: Share | None = None
    node_charge: Money | None = None
    interruption: InterruptionRule | None = None
    resources: Annotated[dict[str, int], reads(values.amounts)] | None = None
    gpu_sharing: GpuSharing | None = None
    mig: Annotated[dict[str, int], reads(_profiles)] | None = None


class CommitmentEntry(Section):
    """What is paid whether it is used or not."""

    name: Word
    for_: Annotated[For, Field(alias="for")] = Field(default_factory=For)
    nodes: Count | None = None
    spend: Money | None = None
    discount: Share = 0


class OverlayFile(Section):
    """The whole file."""

    api_version: Literal["gpu-autoscale.dev/v1alpha1"]
    kind: Literal["Overlay"]
    rules: list[Rule] = Field(default_factory=list)
    commitments: list[CommitmentEntry] = Field(default_factory=list)
