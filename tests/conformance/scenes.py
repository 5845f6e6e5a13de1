"""Scenes from a seed: some nodes with pods on them, and pods that ask one after the other to go on one of the nodes.

`@` stands for the scene wherever its objects must not meet another scene's: in names, in the keys of labels that rules
count by, in the label that every selector of its pods asks for, and in the resource by which a pod asks for one node.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.cluster.controlplane import Json

from .words import DELETING

ZONE, HOST, RACK, POOL = "@.example.test/zone", "@.example.test/host", "@.example.test/rack", "@.example.test/pool"
HOSTNAME, GA_ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
DRIVER = "disk.example.test"
LATER = "@.later.example.test"  # a storage class, and its driver
MINE = "example.test/scene"  # label of every pod of a scene
NAMESPACES = {"@-a": {"team": "red"}, "@-b": {"team": "blue", "tier": "1"}}
ASKS = 8
_TAINT = "example.test/boot"
_APPS, _TRACKS = ("web", "db", "job"), ("x", "y")


@dataclass(frozen=True, slots=True)
class Ask:
    """A pod, and the number of the node that alone has what it asks for."""

    pod: Json
    target: int


@dataclass(frozen=True, slots=True)
class Scene:
    """A small cluster and the pods that ask, each after the one before has its answer and, if so, its node."""

    id: str
    nodes: tuple[Json, ...]
    running: tuple[Json, ...]
    asks: tuple[Ask, ...]
    storage: tuple[Json, ...] = ()


def scenes(seed: int, count: int) -> Iterator[Scene]:
    """The first `count` scenes of a seed."""
    for number in range(count):
        rng = Random(f"scene/{seed}/{number}")
        nodes = tuple(_node(rng, i) for i in range(rng.randint(2, 5)))
        running = tuple(_running(rng, i, len(nodes)) for i in range(rng.randint(0, 6)))
        asks = tuple(Ask(_pod(rng, f"pod-{i}"), rng.randrange(len(nodes))) for i in range(ASKS))
        asks = tuple(Ask(_for_target(ask), ask.target) for ask in asks)
        storage = tuple(_storage(rng, nodes)) if rng.random() < 0.4 else ()
        if storage:
            claims = [each for each in storage if each["kind"] == "PersistentVolumeClaim"]
            for pod in (*running, *(ask.pod for ask in asks)):
                _mount(rng, pod, claims)
        if rng.random() < 0.3:
            storage = (*storage, *_made_later(rng, nodes, [ask.pod for ask in asks]))
        yield Scene(f"{seed}-{number}", nodes, running, asks, storage)


def target_resource(target: int) -> str:
    """What only this node of the scene has."""
    return f"@.example.test/node-{target}"


def _for_target(ask: Ask) -> Json:
    name = target_resource(ask.target)
    requests = {"requests": {name: "1"}, "limits": {name: "1"}}
    first, *others = ask.pod["spec"]["containers"]
    spec = ask.pod["spec"] | {"containers": [first | {"resources": requests}, *others]}
    return ask.pod | {"spec": spec}


def _node(rng: Random, index: int) -> Json:
    name = f"@-n{index}"
    labels = {HOST: name, HOSTNAME: name, POOL: rng.choice(("p", "q"))}
    if rng.random() < 0.9:
        labels[ZONE] = rng.choice(("z1", "z2", "z3"))
    if rng.random() < 0.6:
        labels[RACK] = rng.choice(("r1", "r2"))
    if rng.random() < 0.08:
        del labels[HOST]
    if rng.random() < 0.7:
        labels[GA_ZONE] = rng.choice(("z1", "z2"))
    spec: Json = {}
    if rng.random() < 0.25:
        spec["taints"] = [{"key": _TAINT, "effect": rng.choice(("NoSchedule", "NoExecute", "PreferNoSchedule"))}]
    room = {target_resource(index): "50", "pods": "110" if rng.random() < 0.95 else "3"}
    status = {"allocatable": room, "conditions": [{"type": "Ready", "status": "True"}]}
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec, "status": status}


def _running(rng: Random, index: int, nodes: int) -> Json:
    made = _pod(rng, f"run-{index}", spreads=False)
    made["spec"]["nodeName"] = f"@-n{rng.randrange(nodes)}"
    made["status"] = {"phase": rng.choices(("Pending", "Running", "Succeeded"), (60, 30, 10))[0]}
    if rng.random() < 0.15:
        made["status"] = {"phase": "Pending"}
        made["metadata"]["annotations"] = {DELETING: "true"}
    return made


def _pod(rng: Random, name: str, *, spreads: bool = True) -> Json:
    labels = {MINE: "@", "app": rng.choice(_APPS)}
    if rng.random() < 0.6:
        labels["track"] = rng.choice(_TRACKS)
    if rng.random() < 0.6:
        labels["tier"] = rng.choice(("1", "2"))
    spec: Json = {
        "terminationGracePeriodSeconds": 300,
        "automountServiceAccountToken": False,
        "containers": [{"name": "c", "image": "example.test/work:1"}],
    }
    affinity: Json = {}
    if rng.random() < 0.3:
        affinity["podAffinity"] = {_REQUIRED: [_term(rng, labels) for _ in range(rng.choice((1, 1, 1, 2)))]}
    if rng.random() < 0.4:
        affinity["podAntiAffinity"] = {_REQUIRED: [_term(rng, labels) for _ in range(rng.choice((1, 1, 1, 2)))]}
    if affinity:
        spec["affinity"] = affinity
    if spreads and rng.random() < 0.5:
        spec["topologySpreadConstraints"] = _spreads(rng, labels)
    if rng.random() < 0.2:
        spec["nodeSelector"] = {POOL: rng.choice(("p", "q"))}
    if rng.random() < 0.5:
        spec["tolerations"] = [{"key": _TAINT, "operator": "Exists"}]
    if rng.random() < 0.2:
        spec["containers"][0]["ports"] = [_port(rng)]
    if rng.random() < 0.06:
        sidecar = {"name": "s", "image": "example.test/work:1", "ports": [_port(rng)]}
        spec["initContainers"] = [sidecar | ({"restartPolicy": "Always"} if rng.random() < 0.5 else {})]
    meta = {"name": name, "namespace": rng.choices(sorted(NAMESPACES), (75, 25))[0], "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _storage(rng: Random, nodes: tuple[Json, ...]) -> Iterator[Json]:
    """Bound claims with their volumes, now and then one without; and limits of some nodes."""
    for index in range(rng.randint(2, 5)):
        namespace, name = rng.choices(sorted(NAMESPACES), (75, 25))[0], f"claim-{index}"
        terms = rng.choice(
            (
                None,
                [{"key": ZONE, "operator": "In", "values": rng.sample(("z1", "z2", "z3"), 2)}],
                [{"key": HOST, "operator": "In", "values": [f"@-n{rng.randrange(len(nodes))}"]}],
                [{"key": POOL, "operator": "NotIn", "values": ["p"]}],
            )
        )
        modes = ["ReadWriteOnce"] if rng.random() < 0.9 else ["ReadWriteOncePod"]
        common = {"accessModes": modes, "storageClassName": ""}
        disk: Json = {"csi": {"driver": DRIVER, "volumeHandle": f"@-{index}"}, "capacity": {"storage": "1Gi"}}
        if terms:
            disk["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": terms}]}}
        labels = {GA_ZONE: rng.choice(("z1", "z2", "z1__z2"))} if rng.random() < 0.2 else {}
        meta = {"name": f"@-pv-{index}", "labels": labels}
        if rng.random() < 0.93:
            claimed = {"claimRef": {"namespace": namespace, "name": name}}
            yield {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": disk | common | claimed}
        meta = {"name": name, "namespace": namespace}
        if rng.random() < 0.93:
            meta["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
        asked = {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": f"@-pv-{index}"}
        yield {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": common | asked}
    for node in nodes:
        if rng.random() < 0.6:
            driver: Json = {"name": DRIVER, "nodeID": "x"}
            if rng.random() < 0.8:
                driver["allocatable"] = {"count": rng.choice((1, 1, 2))}
            name = node["metadata"]["name"]
            spec = {"drivers": [driver]}
            yield {"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": name}, "spec": spec}
            if rng.random() < 0.4:
                index = rng.randrange(5)
                source = {"attacher": DRIVER, "nodeName": name, "source": {"persistentVolumeName": f"@-pv-{index}"}}
                meta = {"name": f"{name}-{index}"}
                yield {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": meta, "spec": source}


def _made_later(rng: Random, nodes: tuple[Json, ...], asking: list[Json]) -> Iterator[Json]:
    """A class whose volumes are made once a pod has a node, where there is room for them; and claims, one a pod."""
    some = {"storageClassName": LATER, "provisioner": LATER, "volumeBindingMode": "WaitForFirstConsumer"}
    made: Json = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": LATER}}
    made |= {key: value for key, value in some.items() if key != "storageClassName"}
    if rng.random() < 0.35:
        allowed = {"key": rng.choice((ZONE, POOL)), "values": rng.sample(("z1", "z2", "p"), 2)}
        made["allowedTopologies"] = [{"matchLabelExpressions": [allowed]}]
    yield made
    spec = {"attachRequired": False, "storageCapacity": rng.random() < 0.75}
    yield {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": LATER}, "spec": spec}
    for index in range(rng.randint(0, 6)):
        room: Json = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIStorageCapacity"}
        room["metadata"] = {"name": f"room-{index}", "namespace": "@-a"}
        room["storageClassName"] = LATER if rng.random() < 0.9 else f"{LATER}.other"
        where: Json = rng.choice(
            (
                {},
                {},
                {"matchLabels": {ZONE: rng.choice(("z1", "z2"))}},
                {"matchLabels": {HOST: f"@-n{rng.randrange(len(nodes))}"}},
                {"matchExpressions": [{"key": POOL, "operator": "NotIn", "values": ["p"]}]},
            )
        )
        if rng.random() < 0.9:
            room["nodeTopology"] = where
        if rng.random() < 0.9:
            room["capacity"] = rng.choice(("1Gi", "5Gi", "5368709119", "10G"))
        if rng.random() < 0.3:
            room["maximumVolumeSize"] = rng.choice(("1Gi", "5Gi"))
        yield room
    for index, pod in enumerate(asking):
        if rng.random() < 0.6:
            size = {"resources": {"requests": {"storage": rng.choice(("1Gi", "5Gi", "5Gi", "8Gi"))}}}
            asked = {"accessModes": ["ReadWriteOnce"], "storageClassName": LATER} | size
            meta = {"name": f"later-{index}", "namespace": pod["metadata"]["namespace"]}
            yield {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": asked}
            volume = {"name": "later", "persistentVolumeClaim": {"claimName": meta["name"]}}
            pod["spec"].setdefault("volumes", []).append(volume)


def _mount(rng: Random, pod: Json, claims: list[Json]) -> None:
    """One or two claims of the pod's namespace, most pods none; the same claim on one node counts once, so each has one pod."""
    mine = [each for each in claims if each["metadata"]["namespace"] == pod["metadata"]["namespace"]]
    if not mine or rng.random() < 0.45:
        return
    names = [each["metadata"]["name"] for each in rng.sample(mine, min(len(mine), rng.choice((1, 1, 2))))]
    if rng.random() < 0.04:
        names = ["gone"]
    sources = [{"persistentVolumeClaim": {"claimName": name}} for name in names]
    pod["spec"]["volumes"] = [{"name": f"v{i}", **source} for i, source in enumerate(sources)]


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def _port(rng: Random) -> Json:
    port: Json = {"containerPort": 80, "hostPort": rng.choice((8080, 8080, 9090))}
    if rng.random() < 0.3:
        port["protocol"] = rng.choice(("TCP", "UDP"))
    if rng.random() < 0.35:
        port["hostIP"] = rng.choice(("10.0.0.1", "10.0.0.2", "0.0.0.0"))
    return port


