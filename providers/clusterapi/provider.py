"""The provider: reads the scalable objects, sets replicas, marks machines to go. Faults of the cluster are data."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from autoscale.errors import BadInput, ProviderError
from autoscale.model.snapshot import CloudView
from autoscale.model.supply import Fault, FaultKind, NodeGroup, SkippedGroup
from providers.clusterapi import machines
from providers.clusterapi.groups import mark, model, unchoosable
from providers.clusterapi.objects import PLURALS, Scalable, by_group, ref_of, scalable
from providers.clusterapi.templates import infrastructure, told
from providers.kubernetes_api import KubeError, KubernetesApi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from providers.clusterapi.settings import ClusterApiSettings
    from providers.kubernetes_api import Json

_TRIES = 5  # of a change that somebody else's change came between


class ClusterApiProvider:
    """MachineDeployments, MachineSets and MachinePools that carry the autoscaler's annotations."""

    name = "clusterapi"

    def __init__(
        self,
        settings: ClusterApiSettings,
        *,
        now_s: Callable[[], int],
        read_timeout_s: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._now_s = now_s
        self._mark = mark(settings)
        self._api = KubernetesApi(
            kubeconfig=settings.kubeconfig, context=settings.context, read_timeout_s=read_timeout_s, sleep=sleep
        )
        self._versions: dict[str, str] = {}

    def check(self) -> None:
        """Make sure that the objects can be read. Raises BadInput in one sentence when a person must mend something."""
        try:
            self._list("machinedeployments")
        except KubeError as error:
            fault = error.fault(at_s=self._now_s(), doing="list machinedeployments")
            if fault.kind in (FaultKind.DENIED, FaultKind.NOT_FOUND) or not error.status:
                raise BadInput(fault.message, where="clusterapi") from error

    def observe(self) -> CloudView:
        """Read all groups with their machines. Whatever can't be listed is a view without groups."""
        doing = ""
        try:
            lists = {}
            for doing in ("machinedeployments", "machinesets", "machinepools", "machines"):
                lists[doing] = self._list(doing)
        except KubeError as error:
            return CloudView(self.name, faults=(error.fault(at_s=self._now_s(), doing=f"list {doing}"),))
        found = [
            each
            for kind, plural in PLURALS.items()
            for document in lists[plural]
            if (each := self._scalable(kind, document))
        ]
        faults: list[Fault] = []
        infra = self._infrastructure(found, faults)
        theirs = by_group(lists["machines"], lists["machinesets"])
        modelled = [
            model(
                each,
                theirs.get(each.ref, []),
                infra.get((each.ref.namespace, infrastructure(each.document))),
                self._settings,
                at_s=self._now_s(),
            )
            for each in found
        ]
        return CloudView(
            provider=self.name,
            groups=tuple(sorted((g for g in modelled if isinstance(g, NodeGroup)), key=lambda each: each.id)),
            skipped=tuple(sorted((s for s in modelled if isinstance(s, SkippedGroup)), key=lambda each: each.id)),
            faults=tuple(faults),
        )

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:  # noqa: ARG002 - absolute targets need no token
        """Set the replicas. When that takes some away, those that wait for a machine are marked first."""
        for _ in range(_TRIES):
            found, (low, high) = self._one(group)
            if not low <= target_nodes <= high:
                text = f"target {target_nodes} is outside the group's {low} to {high}"
                raise self._refusal(group, "OutOfBounds", text)
            if target_nodes >= found.replicas:
                self._scale(found, target_nodes)
                return
            its = self._machines(found)
            staying = self._staying(found, its)
            there = [each for each in staying if machines.exists(each)]
            if target_nodes < min(len(there), found.replicas):
                text = (
                    f"target {target_nodes} would let Cluster API choose which of {len(there)} machines to end; "
                    "remove them by id"
                )
                raise self._refusal(group, "WouldTerminate", text)
            waiting = [each for each in staying if not machines.exists(each)]
            if self._lower(found, its, target_nodes, waiting[: found.replicas - target_nodes]):
                return
        raise self._refusal(group, "Conflict", "others keep changing it")

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:  # noqa: ARG002 - marks are counted instead
        """Mark each machine and lower the replicas by one for each; one that is marked already and counted is left alone."""
        for instance in dict.fromkeys(instances):
            for _ in range(_TRIES):
                if self._remove(group, instance):
                    break
            else:
                namespace, _, name = instance.partition("/")
                self._mark_machine(group, {"metadata": {"namespace": namespace, "name": name}}, on=False)
                raise self._refusal(group, "Conflict", "others keep changing it")

    def delete(self, group: str, *, request_id: str) -> None:  # noqa: ARG002 - nothing is ever deleted
        """Refused: people make groups here."""
        raise self._refusal(group, "NotFromTemplate", "a person made this group")

    # ---- reading

    def _scalable(self, kind: str, document: Json) -> Scalable | None:
        settings = self._settings
        return scalable(kind, document, api_group=settings.api_group, cluster_name=settings.cluster_name)

    def _list(self, plural: str, **query: str) -> list[Json]:
        try:
            return self._api.items(self._path(plural), **query)
        except KubeError as error:
            if error.status == 404 and plural == "machinepools":
                return []  # a feature that not every Cluster API has
            raise

    def _path(self, plural: str, namespace: str = "", name: str = "") -> str:
        root = f"/apis/{self._settings.api_group}/{self._version(self._settings.api_group)}"
        where = namespace or self._settings.namespace
        return root + (f"/namespaces/{where}" if where else "") + f"/{plural}" + (f"/{name}" if name else "")

    def _version(self, api_group: str) -> str:
        """The version of an API group that the server prefers, asked once."""
        if api_group not in self._versions:
            answer = self._api.get(f"/apis/{api_group}")
            self._versions[api_group] = str(answer["preferredVersion"]["version"])
        return self._versions[api_group]

    def _infrastructure(
        self, found: Iterable[Scalable], faults: list[Fault]
    ) -> dict[tuple[str, tuple[str, str, str]], Json]:
        """Templates of the groups whose annotations don't tell the capacity, one list for each kind of them."""
        wanted = {(each.ref.namespace, infrastructure(each.document)) for each in found if not told(each.document)}
        out = {}
        for api, kind in sorted({ref[:2] for _, ref in wanted if all(ref)}):
            plural = f"{kind.lower()}s"
            try:
                path = f"/apis/{api}" if "/" in api else f"/apis/{api}/{self._version(api)}"
                where = f"/namespaces/{self._settings.namespace}" if self._settings.namespace else ""
                for each in self._api.items(f"{path}{where}/{plural}"):
                    metadata = each["metadata"]
                    out[metadata["namespace"], (api, kind, metadata["name"])] = each
            except KubeError as error:
                if error.status not in (403, 404):  # without the right to read them their groups are left out, not all
                    faults.append(error.fault(at_s=self._now_s(), doing=f"list {plural}"))
        return out

    def _one(self, group: str) -> tuple[Scalable, tuple[int, int]]:
        """The group as it is now, and its bounds. Raises ProviderError, NOT_FOUND also when it is not one of ours."""
        ref = ref_of(group)
        found = None
        if ref is not None:
            plural = PLURALS[ref.kind]
            try:
                document = self._api.get(self._path(plural, ref.namespace, ref.name))
            except KubeError as error:
                raise self._error(error, group, f"get {plural}") from error
            found = self._scalable(ref.kind, document)
        if found is None:
            text = "no object of this name carries the annotations"
            raise self._refusal(group, "GroupNotFound", text, FaultKind.NOT_FOUND)
        if isinstance(found.bounds, str):
            raise self._refusal(group, "BadBounds", found.bounds, FaultKind.BAD_TEMPLATE)
        return found, found.bounds

    def _machines(self, found: Scalable) -> list[Json]:
        """The group's machines as they are now, sorted by id."""
        namespace, sets = found.ref.namespace, []
        doing = "machines"
        try:
            its = self._api.items(self._path("machines", namespace))
            if found.ref.kind == "machinedeployment":
                doing = "machinesets"
                sets = self._api.items(self._path("machinesets", namespace))
        except KubeError as error:
            raise self._error(error, found.ref.id, f"list {doing}") from error
        return sorted(by_group(its, sets).get(found.ref, []), key=machines.machine_id)

    def _staying(self, found: Scalable, its: Sequence[Json]) -> list[Json]:
        """Those that nothing ends that was asked for yet."""
        due = machines.surplus(its, found.replicas) > 0
        return [e for e in its if not machines.leaving(e) and not (due and machines.marked(e, self._mark))]

    # ---- writing

    def _remove(self, group: str, instance: str) -> bool:
        """One attempt at one machine; False when the group changed meanwhile."""
        found, (low, _) = self._one(group)
        its = self._machines(found)
        if problem := unchoosable(found, its):
            raise self._refusal(group, "CannotChoose", problem)
        machine = next((each for each in its if machines.machine_id(each) == instance), None)
        if machine is None or machines.leaving(machine):
            return True
        if machines.marked(machine, self._mark) and machines.surplus(its, found.replicas):
            return True  # the replicas have been lowered; Cluster API is about to delete it
        if found.replicas <= low:
            raise self._refusal(
                group, "OutOfBounds", f"removing {instance} would bring the group below its minimum of {low}"
            )
        return self._lower(found, its, found.replicas - 1, [machine])

    def _lower(self, found: Scalable, its: Sequence[Json], replicas: int, due: Sequence[Json]) -> bool:
        """Mark those that are to go, and no others, then lower the replicas; False when the group changed meanwhile."""
        left_over = [each for each in its if machines.marked(each, self._mark) and each not in due]
        if pending := machines.surplus(its, found.replicas):
            if len(left_over) > pending:
                text = f"{len(left_over)} machines are marked to go and {pending} will; the rest is asked for when they have"
                raise self._refusal(found.ref.id, "StaleRead", text, FaultKind.THROTTLED)
            left_over = []
        for machine in left_over:  # of an order that was cut off, or a person's: it would go in place of those meant
            self._mark_machine(found.ref.id, machine, on=False)
        try:
            for machine in due:
                self._mark_machine(found.ref.id, machine, on=True)
            return self._scale(found, replicas, only_if_unchanged=True)
        except ProviderError as error:
            if not _maybe(error):  # what does not go must not be marked: a later change of size would take it
                self._unmark(found.ref.id, due)
            raise

    def _unmark(self, group: str, due: Sequence[Json]) -> None:
        """As far as that can be done: what stays marked is unmarked before the next change of size."""
        for machine in due:
            with suppress(ProviderError):
                self._mark_machine(group, machine, on=False)

    def _scale(self, found: Scalable, replicas: int, *, only_if_unchanged: bool = False) -> bool:
        """Set the replicas; False when the object is not the one that was read any more."""
        plural = PLURALS[found.ref.kind]
        body: Json = {"spec": {"replicas": replicas}}
        if only_if_unchanged:
            body["metadata"] = {"resourceVersion": found.document["metadata"]["resourceVersion"]}
        try:
            self._api.merge(self._path(plural, found.ref.namespace, found.ref.name) + "/scale", body)
        except KubeError as error:
            if only_if_unchanged and error.status == 409:
                return False
            raise self._error(error, found.ref.id, f"patch {plural}/scale") from error
        return True

    def _mark_machine(self, group: str, machine: Json, *, on: bool) -> None:
        metadata = machine["metadata"]
        value = str(self._now_s()) if on else None
        try:
            self._api.merge(
                self._path("machines", metadata["namespace"], metadata["name"]),
                {"metadata": {"annotations": {self._mark: value}}},
            )
        except KubeError as error:
            if error.status != 404:
                raise self._error(error, group, "patch machines") from error

    def _error(self, error: KubeError, group: str, doing: str) -> ProviderError:
        return ProviderError(error.fault(group=group, at_s=self._now_s(), doing=doing))

    def _refusal(self, group: str, code: str, text: str, kind: FaultKind = FaultKind.OTHER) -> ProviderError:
        """Our own no, before the API server is asked."""
        return ProviderError(Fault(group=group, kind=kind, code=code, message=text, at_s=self._now_s()))


def _maybe(error: ProviderError) -> bool:
    """Whether the call may have taken effect all the same."""
    return error.fault.code in ("Unreachable", "InternalFailure")
