"""The composition root: configuration to providers, policies, cluster and solver. The only place that builds things."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from autoscale.catalog.background import Place
from autoscale.catalog.overlaid import Overlaid
from autoscale.catalog.refresh import judge
from autoscale.catalog.store import CloudCatalogs, Store
from autoscale.clock import SystemClock
from autoscale.config import find, load
from autoscale.config.problems import nearest
from autoscale.errors import AutoscaleError, BadInput, ProviderError
from autoscale.model.overlay import REGION, score_in
from autoscale.model.problem import Solution, Status
from autoscale.model.reoptimisation import Reoptimised
from autoscale.model.supply import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from autoscale.config import Settings
    from autoscale.model.catalog import Catalog
    from autoscale.model.overlay import Overlay
    from autoscale.model.problem import Problem
    from autoscale.model.reoptimisation import Reoptimisation
    from autoscale.model.supply import NodeGroup
    from autoscale.observe.kube import KubeCluster
    from autoscale.observe.kube_guest import GuestCluster
    from autoscale.observe.kube_http import Http
    from autoscale.ports import CatalogSource, Clock, Provider, Solver

PROVIDERS = "gpu_autoscale.providers"
POLICIES = "gpu_autoscale.policies"
ALWAYS = "gpu_autoscale.always"
SOURCE = "catalog_source"  # what a provider's module has when its prices can be read
FAILED = "nothing was planned"


def settings(
    path: str | None, *, kubeconfig: str | None = None, context: str | None = None, overlay: str | None = None
) -> Settings:
    """The settings of a file, of the one that $AUTOSCALE_CONFIG names, or the defaults. Raises BadConfig.

    A cluster that they don't name has the name that the kubeconfig has for it. `overlay` goes before the file's own.
    """
    found = offline_settings(path, overlay=overlay)
    if found.cluster:
        return found
    from autoscale.observe.kube_name import cluster_name

    return replace(found, decide=replace(found.decide, cluster=cluster_name(kubeconfig, context)))


def offline_settings(path: str | None, *, overlay: str | None = None) -> Settings:
    """The settings where no cluster has a part in it, so that its name need not be known. Raises BadConfig."""
    found = load(find(path), policies={each.name: each.load for each in entry_points(group=POLICIES)})
    named = {policy.name for policy in found.policies}
    always = (each.load()() for each in entry_points(group=ALWAYS) if each.name not in named)
    found = replace(found, policies=(*found.policies, *always))
    for name in found.providers or {}:
        _provider_entry(name, found)
    file = overlay or found.catalog.overlay
    return with_overlay(found, file) if file else found


def with_overlay(settings: Settings, path: str) -> Settings:
    """The settings with the overlay of a file; their digest covers it. Raises BadConfig."""
    from autoscale.catalog.overlay_file import load_overlay

    found, digest = load_overlay(path, providers=tuple(each.name for each in entry_points(group=PROVIDERS)))
    decide = replace(settings.decide, commitments=found.commitments)
    return replace(settings, overlay=found, decide=decide, digest=f"{settings.digest}+{digest}")


def providers(settings: Settings, *, clock: Clock | None = None) -> tuple[Provider, ...]:
    """The clouds of a configuration; when it names none, those that need no naming. Touches no network."""
    now_s = (clock or SystemClock()).now_s
    prices = store(settings)
    out: list[Provider] = []
    for name in _names(settings):
        entry = _provider_entry(name, settings)
        make: Callable[..., Provider] = entry.load()
        more = {"catalogs": CloudCatalogs(prices, name)} if hasattr(_module(entry), SOURCE) else {}
        with _named(name, settings):
            out.append(make(_options(name, settings), cluster=settings.cluster, now_s=now_s, **more))
    return tuple(_seen_through(settings.overlay, each, prices) for each in out)


def catalogue(settings: Settings) -> tuple[NodeGroup, ...]:
    """What the clouds of the configuration offer by their catalogues, for plans without a cloud."""
    prices = store(settings)
    out: list[NodeGroup] = []
    for name in _names(settings):
        module = _module(_provider_entry(name, settings))
        groups: Callable[[], tuple[NodeGroup, ...]] | None = getattr(module, "catalogue_groups", None)
        if hasattr(module, SOURCE):
            source = catalog_source(name, settings)
            found = prices.latest(name, source.region).catalog or source.shipped()
            out += [settings.overlay.laid_over(group, score_in(found, group)) for group in source.groups(found)]
        elif groups is not None:
            out += [settings.overlay.laid_over(group) for group in groups()]
    return tuple(out)


def store(settings: Settings) -> Store:
    """The cache of catalogues."""
    return Store(settings.catalog.cache)


def catalog_names(settings: Settings, *, every: bool = False) -> list[str]:
    """The configuration's clouds whose prices can be read; with `every`, all there are when it names none."""
    names = [each.name for each in entry_points(group=PROVIDERS)] if every and settings.providers is None else None
    return sorted(
        name for name in names or _names(settings) if hasattr(_module(_provider_entry(name, settings)), SOURCE)
    )