def _term(rng: Random, labels: dict[str, str]) -> Json:
    term: Json = {"topologyKey": rng.choice((ZONE, ZONE, HOST, HOSTNAME, RACK))}
    if rng.random() < 0.95:
        term["labelSelector"] = _selector(rng, labels)
        term["labelSelector"].setdefault("matchLabels", {})[MINE] = "@"
        keys = rng.random()
        if keys < 0.12:
            term["matchLabelKeys"] = ["tier"]
        elif keys < 0.2:
            term["mismatchLabelKeys"] = ["tier"]
    where = rng.random()
    if where < 0.15:
        term["namespaces"] = rng.sample(sorted(NAMESPACES), rng.choice((1, 2)))
    if 0.1 < where < 0.3:
        term["namespaceSelector"] = rng.choice(
            (
                {},
                {"matchLabels": {"team": "red"}},
                {"matchExpressions": [{"key": "tier", "operator": "Exists"}]},
                {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["red"]}]},
                {"matchLabels": {"kubernetes.io/metadata.name": "@-b"}},
            )
        )
    return term


def _selector(rng: Random, labels: dict[str, str]) -> Json:
    """Often one that selects the pod itself."""
    kind = rng.random()
    if kind < 0.45:
        return {"matchLabels": {"app": labels["app"]}}
    if kind < 0.65:
        return {"matchLabels": {"app": rng.choice(_APPS)}}
    if kind < 0.72:
        return {}
    operator = rng.choice(("In", "NotIn", "Exists", "DoesNotExist"))
    key = rng.choice(("app", "track", "gone"))
    expression: Json = {"key": key, "operator": operator}
    if operator in ("In", "NotIn"):
        expression["values"] = rng.sample(_APPS if key == "app" else _TRACKS, rng.choice((1, 2)))
    return {"matchExpressions": [expression]}


def _spreads(rng: Random, labels: dict[str, str]) -> list[Json]:
    keys = rng.sample((ZONE, HOST, RACK), rng.choices((1, 2), (75, 25))[0])
    return [_spread(rng, key, labels) for key in keys]


def _spread(rng: Random, key: str, labels: dict[str, str]) -> Json:
    made: Json = {
        "topologyKey": key,
        "maxSkew": rng.choice((1, 1, 1, 2)),
        "whenUnsatisfiable": "DoNotSchedule" if rng.random() < 0.92 else "ScheduleAnyway",
    }
    if rng.random() < 0.95:
        made["labelSelector"] = _selector(rng, labels)
    if rng.random() < 0.2 and made["whenUnsatisfiable"] == "DoNotSchedule":
        made["minDomains"] = rng.choice((1, 2, 3))
    if rng.random() < 0.2 and "labelSelector" in made:
        made["matchLabelKeys"] = ["tier"]
    if rng.random() < 0.25:
        made["nodeAffinityPolicy"] = rng.choice(("Ignore", "Honor"))
    if rng.random() < 0.3:
        made["nodeTaintsPolicy"] = rng.choice(("Ignore", "Honor"))
    return made
