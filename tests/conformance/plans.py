"""Whole plans from a seed: node groups, a cluster, and 20 to 300 pods that ask for devices, with rules about each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.cluster.controlplane import Json

GPU, ZONE, HOST = "nvidia.com/gpu", "topology.kubernetes.io/zone", "kubernetes.io/hostname"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_APPS = ("web", "db", "train", "infer", "batch")
TAINT = {"key": GPU, "value": "present", "effect": "NoSchedule"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A node group: what its machines have, where they are and what they cost."""

    name: str
    zone: str
    gpus: int
    cpus: int
    usd: float
    tainted: bool


@dataclass(frozen=True, slots=True)
class PlanCase:
    """Everything that there is before the engine looks. `closed`: nodes register with the engine's start-up taint."""

    seed: str
    kinds: tuple[Kind, ...]
    running: tuple[Json, ...]
    up: tuple[str, ...]
    pods: tuple[Json, ...]
    closed: bool
    daemon_tolerates_all: bool


def plan_case(seed: int, number: int) -> PlanCase:
    """One case of a seed."""
    rng = Random(f"plan/{seed}/{number}")
    tainted = rng.random() < 0.6
    kinds = tuple(
        Kind(f"g{i}-{zone}", zone, gpus, gpus * 8, round(gpus * rng.uniform(1, 4), 2), tainted)
        for i, (zone, gpus) in enumerate(
            (zone, rng.choice((4, 8, 8))) for zone in ("z1", "z2", "z3")[: rng.choice((2, 3, 3))] for _ in range(2)
        )
    )
    up = tuple(kind.name for kind in kinds if rng.random() < 0.35)
    running = tuple(
        _pod(rng, f"run-{name}", _labels(rng), gpus=rng.randint(1, 4), rules=_rules(rng)) | {"on": name} for name in up
    )
    closed = rng.random() < 0.5
    return PlanCase(f"{seed}-{number}", kinds, running, up, tuple(_asking(rng)), closed, closed or rng.random() < 0.5)


def stranger(rng: Random, number: int, *, device: bool) -> Json:
    """Somebody else's pod, which comes while nodes join: small, and let in everywhere that is not held."""
    spec: Json = {
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [_container("50m", 1 if device else 0)],
        "tolerations": [{"key": GPU, "operator": "Exists"}],
    }
    return {
        "metadata": {"name": f"stranger-{number}", "labels": {"app": f"stranger-{rng.randint(0, 2)}"}},
        "spec": spec,
    }


def _asking(rng: Random) -> Iterator[Json]:
    total = rng.choice((20, 40, 60, 100, 150, 300))
    made = 0
    while made < total:
        labels, gpus, rules = _labels(rng), rng.choice((1, 1, 1, 2, 2, 4)), _rules(rng)
        cpu = rng.choice(("1", "2", "4")) if gpus < 4 else "8"
        for _ in range(min(total - made, rng.randint(1, 30))):
            yield _pod(rng, f"pod-{made}", labels, gpus=gpus, rules=rules, cpu=cpu)
            made += 1


def _pod(rng: Random, name: str, labels: dict[str, str], *, gpus: int, rules: Json, cpu: str = "1") -> Json:
    container = _container(cpu, gpus)
    spec: Json = {
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [container],
        "tolerations": [{"key": GPU, "operator": "Exists"}],
    }
    for key, value in rules.items():
        if key == "port":
            container["ports"] = [{"containerPort": value, "hostPort": value}]
        else:
            spec[key] = value
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def _container(cpu: str, gpus: int) -> Json:
    requests: dict[str, Any] = {"cpu": cpu, "memory": "1Gi"}
    limits = {GPU: str(gpus)} if gpus else {}
    return {"name": "c", "image": "example.test/work:1", "resources": {"requests": requests | limits, "limits": limits}}


def _labels(rng: Random) -> dict[str, str]:
    return {"app": rng.choice(_APPS)}


def _rules(rng: Random) -> Json:
    """None for four in ten; one, or now and then two, for the rest."""
    found: Json = {}
    for _ in range(rng.choices((0, 1, 2), (40, 48, 12))[0]):
        key = rng.choice((ZONE, HOST))
        selector = {"labelSelector": {"matchLabels": {"app": rng.choice(_APPS)}}}
        match rng.randrange(5):
            case 0:
                found.setdefault("affinity", {})["podAntiAffinity"] = {_REQUIRED: [selector | {"topologyKey": key}]}
            case 1:
                found.setdefault("affinity", {})["podAffinity"] = {_REQUIRED: [selector | {"topologyKey": key}]}
            case 2 | 3:
                spread: Json = {
                    "topologyKey": key,
                    "maxSkew": rng.choice((1, 1, 2)),
                    "whenUnsatisfiable": "DoNotSchedule",
                }
                if rng.random() < 0.3:
                    spread["minDomains"] = 2
                found["topologySpreadConstraints"] = [spread | selector]
            case 4:
                found["port"] = rng.choice((8080, 9090))
    return found