def catalog_source(name: str, settings: Settings) -> CatalogSource:
    """Where a cloud's prices come from. Touches no network; raises BadInput for a cloud without prices."""
    module = _module(_provider_entry(name, settings))
    make: Callable[..., CatalogSource] | None = getattr(module, SOURCE, None)
    if make is None:
        known = ", ".join(catalog_names(settings, every=True))
        raise BadInput(f"there are no prices to be read for provider {name!r}", where="--provider", expected=known)
    with _named(name, settings):
        return make(_options(name, settings))


def read_catalog(
    name: str, settings: Settings, region: str, say: Callable[[str], None], *, jumps: bool = False
) -> tuple[Catalog, tuple[str, ...]]:
    """What a cloud says now, as far as it can be believed, and what it would not tell. Keeps nothing.

    Raises ProviderError when it failed, or told so little that the last good copy is better.
    """
    source = catalog_source(name, settings)
    shipped = source.shipped()
    known = store(settings).latest(name, region).catalog or (shipped if shipped.region == region else None)
    reading = source.read(region, say)
    judged = judge(reading, provider=name, known=known, jumps=jumps)
    if judged.catalog is None:
        raise ProviderError(Fault(name, FaultKind.OTHER, "Partial", judged.problem, reading.at_s))
    return judged.catalog, reading.notes


def used_catalog(name: str, settings: Settings) -> Catalog:
    """What the engine uses now: the last good one of the cache, else what is shipped."""
    source = catalog_source(name, settings)
    return store(settings).latest(name, source.region).catalog or source.shipped()


def catalog_places(settings: Settings) -> tuple[Place, ...]:
    """The configuration's clouds, each with its own region and those that were refreshed by hand before."""
    kept = store(settings)
    out = []
    for name in catalog_names(settings):
        regions = {catalog_source(name, settings).region, *kept.regions(name)}
        out += [_place_of(name, region, settings, kept) for region in sorted(regions)]
    return tuple(out)


def _place_of(name: str, region: str, settings: Settings, kept: Store) -> Place:

    def refresh() -> Catalog:
        fresh, _ = read_catalog(name, settings, region, lambda _: None)
        kept.keep(fresh)
        return fresh

    return Place(name, region, lambda: kept.latest(name, region).catalog, refresh)


def _seen_through(overlay: Overlay, provider: Provider, prices: Store) -> Provider:
    if not overlay.adjustments:
        return provider

    def score(group: NodeGroup) -> int | None:
        found = prices.latest(group.provider, group.labels.get(REGION, "")).catalog
        return score_in(found, group) if found else None

    return Overlaid(provider, overlay, score)


def _options(name: str, settings: Settings) -> Mapping[str, Any]:
    return (settings.providers or {}).get(name, {})


@contextmanager
def _named(name: str, settings: Settings) -> Iterator[None]:
    """Errors of a provider's section with the file and line of that section."""
    try:
        yield
    except BadInput as error:
        where = f"{_place(name, settings)}: {error.where}" if settings.source else error.where
        raise BadInput(error.what, where=where, expected=error.expected, found=error.found) from error


def cluster(kubeconfig: str | None, context: str | None, *, watch: bool, claims: str = "") -> KubeCluster:
    """The Kubernetes cluster. Raises Unreachable, which says what was tried.

    With `claims`, pods are never changed: the ConfigMap of that name (NAMESPACE/NAME) says what was bought for them.
    """
    from autoscale.observe.kube import KubeCluster

    if claims:
        from autoscale.observe.kube_aside import KubeClusterAside

        return KubeClusterAside.aside(kubeconfig, context, name=claims, watch=watch)
    return KubeCluster.connect(kubeconfig, context, watch=watch)


def guest(http: Http, namespace: str) -> GuestCluster:
    """A cluster of which we may only touch the pods of one namespace."""
    from autoscale.observe.kube_guest import GuestCluster

    return GuestCluster(http, namespace)


