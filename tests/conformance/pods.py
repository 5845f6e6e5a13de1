"""Random pods: what they ask for and where they may go."""

from random import Random

from tests.cluster.controlplane import Json

from . import words
from .words import CPUS, DEVICES, EFFECTS, LABELS, MEMORIES, RUNTIME_CLASSES, TAINT_KEYS, TAINT_VALUES, TIER


def pod(rng: Random, name: str, nodes: list[Json]) -> Json:
    """A pod for this cluster: its rules lean towards what the nodes have, so that about half of them hold."""
    spec = demand(rng, devices=rng.choices((0, 1, 2), (50, 46, 4))[0])
    if rng.random() < 0.2:
        spec["nodeSelector"] = _selector(rng, nodes)
    if rng.random() < 0.35:
        spec["affinity"] = {"nodeAffinity": affinity(rng, nodes)}
    tolerations = [toleration(rng, nodes) for _ in range(rng.choices((0, 1, 2, 3), (30, 30, 20, 20))[0])]
    if tolerations:
        spec["tolerations"] = tolerations
    return _pod(name, spec)


def running(rng: Random, name: str, node: str) -> Json:
    """A pod that is on a node: it takes room, unless it is finished; one on its way out still takes it."""
    made = _pod(name, demand(rng, devices=rng.choices((0, 1), (70, 30))[0], modest=True) | {"nodeName": node})
    made["status"] = {"phase": rng.choices(("Pending", "Running", "Succeeded", "Failed"), (60, 20, 12, 8))[0]}
    if rng.random() < 0.15:
        made["status"] = {"phase": "Pending"}
        made["metadata"]["annotations"] = {words.DELETING: "true"}
    if rng.random() < 0.15:  # a static pod, as its kubelet shows it
        made["metadata"].setdefault("annotations", {})[words.MIRROR] = "0123"
    if made["status"]["phase"] == "Running" and rng.random() < 0.5:
        made["status"] |= _resized(rng, made["spec"])
    return made


