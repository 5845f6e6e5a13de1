"""What we write to the cluster. Every verb may be repeated: what is already so is done.

Pods are patched under the condition of their uid, nodes read, changed and written under the condition of their version
(taints and tolerations are lists, in which others write too). Each answer goes into the store at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from autoscale.errors import Conflict, NotFound
from autoscale.model.names import (
    CLAIMED_AT,
    DISRUPTED,
    DISRUPTED_AT,
    FREEZE,
    FREEZES,
    GONE,
    GROUP,
    NEXT_CLAIMED_AT,
    NEXT_GROUP,
    NEXT_SLOT,
    RESERVATION,
    RESERVED_AT,
    SLOT,
)
from autoscale.model.toll import Toll, told
from autoscale.observe.kube_events import EventWriter
from autoscale.observe.kube_http import JSON_PATCH, MERGE_PATCH, Http

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from autoscale.model.supply import Node
    from autoscale.model.workload import Pod
    from autoscale.observe.kube_store import Store

_TRIES = 6  # how often a node that others change at the same time is read and written anew


class _Meta(msgspec.Struct, rename="camel"):
    uid: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Spec(msgspec.Struct, rename="camel"):
    node_name: str | None = None
    tolerations: list[dict[str, Any]] | None = None
    taints: list[dict[str, Any]] | None = None


class Seen(msgspec.Struct):
    """A pod or node as we change it: lists as they are, fields that we don't know included."""

    metadata: _Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)

    def annotation(self, key: str) -> str:
        """Its value, empty when there is none."""
        return (self.metadata.annotations or {}).get(key, "")


_OBJECT = msgspec.json.Decoder(Seen)