def api(kubeconfig: str | None, context: str | None) -> Http:
    """The cluster's API server itself. Raises Unreachable, which says what was tried."""
    from autoscale.observe.kube_connect import connect

    return connect(kubeconfig, context)


def clock() -> Clock:
    """The machine's own."""
    return SystemClock()


def solver(settings: Settings, *, time_limit_s: float | None = None, strict: bool = False) -> Solver:
    """`solve` within a time limit, made careful."""
    limit_s = settings.solver_time_limit_s if time_limit_s is None else time_limit_s

    def search(problem: Problem, seed: int) -> Solution:
        from autoscale.solve import solve

        return solve(problem, time_limit_s=limit_s, seed=seed)

    return careful(search, strict=strict)


def fleet_solver(settings: Settings, *, time_limit_s: float | None = None) -> Careful:
    """The same, which can be asked about a whole fleet as well."""
    return Careful(solver(settings, time_limit_s=time_limit_s))


@dataclass(frozen=True, slots=True)
class Careful:
    """A solver that checks what it says, also of a whole fleet."""

    answer: Solver
    fleet_limit_s: float = 5.0

    def __call__(self, problem: Problem) -> Solution:
        """As the solver inside."""
        return self.answer(problem)

    def reoptimise(self, question: Reoptimisation) -> Reoptimised:
        """What verifies; else everything stays as it is."""
        from autoscale.solve import reoptimise, reverify

        found = reoptimise(question, time_limit_s=self.fleet_limit_s)
        faults = reverify(question, found)
        if not faults:
            return found
        cost = question.decided(question.staying)
        nothing = Solution(Status.FEASIBLE, (), {}, 0, 0, 0)
        return Reoptimised(question.staying, nothing, cost, 0, method=f"{FAILED}: {faults[0]}")


def careful(search: Callable[[Problem, int], Solution], *, strict: bool = False) -> Solver:
    """A search whose every answer is checked by `verify`.

    One that fails is asked for again with another seed. Should that fail too, the plan buys nothing and its method says
    why (`strict`: SolverError), since whatever is wrong with the solver must not stop the engine's other work.
    """

    def answer(problem: Problem) -> Solution:
        try:
            return _verified(problem, search, seed=0)
        except SolverError:
            try:
                return _verified(problem, search, seed=1)
            except SolverError as error:
                if strict:
                    raise
                return _nothing(problem, f"{FAILED}: {error}")

    return answer


class SolverError(AutoscaleError):
    """The solver crashed, or its answer does not verify."""


def _verified(problem: Problem, search: Callable[[Problem, int], Solution], *, seed: int) -> Solution:
    from autoscale.solve import verify

    try:
        solution = search(problem, seed)
    except AutoscaleError:
        raise
    except Exception as error:
        raise SolverError(f"the solver failed, {type(error).__name__}: {' '.join(str(error).split())}") from error
    faults = verify(problem, solution)
    if faults:
        raise SolverError(f"the solver's answer does not verify, {faults[0]}")
    return solution


def _nothing(problem: Problem, method: str) -> Solution:
    """The answer that buys nothing."""
    objective = sum(each.count * each.pending_penalty_microusd_per_hour for each in problem.demands)
    return Solution(
        status=Status.FEASIBLE,
        nodes=(),
        pending={index: each.count for index, each in enumerate(problem.demands)},
        cost_microusd_per_hour=0,
        objective_microusd_per_hour=objective,
        bound_microusd_per_hour=0,
        method=method,
    )


def _names(settings: Settings) -> list[str]:
    if settings.providers is not None:
        return list(settings.providers)
    entries = entry_points(group=PROVIDERS)
    return sorted(each.name for each in entries if not getattr(_module(each), "ONLY_WHEN_NAMED", False))


def _module(entry: Any) -> ModuleType:
    """What a provider's entry point is part of."""
    return importlib.import_module(entry.module)


def _provider_entry(name: str, settings: Settings) -> Any:
    known: Mapping[str, Any] = {each.name: each for each in entry_points(group=PROVIDERS)}
    if name not in known:
        raise BadInput(f"unknown provider {name!r}", where=_place(name, settings), expected=nearest(name, known))
    return known[name]


def _place(name: str, settings: Settings) -> str:
    line = settings.provider_lines.get(name)
    return f"{settings.source}:{line}: providers" if line else "providers"
