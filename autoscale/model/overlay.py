"""What a person knows of prices and machines that no cloud tells: laid over the groups that providers report. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from autoscale.model.frozen import empty
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autoscale.model.catalog import Catalog
    from autoscale.model.supply import NodeGroup, Offering

GPU = "nvidia.com/gpu"
_PPM = 1_000_000
REGION = "topology.kubernetes.io/region"


@dataclass(frozen=True, slots=True)
class Selector:
    """Which offerings are meant: patterns as in a shell, any of them; none means all.

    A group that may become one of several types, or land in one of several zones, is meant when each of them is.
    """

    providers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    capacity_types: tuple[str, ...] = ()

    def matches(self, group: NodeGroup) -> bool:
        """Whether the group's offering is meant, for certain."""
        offering = group.offering
        return (
            _any(self.providers, group.provider)
            and _any(self.regions, group.labels.get(REGION, ""))
            and _any(self.zones, offering.zone)
            and all(_any(self.types, each) for each in offering.instance_type.split("|"))
            and _any(self.capacity_types, offering.capacity_type.value)
        )


@dataclass(frozen=True, slots=True)
class Interruption:
    """What being interrupted costs, and how often it happens.

    `hourly_rate_ppm`: interruptions of one node in an hour, in millionths. `by_score`: (least spot placement score, rate),
    highest score first, where the cloud tells a score. An interruption costs `cost_microusd`, and what the node cost in
    `lost_work_s`, since that work is done again.
    """

    hourly_rate_ppm: int | None = None
    by_score: tuple[tuple[int, int], ...] = ()
    cost_microusd: int = 0
    lost_work_s: int = 0

    def rate_ppm(self, score: int | None) -> int:
        """The rate at a score: that of the highest step that is not above it, else the plain one, else 0."""
        if score is not None:
            for least, rate in self.by_score:
                if score >= least:
                    return rate
        return self.hourly_rate_ppm or 0

    def expected_microusd_per_hour(self, price_microusd_per_hour: int, score: int | None) -> int:
        """Rate times what one interruption costs, rounded up."""
        lost = price_microusd_per_hour * self.lost_work_s  # micro-US$ x s / h
        return -(-self.rate_ppm(score) * (self.cost_microusd * 3600 + lost) // (3600 * _PPM))


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One rule of an overlay. Only one of `price` and `discount` is set, or neither.

    `resources`: extended resource -> how much a node has of it; 0 takes it away. `replicas`: how many pods share a GPU, under
    the name `shared_as`. `mig`: resource -> how many of it each GPU is cut into.
    """

    name: str
    selector: Selector
    price_microusd_per_hour: int | None = None
    discount_ppm: int | None = None
    node_charge_microusd_per_hour: int | None = None
    interruption: Interruption | None = None
    resources: Mapping[str, int] = field(default_factory=empty, hash=False)
    replicas: int | None = None
    shared_as: str = GPU
    mig: Mapping[str, int] = field(default_factory=empty, hash=False)


@dataclass(frozen=True, slots=True)
class Commitment:
    """What is paid whether it is used or not: `nodes`, or `spend_microusd_per_hour` at prices `discount_ppm` below the list's."""

    name: str
    selector: Selector
    nodes: int | None = None
    spend_microusd_per_hour: int | None = None
    discount_ppm: int = 0

    @property
    def size(self) -> int:
        """Nodes, or micro-US$ per hour."""
        return self.nodes if self.nodes is not None else self.spend_microusd_per_hour or 0

    def takes_of(self, offering: Offering) -> int:
        """How much of it one node takes. The discount is off what the cloud asks."""
        if self.nodes is not None:
            return 1
        price = offering.listed_microusd_per_hour or offering.price_microusd_per_hour
        return max(1, price - price * self.discount_ppm // _PPM)


@dataclass(frozen=True, slots=True)
class Overlay:
    """Rules in the order of the file.

    Of several that say something of one offering's price the last one counts; so too for its node charge and its
    interruptions. What they say of resources happens one after the other.
    """

    source: str = ""
    adjustments: tuple[Adjustment, ...] = ()
    commitments: tuple[Commitment, ...] = ()

    def matching(self, group: NodeGroup) -> tuple[Adjustment, ...]:
        """The rules that mean the group."""
        return tuple(each for each in self.adjustments if each.selector.matches(group))

    def laid_over(self, group: NodeGroup, score: int | None = None) -> NodeGroup:
        """The group as the rules have it. `score` is its spot placement score, None where there is none."""
        rules = self.matching(group)
        if not rules:
            return group
        room = group.allocatable
        for rule in rules:
            room = _room(room, rule)
        return replace(
            group,
            offering=_offering(group.offering, rules, score),
            allocatable=room,
            devices=_devices(group, room),
        )


def score_in(catalog: Catalog, group: NodeGroup) -> int | None:
    """The least spot placement score of the group's types in its zone; None for what is not spot, or not scored."""
    if group.offering.capacity_type != CapacityType.SPOT:
        return None
    accelerators = {each.name: each.accelerator for each in catalog.machines}
    found = [
        catalog.scores.get((accelerators.get(name, ""), group.offering.zone))
        for name in group.offering.instance_type.split("|")
    ]
    scores = [each for each in found if each is not None]
    return min(scores) if scores and len(scores) == len(found) else None


def _any(patterns: Iterable[str], text: str) -> bool:
    patterns = tuple(patterns)
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)


def _offering(offering: Offering, rules: tuple[Adjustment, ...], score: int | None) -> Offering:
    price, charge = offering.price_microusd_per_hour, 0
    interruption = None
    for rule in rules:
        if rule.price_microusd_per_hour is not None:
            price = rule.price_microusd_per_hour
        if rule.discount_ppm is not None:
            listed = offering.price_microusd_per_hour
            price = listed - listed * rule.discount_ppm // _PPM
        if rule.node_charge_microusd_per_hour is not None:
            charge = rule.node_charge_microusd_per_hour
        interruption = rule.interruption or interruption
    expected = interruption.expected_microusd_per_hour(price, score) if interruption else 0
    listed = offering.price_microusd_per_hour
    return replace(
        offering,
        price_microusd_per_hour=price + charge,
        interruption_microusd_per_hour=expected,
        listed_microusd_per_hour=listed if price + charge != listed else 0,
    )


def _room(room: Resources, rule: Adjustment) -> Resources:
    amounts = dict(room.amounts)
    gpus = amounts.get(GPU, 0)
    if rule.mig and gpus:
        amounts.pop(GPU)
        amounts |= {name: each * gpus for name, each in rule.mig.items()}
    if rule.replicas and gpus:
        amounts.pop(GPU, None)
        amounts[rule.shared_as] = gpus * rule.replicas
    return Resources({**amounts, **rule.resources})


def _devices(group: NodeGroup, room: Resources) -> tuple[str, ...]:
    """Those that the node still promises, and what the rules added to it."""
    before = group.allocatable
    added = {name for name in room if "/" in name and not before[name]}
    return tuple(sorted({name for name in group.devices if room[name] > 0} | {n for n in added if room[n] > 0}))
