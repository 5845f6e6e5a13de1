"""A cluster whose pods are never changed: claims are kept in one ConfigMap instead of the pods' annotations.

The ConfigMap has one key for each slot: its group, when it was claimed, and the uids of its pods. Whoever reads it sees
the same claims as the engine that wrote it, so that they survive a crash as those on pods do. What others changed in the
meantime is never overwritten: the write is refused, and the next look reads anew.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import msgspec

from autoscale.errors import ClusterError, Conflict, NotFound
from autoscale.model.names import RESERVATION, RESERVED_AT, SLOT
from autoscale.model.workload import Claim
from autoscale.observe.kube import KubeCluster
from autoscale.observe.kube_connect import connect
from autoscale.observe.kube_http import MERGE_PATCH
from autoscale.observe.kube_verbs import Seen, pod_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.snapshot import ClusterView
    from autoscale.model.workload import Pod
    from autoscale.observe.kube_http import Http
    from autoscale.observe.watch import WatchSettings


class _Slot(msgspec.Struct, rename="camel", omit_defaults=True):
    """One slot as the ConfigMap has it. `next` are pods that run, for whoever takes their place."""

    group: str
    claimed_at: int
    pods: list[str] = msgspec.field(default_factory=list)
    next: list[str] = msgspec.field(default_factory=list)


class _Meta(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _ConfigMap(msgspec.Struct):
    metadata: _Meta
    data: dict[str, str] = msgspec.field(default_factory=dict)


_MAP = msgspec.json.Decoder(_ConfigMap)
_SLOT = msgspec.json.Decoder(_Slot)
Mark = tuple[str, bool]  # a pod's uid, and whether the claim is for whoever takes its place


class KubeClusterAside(KubeCluster):
    """As KubeCluster, but for pods: they are read, evicted and told about, and never written to."""

    def __init__(self, http: Http, *, name: str, watch: bool = True, settings: WatchSettings | None = None) -> None:
        super().__init__(http, watch=watch, settings=settings)
        self._namespace, _, self._name = name.partition("/")
        self._lock = threading.Lock()  # over what is known
        self._writing = threading.Lock()  # one write at a time, for all that came meanwhile
        self._kept: dict[Mark, Claim] = {}
        self._stored: dict[str, str] = {}  # the ConfigMap's data as we last saw it
        self._resource_version = ""
        self._loaded = False
        self._change = self._done = 0
        self._merged: tuple[ClusterView, int, ClusterView] | None = None

    @classmethod
    def aside(cls, kubeconfig: str | None, context: str | None, *, name: str, watch: bool = True) -> Self:
        """The cluster of a kubeconfig, or the one that we run in, with claims in the ConfigMap NAMESPACE/NAME."""
        return cls(connect(kubeconfig, context), name=name, watch=watch)

    def observe(self) -> ClusterView:
        """Everything, with the claims that are kept aside on the pods that they are about."""
        view = super().observe()
        with self._writing:
            if not (self._loaded and self._watch):
                self._load()
        with self._lock:
            if self._merged is None or self._merged[0] is not view or self._merged[1] != self._change:
                self._forget_gone(view)
                pods = tuple(map(self._with_claims, view.pods))
                self._merged = view, self._change, replace(view, pods=pods)
            return self._merged[2]

    def claim(self, pod: tuple[str, str], *, slot: str, group: str, at_s: int) -> None:
        """Keep the claim. Conflict when the pod is bound and not claimed for the slot."""
        found = self._seen(pod)
        if found is None:
            raise NotFound(f"pod {pod[1]} is gone")
        if found.node_name and self._kept.get((pod[0], False), Claim("", "", 0)).slot != slot:
            raise Conflict(f"pod {pod[1]} is bound to {found.node_name} already")
        self._keep((pod[0], False), Claim(slot, group, at_s))

    def claim_next(self, pod: tuple[str, str], *, slot: str, group: str, at_s: int) -> None:
        """Keep the claim for whoever takes the pod's place."""
        self._keep((pod[0], True), Claim(slot, group, at_s))

    def unclaim(self, pod: tuple[str, str], *, slot: str) -> None:
        """Keep its claims on this slot no longer, nor its nomination."""
        seen = self._seen(pod)
        if seen is not None and not seen.node_name and seen.nominated_node in self._seats(slot):
            self._nominate(pod, None)
        for mark in ((pod[0], False), (pod[0], True)):
            if mark in self._kept and self._kept[mark].slot == slot:
                self._keep(mark, None)

    def tolerate(self, pod: tuple[str, str], *, slot: str) -> None:
        """Nominate the pod to the node held for the slot: the scheduler tries that first, and keeps the room for it."""
        seen = self._seen(pod)
        for node in self._seats(slot):
            if seen is not None and not seen.node_name and seen.nominated_node != node:
                self._nominate(pod, node)

    def admit(self, node: str, *, slot: str, at_s: int) -> None:
        """Take the slot's taint off; the node stays held for the slot, from now on with its pods on their way in."""

        def change(seen: Seen) -> dict[str, Any] | None:
            taints = seen.spec.taints or []
            kept = [t for t in taints if t.get("key") != SLOT]
            if len(kept) == len(taints) or seen.annotation(SLOT) != slot or seen.annotation(RESERVATION) != "held":
                return None
            return {"metadata": {"annotations": {RESERVED_AT: str(at_s)}}, "spec": {"taints": kept or None}}

        self._change_node(node, change)

    def _seats(self, slot: str) -> list[str]:
        """The node that has the slot, if any."""
        return [node.name for node in self._nodes.all() if node.reservation and node.reservation.slot == slot][:1]

    def _nominate(self, pod: tuple[str, str], node: str | None) -> None:
        patch = {"metadata": {"uid": pod[0]}, "status": {"nominatedNodeName": node}}
        with self._pods.writing(pod[1]):
            self._pods.put_own(self._http.patch(f"{pod_path(pod)}/status", patch, content_type=MERGE_PATCH))

    def _with_claims(self, pod: Pod) -> Pod:
        """The pod with what is kept about it; what is written on it is from another setting, and does not count."""
        own, following = self._kept.get((pod.uid, False)), self._kept.get((pod.uid, True))
        same = (own, following) == (pod.claim, pod.next_claim)
        return pod if same else replace(pod, claim=own, next_claim=following)

    def _forget_gone(self, view: ClusterView) -> None:
        """Claims of pods that are gone or bound; they go out of the ConfigMap with the next write."""
        there = {pod.uid: bool(pod.node_name) for pod in view.pods}
        self._kept = {
            (uid, following): claim
            for (uid, following), claim in self._kept.items()
            if uid in there and (following or not there[uid])
        }

    def _keep(self, mark: Mark, claim: Claim | None) -> None:
        with self._lock:
            if self._kept.get(mark) == claim:
                return
            if claim is None:
                self._kept.pop(mark, None)
            else:
                self._kept[mark] = claim
            self._change += 1
            mine = self._change
        with self._writing:
            if self._done < mine:
                self._write()

    def _write(self) -> None:
        with self._lock:
            change, data = self._change, _data(self._kept)
        changed: dict[str, str | None] = {slot: text for slot, text in data.items() if self._stored.get(slot) != text}
        changed |= dict.fromkeys(self._stored.keys() - data.keys())
        try:
            self._saw(self._put(changed), data)
        except ClusterError:
            self._loaded = False  # the next look sees what really is there
            raise
        self._done = change

    def _put(self, changed: Mapping[str, str | None]) -> bytes:
        meta: dict[str, Any] = {"name": self._name, "namespace": self._namespace}
        if not self._resource_version:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": changed}
            return self._http.post(f"/api/v1/namespaces/{self._namespace}/configmaps", body)
        body = {"metadata": {"resourceVersion": self._resource_version}, "data": changed}
        return self._http.patch(self._path, body, content_type=MERGE_PATCH)

    def _saw(self, raw: bytes, data: dict[str, str]) -> None:
        self._resource_version = _MAP.decode(raw).metadata.resource_version
        self._stored = data

    def _load(self) -> None:
        """Raises ClusterError when the ConfigMap can't be read."""
        try:
            found = _MAP.decode(self._http.get(self._path))
        except NotFound:
            found = _ConfigMap(_Meta())
        with self._lock:
            self._kept = dict(_claims(found.data))
            self._change += 1
            self._done = self._change
        self._resource_version, self._stored = found.metadata.resource_version, dict(found.data)
        self._loaded = True

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self._namespace}/configmaps/{self._name}"


def _data(kept: Mapping[Mark, Claim]) -> dict[str, str]:
    slots: dict[str, _Slot] = {}
    for (uid, following), claim in sorted(kept.items()):
        slot = slots.setdefault(claim.slot, _Slot(claim.group, claim.claimed_at_s))
        slot.claimed_at = min(slot.claimed_at, claim.claimed_at_s)
        (slot.next if following else slot.pods).append(uid)
    return {id_: msgspec.json.encode(slot).decode() for id_, slot in slots.items()}


def _claims(data: Mapping[str, str]) -> list[tuple[Mark, Claim]]:
    """A slot that can't be read is none of ours."""
    found: list[tuple[Mark, Claim]] = []
    for id_, text in data.items():
        try:
            slot = _SLOT.decode(text)
        except msgspec.MsgspecError:
            continue
        claim = Claim(id_, slot.group, slot.claimed_at)
        found += [((uid, False), claim) for uid in slot.pods] + [((uid, True), claim) for uid in slot.next]
    return found