def _resized(rng: Random, spec: Json) -> Json:
    """What a kubelet says of a pod whose size was changed while it ran, or is to be."""
    said: Json = {}
    for of, where in (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses")):
        said[where] = [_has(rng, each["name"]) for each in spec.get(of, ()) if rng.random() < 0.8]
    if "resources" in spec and rng.random() < 0.6:
        said |= {"resources": {"requests": _amounts(rng)}, "allocatedResources": _amounts(rng)}
    if rng.random() < 0.5:
        reason = rng.choice(("Infeasible", "Infeasible", "Deferred"))
        said["conditions"] = [{"type": "PodResizePending", "status": "True", "reason": reason}]
    return said


def _has(rng: Random, name: str) -> Json:
    status: Json = {"name": name, "image": "example.test/work:1", "imageID": "", "ready": True, "restartCount": 0}
    if rng.random() < 0.85:
        status["resources"] = {"requests": _amounts(rng)} if rng.random() < 0.9 else {}
    if rng.random() < 0.7:
        status["allocatedResources"] = _amounts(rng)
    return status


def _amounts(rng: Random) -> dict[str, str]:
    found = {"cpu": rng.choice(CPUS), "memory": rng.choice(MEMORIES)}
    return {name: amount for name, amount in found.items() if rng.random() < 0.8}


def demand(rng: Random, *, devices: int, modest: bool = False) -> Json:
    """A spec with containers, and whatever else adds to a request."""
    kinds = rng.sample(DEVICES, devices) if devices < 2 or rng.random() < 0.5 else [DEVICES[0], DEVICES[2]]
    count = rng.choices((1, 2, 3), (65, 25, 10))[0]
    spec: Json = {"containers": [_container(rng, f"c{i}", kinds) for i in range(count)]}
    rare = 0.3 if modest else 1.0
    if rng.random() < 0.5 * rare:
        spec["initContainers"] = inits = [_container(rng, f"i{i}", kinds) for i in range(rng.randint(1, 3))]
        for init in inits:
            if rng.random() < 0.45:
                init["restartPolicy"] = "Always"
    if rng.random() < 0.2 * rare:
        spec["runtimeClassName"] = rng.choice(sorted(RUNTIME_CLASSES))
    if rng.random() < 0.12 * rare:
        spec["resources"] = _pod_level(rng)
    return spec


def _pod(name: str, spec: Json) -> Json:
    fixed = {"terminationGracePeriodSeconds": 300, "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": fixed | spec}


def _container(rng: Random, name: str, kinds: list[str]) -> Json:
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for resource, values, share in (
        ("cpu", CPUS, 0.7),
        ("memory", MEMORIES, 0.7),
        ("ephemeral-storage", words.STORAGES, 0.15),
    ):
        if rng.random() < share:
            value = rng.choice(values)
            where = rng.choices(("request", "limit", "both", "below"), (65, 15, 10, 10))[0]
            if where != "limit":
                requests[resource] = value
            if where in ("limit", "both"):
                limits[resource] = value
            if where == "below":
                limits[resource] = "32Gi" if resource != "cpu" else "4"
    for kind in kinds:
        if rng.random() < 0.75:
            limits[kind] = rng.choice(words.COUNTS)
            if rng.random() < 0.5:
                requests[kind] = limits[kind]
    if rng.random() < 0.05 and {"cpu", "memory"} & {*requests, *limits}:
        limits["hugepages-2Mi"] = rng.choice(words.PAGES)
    resources = {key: found for key, found in (("requests", requests), ("limits", limits)) if found}
    container: Json = {"name": name, "image": "example.test/work:1"}
    return container | ({"resources": resources} if resources else {})


def _pod_level(rng: Random) -> Json:
    """Large enough to be valid, as a rule: less than its containers ask for is refused by the API server."""
    amounts = {"cpu": rng.choice(("12", "7.5", "9001m")), "memory": rng.choice(("60Gi", "70e9", "64424509441"))}
    chosen = {name: amounts[name] for name in amounts if rng.random() < 0.7} or amounts
    where = rng.choice(("requests", "limits", "both"))
    if where == "limits" and rng.random() < 0.3:
        chosen["hugepages-2Mi"] = "512Mi"
    if where == "both":
        return {"requests": chosen, "limits": {name: "96" if name == "cpu" else "90Gi" for name in amounts}}
    return {where: chosen}


def _selector(rng: Random, nodes: list[Json]) -> dict[str, str]:
    labels = rng.choice(nodes)["metadata"]["labels"]
    if labels and rng.random() < 0.75:
        return {key: labels[key] for key in rng.sample(sorted(labels), min(len(labels), rng.choice((1, 1, 2))))}
    key = rng.choice(sorted(LABELS))
    return {key: rng.choice(LABELS[key])}


def affinity(rng: Random, nodes: list[Json]) -> Json:
    """Required terms, and now and then a preferred one."""
    terms = [_term(rng, nodes) for _ in range(rng.choices((1, 2, 3), (55, 30, 15))[0])]
    made: Json = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    if rng.random() < 0.15:
        wish = {"weight": 7, "preference": {"matchExpressions": [_expression(rng, nodes)]}}
        made["preferredDuringSchedulingIgnoredDuringExecution"] = [wish]
    return made


def _term(rng: Random, nodes: list[Json]) -> Json:
    if rng.random() < 0.04:
        return {}
    fields = [_field(rng, nodes) for _ in range(rng.choices((0, 1, 2), (85, 12, 3))[0])]
    least = 0 if fields and rng.random() < 0.6 else 1
    expressions = [_expression(rng, nodes) for _ in range(max(least, rng.choices((0, 1, 2, 3), (5, 55, 28, 12))[0]))]
    term: Json = {}
    if expressions:
        term["matchExpressions"] = expressions
    if fields:
        term["matchFields"] = fields
    return term


def _field(rng: Random, nodes: list[Json]) -> Json:
    name = rng.choice(nodes)["metadata"]["name"]
    return {"key": "metadata.name", "operator": rng.choice(("In", "In", "NotIn")), "values": [name]}


def _expression(rng: Random, nodes: list[Json]) -> Json:
    labels = rng.choice(nodes)["metadata"]["labels"]
    operator = rng.choices(("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"), (30, 16, 14, 10, 16, 14))[0]
    if operator in ("Gt", "Lt"):
        key = TIER if rng.random() < 0.85 else rng.choice(sorted(LABELS))
        bound = labels[key] if key in labels and rng.random() < 0.3 else rng.choice(words.BOUNDS)
        return {"key": key, "operator": operator, "values": [bound]}
    key = rng.choice(sorted(labels if labels and rng.random() < 0.7 else LABELS))
    if operator in ("Exists", "DoesNotExist"):
        return {"key": key, "operator": operator}
    values = rng.sample(LABELS[key], min(len(LABELS[key]), rng.choice((1, 1, 2))))
    if operator == "In" and key in labels and labels[key] not in values and rng.random() < 0.6:
        values[0] = labels[key]
    return {"key": key, "operator": operator, "values": values}


def toleration(rng: Random, nodes: list[Json]) -> Json:
    """Made for one of the cluster's taints, more or less."""
    taints = [taint for node in nodes for taint in node["spec"].get("taints", ())]
    if any(node["spec"].get("unschedulable") for node in nodes):
        taints.append({"key": words.UNSCHEDULABLE, "effect": "NoSchedule"})
    if not taints or rng.random() < 0.15:
        taints = [{"key": rng.choice(TAINT_KEYS), "value": rng.choice(TAINT_VALUES), "effect": rng.choice(EFFECTS)}]
    taint = rng.choice(taints)
    made: Json = {"key": taint["key"]}
    if rng.random() < 0.5:
        made["operator"] = "Exists"
        if rng.random() < 0.2:
            del made["key"]
    else:
        value = taint.get("value", "") if rng.random() < 0.75 else rng.choice(TAINT_VALUES)
        if value or rng.random() < 0.5:
            made["value"] = value
        if rng.random() < 0.6:
            made["operator"] = "Equal"
    if rng.random() < 0.6:
        made["effect"] = taint["effect"] if rng.random() < 0.8 else rng.choice(EFFECTS)
        if made["effect"] == "NoExecute" and rng.random() < 0.4:
            made["tolerationSeconds"] = rng.choice((0, 60))
    return made