class Verbs:
    """The writing half of `ports.Cluster`. Calls may run side by side."""

    def __init__(self, http: Http, pods: Store[Pod], nodes: Store[Node]) -> None:
        self._http = http
        self._pods = pods
        self._nodes = nodes
        self.events = EventWriter(http)

    def claim(self, pod: tuple[str, str], *, slot: str, group: str, at_s: int) -> None:
        """Write the claim's annotations onto an unbound pod. Conflict when it is bound and not claimed for the slot."""
        seen = self._seen(pod)
        if seen is not None:
            if seen.claim is not None and (seen.claim.slot, seen.claim.group) == (slot, group):
                return
            if seen.node_name:
                raise Conflict(f"pod {pod[1]} is bound to {seen.node_name} already")
        annotations = {SLOT: slot, GROUP: group, CLAIMED_AT: str(at_s)}
        self._patch_pod(pod, {"metadata": {"uid": pod[0], "annotations": annotations}}, MERGE_PATCH)

    def claim_next(self, pod: tuple[str, str], *, slot: str, group: str, at_s: int) -> None:
        """Write onto a pod that runs which slot is meant for whoever takes its place."""
        annotations = {NEXT_SLOT: slot, NEXT_GROUP: group, NEXT_CLAIMED_AT: str(at_s)}
        self._patch_pod(pod, {"metadata": {"uid": pod[0], "annotations": annotations}}, MERGE_PATCH)

    def unclaim(self, pod: tuple[str, str], *, slot: str) -> None:
        """Take the claim off, its own or that for whoever takes its place, if it is still this slot's."""
        seen = self._seen(pod)
        if seen is None or (seen.claim is not None and seen.claim.slot == slot):
            self._unclaim(pod, slot, (SLOT, GROUP, CLAIMED_AT))
        if seen is None or (seen.next_claim is not None and seen.next_claim.slot == slot):
            self._unclaim(pod, slot, (NEXT_SLOT, NEXT_GROUP, NEXT_CLAIMED_AT))

    def _unclaim(self, pod: tuple[str, str], slot: str, keys: tuple[str, str, str]) -> None:
        first, *others = keys
        patch = [_is("/metadata/uid", pod[0]), _is(_annotation(first), slot)]
        for key in others:  # what may be missing is added first: taking away nothing would be an error
            patch += [{"op": "add", "path": _annotation(key), "value": ""}, {"op": "remove", "path": _annotation(key)}]
        patch.append({"op": "remove", "path": _annotation(first)})
        try:
            self._patch_pod(pod, patch, JSON_PATCH)
        except Conflict:
            if self._read_pod(pod).annotation(first) == slot:
                raise

    def tolerate(self, pod: tuple[str, str], *, slot: str) -> None:
        """Let the pod onto the node held for the slot. A pod that is bound needs it no more."""
        seen = self._seen(pod)
        if seen is not None and (seen.node_name or slot in seen.tolerated_slots):
            return
        toleration = {"key": SLOT, "operator": "Equal", "value": slot, "effect": "NoSchedule"}
        patch = [_is("/metadata/uid", pod[0]), {"op": "add", "path": "/spec/tolerations/-", "value": toleration}]
        try:
            self._patch_pod(pod, patch, JSON_PATCH)
        except Conflict:
            self._tolerate_slowly(pod, toleration)

    def _tolerate_slowly(self, pod: tuple[str, str], toleration: Mapping[str, str]) -> None:
        """For a pod without any toleration (there is no list to add to), or one that changed meanwhile."""
        for left in reversed(range(_TRIES)):
            current = self._read_pod(pod)
            tolerations = current.spec.tolerations or []
            if current.spec.node_name or toleration in tolerations:
                return
            meta = {"uid": pod[0], "resourceVersion": current.metadata.resource_version}
            patch = {"metadata": meta, "spec": {"tolerations": [*tolerations, toleration]}}
            try:
                self._patch_pod(pod, patch, MERGE_PATCH)
            except Conflict:
                if not left:
                    raise
            else:
                return

    def assign(self, node: str, *, slot: str, at_s: int) -> None:
        """Write onto the node which slot it was given. Conflict when it has another that is not released."""

        def change(seen: Seen) -> dict[str, Any] | None:
            if seen.annotation(SLOT) == slot and seen.annotation(RESERVATION):
                return None
            _refuse_other(node, seen, slot)
            return {"metadata": {"annotations": _reservation(slot, "assigned", at_s)}}

        self._change_node(node, change)

    def hold(self, node: str, *, slot: str, at_s: int) -> None:
        """Taint the node for the slot. Conflict when it is another's, or this slot was released already."""

        def change(seen: Seen) -> dict[str, Any] | None:
            _refuse_other(node, seen, slot)
            phase = seen.annotation(RESERVATION) if seen.annotation(SLOT) == slot else ""
            if phase == "released":
                raise Conflict(f"node {node} was released from slot {slot} already")
            taint = {"key": SLOT, "value": slot, "effect": "NoSchedule"}
            taints = seen.spec.taints or []
            if phase == "held" and any(_is_ours(t) and t.get("value") == slot for t in taints):
                return None
            spec = {"taints": [*(t for t in taints if not _is_ours(t)), taint]}
            return {"metadata": {"annotations": _reservation(slot, "held", at_s)}, "spec": spec}

        self._change_node(node, change)

    def admit(self, node: str, *, slot: str, at_s: int) -> None:
        """Nothing: the pods that were let in tolerate the node's taint."""

    def release(self, node: str, *, slot: str, at_s: int) -> None:
        """Take the slot's taint off the node. A node that has another slot by now keeps that one's."""

        def change(seen: Seen) -> dict[str, Any] | None:
            taints = seen.spec.taints or []
            kept = [t for t in taints if not (_is_ours(t) and t.get("value") == slot)]
            patch: dict[str, Any] = {}
            if seen.annotation(SLOT) in ("", slot) and (seen.annotation(RESERVATION) != "released"):
                patch["metadata"] = {"annotations": _reservation(slot, "released", at_s)}
            if len(kept) != len(taints):
                patch["spec"] = {"taints": kept or None}
            return patch or None

        self._change_node(node, change)

    def cordon(self, node: str, *, on: bool) -> None:
        """Close the node to new pods, or open it again."""
        patch = {"spec": {"unschedulable": True if on else None}}
        with self._nodes.writing(node):
            self._nodes.put_own(self._http.patch(_node_path(node), patch, content_type=MERGE_PATCH))

    def disrupt(self, node: str, *, code: str, at_s: int) -> None:
        """Close the node with our taint, and say why and since when."""

        def change(seen: Seen) -> dict[str, Any] | None:
            taints = seen.spec.taints or []
            ours = {"key": DISRUPTED, "value": code, "effect": "NoSchedule"}
            if seen.annotation(DISRUPTED) == code and any(_is_disruption(t) for t in taints):
                return None
            kept = [t for t in taints if not _is_disruption(t)]
            annotations = {DISRUPTED: code, DISRUPTED_AT: str(at_s)}
            return {"metadata": {"annotations": annotations}, "spec": {"taints": [*kept, ours]}}

        self._change_node(node, change)

    def restore(self, node: str) -> None:
        """Take that taint and what was said off again."""

        def change(seen: Seen) -> dict[str, Any] | None:
            taints = seen.spec.taints or []
            kept = [t for t in taints if not _is_disruption(t)]
            if len(kept) == len(taints) and not seen.annotation(DISRUPTED):
                return None
            return {
                "metadata": {"annotations": {DISRUPTED: None, DISRUPTED_AT: None}},
                "spec": {"taints": kept or None},
            }

        self._change_node(node, change)

    def freeze(self, why: str | None) -> None:
        """Keep every engine from draining or removing nodes; None ends it."""
        patch = {"metadata": {"annotations": {FREEZE: why}}}
        self._http.patch(f"/api/v1/namespaces/{FREEZES}", patch, content_type=MERGE_PATCH)

    def note_gone(self, toll: Toll) -> None:
        """Write down how many nodes have gone when, for whoever looks next."""
        patch = {"metadata": {"annotations": {GONE: told(toll)}}}
        self._http.patch(f"/api/v1/namespaces/{FREEZES}", patch, content_type=MERGE_PATCH)

    def evict(self, pod: tuple[str, str]) -> None:
        """Ask for the very pod to be evicted, with its own grace. Disallowed when a budget says no.

        A pod that ends already is as good as evicted.
        """
        seen = self._seen(pod)
        if seen is not None and seen.deleting:
            return
        namespace, _, name = pod[1].partition("/")
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": pod[0]}},
        }
        try:
            self._http.post(f"{pod_path(pod)}/eviction", eviction)
        except Conflict as error:
            raise NotFound(f"pod {pod[1]} is gone; another has its name") from error

    def announce(self, pod: tuple[str, str], *, event: str, text: str, about: str = "") -> None:
        """Have an Event about the pod written soon. Best effort: never raises, and does not wait."""
        self.events.add(pod, event=event, text=text, about=about)

    def _seen(self, pod: tuple[str, str]) -> Pod | None:
        """What the store knows of the very pod."""
        seen = self._pods.get(pod[1])
        return seen if seen is not None and seen.uid == pod[0] else None

    def _patch_pod(self, pod: tuple[str, str], patch: Any, content_type: str) -> None:
        """Patch it. A Conflict because the name is another pod's by now is a NotFound."""
        try:
            with self._pods.writing(pod[1]):
                self._pods.put_own(self._http.patch(pod_path(pod), patch, content_type=content_type))
        except Conflict:
            self._read_pod(pod)
            raise

    def _read_pod(self, pod: tuple[str, str]) -> Seen:
        raw = self._http.get(pod_path(pod))
        current = _OBJECT.decode(raw)
        if current.metadata.uid != pod[0]:
            raise NotFound(f"pod {pod[1]} is gone; another has its name")
        self._pods.put_own(raw)
        return current

    def _change_node(self, node: str, change: Callable[[Seen], dict[str, Any] | None]) -> None:
        """Write what `change` makes of the node (None: nothing to do), on exactly the version that it has seen."""
        for left in reversed(range(_TRIES)):
            raw = self._http.get(_node_path(node))
            seen = _OBJECT.decode(raw)
            self._nodes.put_own(raw)
            patch = change(seen)
            if patch is None:
                return
            patch.setdefault("metadata", {})["resourceVersion"] = seen.metadata.resource_version
            try:
                with self._nodes.writing(node):
                    self._nodes.put_own(self._http.patch(_node_path(node), patch, content_type=MERGE_PATCH))
            except Conflict:
                if not left:
                    raise
            else:
                return


def _refuse_other(node: str, seen: Seen, slot: str) -> None:
    other, phase = seen.annotation(SLOT), seen.annotation(RESERVATION)
    if other and other != slot and phase in ("assigned", "held"):
        raise Conflict(f"node {node} is {phase} for slot {other}, not {slot}")


def _reservation(slot: str, phase: str, at_s: int) -> dict[str, str]:
    return {SLOT: slot, RESERVATION: phase, RESERVED_AT: str(at_s)}


def _is_ours(taint: Mapping[str, Any]) -> bool:
    return taint.get("key") == SLOT and taint.get("effect") == "NoSchedule"


def _is_disruption(taint: Mapping[str, Any]) -> bool:
    return taint.get("key") == DISRUPTED


def _annotation(key: str) -> str:
    """The JSON pointer to an annotation."""
    return "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")


def _is(path: str, value: str) -> dict[str, str]:
    """The step of a JSON patch that refuses the whole when there is another value."""
    return {"op": "test", "path": path, "value": value}


def pod_path(pod: tuple[str, str]) -> str:
    """Where the API server has it."""
    namespace, _, name = pod[1].partition("/")
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def _node_path(node: str) -> str:
    return f"/api/v1/nodes/{node}"
