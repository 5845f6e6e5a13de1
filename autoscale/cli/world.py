"""What a plan is made from: the cluster and its clouds, or manifests and a catalogue."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import click

from autoscale import wiring
from autoscale.catalog.document import day
from autoscale.errors import BadInput
from autoscale.model.admission import Admission
from autoscale.model.catalog import SHIPPED
from autoscale.model.snapshot import CloudView, Ledger, Snapshot
from autoscale.model.supply import FaultKind
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscale.config import Settings
    from autoscale.model.workload import PodShape
    from autoscale.ports import Cluster, Provider

_TAG = "k8s.io/cluster-autoscaler"
CATALOGUE = "the bundled catalogue"
_ARCHITECTURE = "kubernetes.io/arch"


@dataclass(frozen=True, slots=True)
class World:
    """A snapshot; why a plan made from it can't be carried out (empty when it can); what else there is to say."""

    snapshot: Snapshot
    offline: str = ""
    notes: tuple[Reason, ...] = ()
    admission: Admission = field(default_factory=Admission)


@dataclass(frozen=True, slots=True)
class Source:
    """Where to look, as the command line says it: manifests and whose groups, or a cluster."""

    files: tuple[str, ...] = ()
    groups: str = "auto"
    kubeconfig: str | None = None
    context: str | None = None

    def check(self, ctx: click.Context) -> None:
        """Refuse options that mean nothing together."""
        if self.files and (self.kubeconfig or self.context):
            text = "-f plans without a cluster, so --kubeconfig and --context mean nothing with it"
            raise click.UsageError(text, ctx)
        if not self.files and self.groups != "auto":
            raise click.UsageError("--groups is for plans from manifests, give them with -f", ctx)

    def look(self, settings: Settings, *, namespace: str = "") -> World:
        """The world there. With a namespace, what it lets in is read as well."""
        if self.files:
            return offline(settings, self.files, self.groups, namespace=namespace)
        providers = wiring.providers(settings)
        with wiring.cluster(self.kubeconfig, self.context, watch=False, claims=settings.claims) as cluster:
            world = live(cluster, providers, settings.cluster)
            return replace(world, admission=cluster.admission(namespace)) if namespace else world


def live(cluster: Cluster, providers: Sequence[Provider], name: str) -> World:
    """The cluster and its clouds. Raises BadInput when no cloud can be read, Unreachable when the cluster can't."""
    from autoscale.observe.snapshot import read_clouds

    clouds = read_clouds(providers)
    _usable(clouds)
    return World(Snapshot(wiring.clock().now_s(), cluster.observe(), clouds, Ledger()), notes=_notes(clouds, name))


def offline(settings: Settings, files: Sequence[str], groups: str, *, namespace: str = "") -> World:
    """Manifests, on the groups of the clouds (`cloud`), of the catalogue (`catalog`), or whichever there is (`auto`)."""
    from autoscale.observe.manifests import load_manifests

    manifests = load_manifests(files, namespace=namespace)
    notes = tuple(Reason(Code.UNMODELLED, note, "manifests") for note in manifests.notes)
    view = manifests.view
    clouds: tuple[CloudView, ...] = ()
    if groups == "cloud" or (groups == "auto" and settings.providers is not None):
        clouds = _clouds(settings, required=groups == "cloud")
    if clouds:
        why = "it was made from manifests"
        notes += _notes(clouds, settings.cluster)
    else:
        clouds = _catalogue(settings, any(_names_architecture(pod.shape) for pod in view.pods))
        why = f"it was made from manifests and {_source(settings)}"
        notes += _foreign(settings)
    written = any(pod.created_at_s for pod in view.pods)  # by an API server; else nobody has waited yet
    now_s = wiring.clock().now_s() if written else 0
    return World(Snapshot(now_s, view, clouds, Ledger()), why, notes, manifests.admission)


def _clouds(settings: Settings, *, required: bool) -> tuple[CloudView, ...]:
    """The clouds as they are; none when there are no credentials and none are required."""
    from autoscale.observe.snapshot import read_clouds

    clouds = read_clouds(wiring.providers(settings))
    if not required and all(any(f.kind is FaultKind.DENIED for f in cloud.faults) for cloud in clouds):
        return ()
    _usable(clouds)
    return clouds


def _names_architecture(shape: PodShape) -> bool:
    terms = shape.node_affinity or ()
    keys = [key for key, _ in shape.node_selector] + [e.key for term in terms for e in term.expressions]
    return _ARCHITECTURE in keys


def _catalogue(settings: Settings, all_architectures: bool) -> tuple[CloudView, ...]:  # noqa: FBT001 - private
    """The catalogue. Images are built for amd64 unless somebody says otherwise, so arm64 counts only when a pod names it."""
    groups = wiring.catalogue(settings)
    if not all_architectures:
        groups = tuple(group for group in groups if group.labels.get(_ARCHITECTURE, "amd64") == "amd64")
    if not groups:
        raise BadInput("no catalogue is bundled for the configured providers", where="providers")
    names = sorted({group.provider for group in groups})
    return tuple(CloudView(name, tuple(g for g in groups if g.provider == name)) for name in names)


def _source(settings: Settings) -> str:
    """Whose prices an offline plan rests on."""
    used = [wiring.used_catalog(name, settings) for name in wiring.catalog_names(settings)]
    if all(each.source == SHIPPED for each in used):
        return CATALOGUE
    return f"prices of {', '.join(f'{each.provider} {each.region} of {day(each.at_s)}' for each in used)}"


def _foreign(settings: Settings) -> tuple[Reason, ...]:
    """Clouds whose region has no prices of its own."""
    out = []
    for name in wiring.catalog_names(settings):
        asked, there = wiring.catalog_source(name, settings).region, wiring.used_catalog(name, settings).region
        if asked != there:
            text = f"there are no prices of {asked}, offerings and prices of {there} stand in"
            out.append(Reason(Code.UNMODELLED, text, name, "autoscale catalog refresh"))
    return tuple(out)


def _usable(clouds: Sequence[CloudView]) -> None:
    """Refuse to plan on nothing: every cloud failed, or no group of any could be understood."""
    if any(cloud.groups for cloud in clouds):
        return
    for cloud in clouds:
        for fault in cloud.faults:
            raise BadInput(fault.message, where=cloud.provider)
        for skipped in cloud.skipped:
            raise BadInput(skipped.reason.text, where=skipped.id)


def _notes(clouds: Sequence[CloudView], cluster: str) -> tuple[Reason, ...]:
    """Faults, groups left out and guesses, each said once with how many groups it is about."""
    out: list[Reason] = []
    for cloud in clouds:
        out += [Reason(Code.FAULT, fault.message, cloud.provider) for fault in cloud.faults]
        out += [skipped.reason for skipped in cloud.skipped]  # which says that the group is left out
        if not cloud.groups and not cloud.faults:
            text = f"no node group was found for cluster {cluster}"
            hint = f"tag groups with {_TAG}/enabled and {_TAG}/{cluster}, or name the cluster in the configuration"
            out.append(Reason(Code.NO_GROUP, text, cloud.provider, hint))
        out += [replace(note, text=f"{group.name}: {note.text}") for group in cloud.groups for note in group.notes]
    return tuple(out)
