"""The Eviction API of the embedded cluster: budgets are counted when they are asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.sim.refusals import Refused
from autoscale.sim.rules import end_pod
from autoscale.sim.selecting import selects_labels

if TYPE_CHECKING:
    from autoscale.sim.objects import Json, ObjectStore

_SAID = "Cannot evict pod as it would violate the pod's disruption budget."


def evict(store: ObjectStore, key: str, eviction: Json) -> Json:
    """Delete the pod unless a budget says no. Refused with 409 for another uid, 429 by a budget, 500 by two of them."""
    with store.changed:
        pod = store.get("pods", key)
        options = eviction.get("deleteOptions") or {}
        uid = (options.get("preconditions") or {}).get("uid")
        if uid and uid != pod["metadata"]["uid"]:
            raise Refused(409, f"Precondition failed: UID in precondition: {uid}, UID in object meta: another")
        if pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]:
            _ask_budgets(store, pod)
        end_pod(store, key, grace_s=options.get("gracePeriodSeconds"))
    return {"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201}


def _ask_budgets(store: ObjectStore, pod: Json) -> None:
    namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels") or {}
    mine = [
        each
        for each in store.all("poddisruptionbudgets")[1]
        if each["metadata"]["namespace"] == namespace and selects_labels(each["spec"].get("selector"), labels)
    ]
    if len(mine) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise Refused(500, text)
    for budget in mine:
        healthy, needed = _healthy(store, budget)
        if healthy <= needed:
            name = budget["metadata"]["name"]
            text = f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"
            raise Refused(429, _SAID, causes=(("DisruptionBudget", text),))


def _healthy(store: ObjectStore, budget: Json) -> tuple[int, int]:
    """How many pods of a budget run and stay, and how many have to."""
    spec = budget["spec"]
    pods = [
        pod
        for pod in store.all("pods")[1]
        if pod["metadata"]["namespace"] == budget["metadata"]["namespace"]
        and selects_labels(spec.get("selector"), pod["metadata"].get("labels") or {})
        and pod["status"]["phase"] not in ("Succeeded", "Failed")
    ]
    healthy = sum(p["status"]["phase"] == "Running" and "deletionTimestamp" not in p["metadata"] for p in pods)
    if "minAvailable" in spec:
        return healthy, int(spec["minAvailable"])
    return healthy, len(pods) - int(spec.get("maxUnavailable", 0))
