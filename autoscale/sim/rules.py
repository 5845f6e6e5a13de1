"""What the API server does to objects beside keeping them: defaults, and which changes it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.sim.objects import key_of, now_text
from autoscale.sim.refusals import Refused

if TYPE_CHECKING:
    from autoscale.sim.objects import Json, ObjectStore

NAMESPACED = frozenset({"pods", "events", "daemonsets", "poddisruptionbudgets", "configmaps"})
KINDS = {
    "pods": ("v1", "Pod"),
    "nodes": ("v1", "Node"),
    "events": ("v1", "Event"),
    "configmaps": ("v1", "ConfigMap"),
    "namespaces": ("v1", "Namespace"),
    "daemonsets": ("apps/v1", "DaemonSet"),
    "poddisruptionbudgets": ("policy/v1", "PodDisruptionBudget"),
}
_PATIENCE_S = 300  # what the DefaultTolerationSeconds admission plugin gives every pod
_FIXED = ("name", "namespace", "uid", "creationTimestamp")


def admitted(resource: str, obj: Json) -> Json:
    """A new object with what the API server fills in. Refused with 422 when it can't be one."""
    version, kind = KINDS[resource]
    obj = {**obj, "apiVersion": version, "kind": kind}
    if resource == "pods":
        spec = dict(obj.get("spec") or {})
        if not spec.get("containers"):
            raise Refused(422, f'Pod "{obj["metadata"].get("name", "")}" is invalid: spec.containers: Required value')
        tolerations = list(spec.get("tolerations") or ())
        for condition in ("not-ready", "unreachable"):
            key = f"node.kubernetes.io/{condition}"
            if not any(
                t.get("key") in (None, "", key) and t.get("effect") in (None, "", "NoExecute") for t in tolerations
            ):
                more = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _PATIENCE_S}
                tolerations.append(more)
        defaults = {"schedulerName": "default-scheduler", "restartPolicy": "Always"}
        obj["spec"] = {**defaults, **spec, "tolerations": tolerations}
        obj["status"] = {"phase": "Pending", **(obj.get("status") or {})}
    if resource == "nodes":
        obj.setdefault("spec", {})
        obj.setdefault("status", {})
    return obj


def changed(resource: str, was: Json, now: Json, *, status_only: bool) -> Json:
    """The object after a change by a client. Refused with 409 for an old version, 422 for what can't change."""
    meta, before = now.get("metadata") or {}, was["metadata"]
    name = before["name"]
    if meta.get("resourceVersion") != before["resourceVersion"]:
        raise Refused(
            409,
            f'Operation cannot be fulfilled on {resource} "{name}": the object has been modified; please apply your '
            "changes to the latest version and try again",
        )
    for field in _FIXED:
        if meta.get(field) != before.get(field):
            value = meta.get(field)
            raise Refused(
                422, f'{resource} "{name}" is invalid: metadata.{field}: Invalid value: "{value}": field is immutable'
            )
    if status_only:
        return {**was, "status": now.get("status") or {}}
    if not meta.get("annotations"):
        meta = {key: value for key, value in meta.items() if key != "annotations"}
    out = {**now, "metadata": meta}
    if "status" in was:
        out["status"] = was["status"]
    if resource == "pods":
        _check_pod(was, out)
    if resource == "nodes":
        _check_node(out)
    return out


def _check_pod(was: Json, now: Json) -> None:
    """Of a pod's spec only tolerations may change, and only by more of them (as far as we use it)."""
    before, after = was["spec"], now.get("spec") or {}
    kept = {**before, "tolerations": None} == {**after, "tolerations": None}
    if not kept or any(t not in (after.get("tolerations") or ()) for t in before.get("tolerations") or ()):
        name = was["metadata"]["name"]
        raise Refused(
            422, f'Pod "{name}" is invalid: spec: Forbidden: pod updates may not change fields other than additions to '
            "`spec.tolerations`",
        )  # fmt: skip


def _check_node(now: Json) -> None:
    taints = [(t.get("key"), t.get("effect")) for t in (now.get("spec") or {}).get("taints") or ()]
    if len(set(taints)) != len(taints):
        raise Refused(422, f'Node "{now["metadata"]["name"]}" is invalid: spec.taints: Duplicate value')


def bind(store: ObjectStore, key: str, node: str) -> Json:
    """Bind a pod to a node. Refused with 409 when it is bound or going."""

    def bound(pod: Json) -> Json:
        if pod["spec"].get("nodeName"):
            raise Refused(409, f'Operation cannot be fulfilled on pods "{key}": pod is already assigned to a node')
        if "deletionTimestamp" in pod["metadata"]:
            raise Refused(409, f'Operation cannot be fulfilled on pods "{key}": pod is being deleted')
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now_text()}
        others = [c for c in pod["status"].get("conditions", ()) if c["type"] != "PodScheduled"]
        status = {**pod["status"], "conditions": [*others, scheduled]}
        return {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status}

    return store.update("pods", key, bound)


def end_pod(store: ObjectStore, key: str, *, grace_s: int | None) -> Json:
    """Delete a pod as the API server does: one that runs is marked first, and its kubelet ends it."""
    with store.changed:
        pod = store.get("pods", key)
        grace_s = pod["spec"].get("terminationGracePeriodSeconds", 30) if grace_s is None else grace_s
        unfinished = pod["spec"].get("nodeName") and pod["status"]["phase"] not in ("Succeeded", "Failed")
        if not unfinished or not grace_s:
            return store.delete("pods", key)
        if "deletionTimestamp" in pod["metadata"]:
            return pod
        marks = {"deletionTimestamp": now_text(), "deletionGracePeriodSeconds": grace_s}
        return store.update("pods", key, lambda p: {**p, "metadata": {**p["metadata"], **marks}})


def end_node(store: ObjectStore, name: str) -> None:
    """Delete a node and whatever ran on it, as the cloud's node controller and the garbage collector do."""
    with store.changed:
        store.delete("nodes", name)
        for pod in store.all("pods")[1]:
            if pod["spec"].get("nodeName") == name:
                store.delete("pods", key_of(pod))
