"""The overlay file: YAML to the model's rules, strictly, every error with its line."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from autoscale.config.problems import BadConfig
from autoscale.errors import BadInput
from autoscale.model.overlay import Adjustment, Commitment, Interruption, Overlay, Selector

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscale.catalog.overlay_schema import CommitmentEntry, For, InterruptionRule, Rule
    from autoscale.config.document import Document

_SAYS = ("price", "discount", "node_charge", "interruption", "resources", "gpu_sharing", "mig")
_MIG = "nvidia.com/mig-"


def load_overlay(path: str, *, providers: tuple[str, ...]) -> tuple[Overlay, str]:
    """The overlay in a file, and a digest of what it says. `providers` are the clouds there are. Raises BadConfig with every error there is."""
    from pydantic import ValidationError

    from autoscale.catalog.overlay_schema import OverlayFile
    from autoscale.config.load import digest_of, problems_of, read_file

    document = read_file(path, what="overlay")
    try:
        found = OverlayFile.model_validate(dict(document.values))
    except ValidationError as error:
        raise BadConfig(
            [problem for _, problem in sorted(problems_of(error, OverlayFile, document), key=lambda each: each[0])]
        ) from error
    problems = [
        problem for index, rule in enumerate(found.rules) for problem in _problems(rule, index, document, providers)
    ]
    problems += _commitment_problems(found.commitments, document, providers)
    if not found.rules and not found.commitments:
        problems.append(BadInput("it says nothing", where=path, expected="rules, commitments or both"))
    if problems:
        raise BadConfig(problems)
    commitments = tuple(
        Commitment(each.name, _selector(each.for_), each.nodes, each.spend, each.discount) for each in found.commitments
    )
    rules = tuple(_adjustment(rule, index, document) for index, rule in enumerate(found.rules))
    return Overlay(path, rules, commitments), digest_of(document.values)


def _problems(rule: Rule, index: int, document: Document, providers: tuple[str, ...]) -> Iterator[BadInput]:
    """What the shape of the file alone does not rule out."""
    loc = ("rules", index)
    if not any(getattr(rule, each) is not None for each in _SAYS):
        yield BadInput(
            "the rule says nothing",
            where=document.where(loc),
            expected="price, discount, nodeCharge, interruption, resources, gpuSharing or mig",
        )
    if rule.price is not None and rule.discount is not None:
        yield BadInput("both price and discount", where=document.where((*loc, "discount")), expected="one of them")
    if rule.mig is not None and rule.gpu_sharing is not None:
        yield BadInput("both mig and gpuSharing", where=document.where((*loc, "mig")), expected="one of them")
    yield from _provider_problems(rule.for_, document, loc, providers)
    if rule.interruption is not None:
        yield from _interruption_problems(rule.interruption, document, (*loc, "interruption"))


def _provider_problems(
    found: For, document: Document, loc: tuple[str | int, ...], providers: tuple[str, ...]
) -> Iterator[BadInput]:
    """Names of clouds that nobody has."""
    for pattern in found.provider:
        if not any(fnmatchcase(name, pattern) for name in providers):
            where = document.where((*loc, "for", "provider"))
            yield BadInput(f"no provider like {pattern!r}", where=where, expected=", ".join(sorted(providers)))


def _commitment_problems(
    found: Sequence[CommitmentEntry], document: Document, providers: tuple[str, ...]
) -> Iterator[BadInput]:
    names: set[str] = set()
    for index, each in enumerate(found):
        loc = ("commitments", index)
        if (each.nodes is None) == (each.spend is None):
            yield BadInput("not one size", where=document.where(loc), expected="nodes or spend")
        if each.discount and each.spend is None:
            where = document.where((*loc, "discount"))
            yield BadInput(
                "a discount without spend", where=where, expected="spend, of which nodes take their reduced price"
            )
        if each.name in names:
            yield BadInput(f"{each.name} is given twice", where=document.where((*loc, "name")))
        names.add(each.name)
        yield from _provider_problems(each.for_, document, loc, providers)


def _interruption_problems(
    rule: InterruptionRule, document: Document, loc: tuple[str | int, ...]
) -> Iterator[BadInput]:
    if rule.hourly_rate is None and rule.by_score is None:
        yield BadInput("no rate", where=document.where(loc), expected="hourlyRate, byScore or both")
    if not rule.cost and not rule.lost_work:
        yield BadInput(
            "an interruption that costs nothing", where=document.where(loc), expected="cost, lostWork or both"
        )


def _adjustment(rule: Rule, index: int, document: Document) -> Adjustment:
    sharing = rule.gpu_sharing
    return Adjustment(
        name=rule.name or f"rule on line {document.line(('rules', index))}",
        selector=_selector(rule.for_),
        price_microusd_per_hour=rule.price,
        discount_ppm=rule.discount,
        node_charge_microusd_per_hour=rule.node_charge,
        interruption=_interruption(rule.interruption) if rule.interruption else None,
        resources=rule.resources or {},
        replicas=sharing.replicas if sharing else None,
        shared_as=sharing.resource if sharing else "nvidia.com/gpu",
        mig={f"{_MIG}{profile}": count for profile, count in (rule.mig or {}).items()},
    )


def _selector(found: For) -> Selector:
    return Selector(found.provider, found.region, found.zone, found.type, found.capacity_type)


def _interruption(found: InterruptionRule) -> Interruption:
    return Interruption(
        hourly_rate_ppm=found.hourly_rate,
        by_score=tuple(sorted((found.by_score or {}).items(), reverse=True)),
        cost_microusd=found.cost,
        lost_work_s=found.lost_work,
    )
