"""Makes problem files of every kind that is measured, from the catalogue, by seed.

    python -m benchmarks.problems --kind real-1000 --pods 600 --seed 3 > problem.json

Seed 0 is what docs/benchmarks.md shows; any other gives a problem of the same kind that nobody has tuned on.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import catalogue as cat
from benchmarks.reading import offerings, shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.catalogue import Catalogue
    from benchmarks.reading import Json, Offering

OPENB_FILE = "openb_pod_list_default.csv"
NODE_COST = 0.10  # US$ per node and hour in the variant that charges for nodes
_TOLERATES_GPU = [{"key": cat.GPU, "operator": "Exists", "effect": "NoSchedule"}]


class DataMissingError(Exception):
    """A data file that does not ship with the project is not there; the message says which."""


# --- pods ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pins:
    """Where a shape's pods insist on running. What is empty is free.

    The first four are node selectors, `families` and `gpu_memory_over_mib` required node affinity.
    """

    product: str = ""
    gpu_name: str = ""
    capacity_type: str = ""
    zone: str = ""
    families: tuple[str, ...] = ()
    gpu_memory_over_mib: int = 0

    def selector(self) -> dict[str, str]:
        """The node selector."""
        wanted = {
            cat.PRODUCT_LABEL: self.product,
            cat.GPU_LABEL: self.gpu_name,
            cat.CAPACITY_TYPE_LABEL: self.capacity_type,
            cat.ZONE_LABEL: self.zone,
        }
        return {key: value for key, value in wanted.items() if value}

    def expressions(self) -> list[Json]:
        """The expressions of the required node affinity."""
        found: list[Json] = []
        if self.families:
            found.append({"key": cat.FAMILY_LABEL, "operator": "In", "values": list(self.families)})
        if self.gpu_memory_over_mib:
            over = str(self.gpu_memory_over_mib)
            found.append({"key": cat.GPU_MEMORY_LABEL, "operator": "Gt", "values": [over]})
        return found


ANYWHERE, ON_DEMAND = Pins(), Pins(capacity_type="on-demand")


def pod(
    name: str, cpu_millicores: int, memory_mib: int, gpus: int = 0, pins: Pins = ANYWHERE, *, count: int = 1
) -> Json:
    """One entry of a problem file's pods."""
    entry: Json = {
        "name": name,
        "count": count,
        "labels": {"app": name},
        "requests": {
            "cpu": f"{cpu_millicores}m",
            "memory": f"{memory_mib}Mi",
            **({cat.GPU: str(gpus)} if gpus else {}),
        },
        "nodeSelector": pins.selector(),
        "tolerations": _TOLERATES_GPU if gpus else [],
    }
    if expressions := pins.expressions():
        terms = [{"matchExpressions": expressions}]
        entry["affinity"] = {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        }
    return entry


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Divide `total` by weights into whole numbers, by largest remainder."""
    scale = total / math.fsum(weights)
    whole = [math.floor(w * scale) for w in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (whole[i] - weights[i] * scale, i))
    for i in by_remainder[: total - sum(whole)]:
        whole[i] += 1
    return whole


def _with_counts(entries: list[Json], pods: int, weights: Sequence[float]) -> list[Json]:
    counts = apportion(pods, weights)
    return [{**entry, "count": count} for entry, count in zip(entries, counts, strict=True) if count]


# --- kind: mixed -----------------------------------------------------------------------------------------------------

MIXED_TYPES = (
    *("g4dn", "g5", "g6", "g6e", "p3dn", "p4d", "p4de", "p5", "p5en", "p6-b200"),
    *(f"{family}.{size}xlarge" for family in ("c7i", "m7i", "r7i") for size in ("", 2, 4, 8, 16)),
    *("m7i.16xlarge", "m6i.4xlarge", "m6a.4xlarge", "c6a.8xlarge", "r6a.4xlarge"),
)
_ZONES = ("use1-az1", "use1-az2", "use1-az4")


def _mixed_shapes() -> list[tuple[float, Json]]:
    """Thirty shapes of a cluster that serves, tunes and trains models, with their weights: 24 on GPUs and 6 without."""
    gi = 1024
    return [
        (8, pod("serve-small", 2000, 8 * gi, 1)),
        (8, pod("serve-medium", 3500, 14 * gi, 1)),
        (5, pod("serve-large", 7000, 28 * gi, 1)),
        (2, pod("serve-cpu-heavy", 14000, 54 * gi, 1)),
        (6, pod("serve-t4", 3000, 12 * gi, 1, Pins(product="Tesla-T4"))),
        (5, pod("serve-a10g", 6000, 24 * gi, 1, Pins(product="NVIDIA-A10G"))),
        (5, pod("serve-l4", 3000, 12 * gi, 1, Pins(gpu_name="l4"))),
        (4, pod("serve-l40s", 6000, 48 * gi, 1, Pins(product="NVIDIA-L40S"))),
        (3, pod("serve-over-40-gb", 8000, 64 * gi, 1, Pins(gpu_memory_over_mib=40000))),
        (2, pod("serve-a100-80", 10000, 120 * gi, 1, Pins(product="NVIDIA-A100-SXM4-80GB"))),
        (2, pod("serve-h100", 14000, 200 * gi, 1, Pins(product="NVIDIA-H100-80GB-HBM3"))),
        (4, pod("notebook", 2000, 8 * gi, 1, ON_DEMAND)),
        (4, pod("serve-g5-g6", 3500, 14 * gi, 1, Pins(families=("g5", "g6"), capacity_type="on-demand"))),
        (3, pod("serve-in-one-zone", 3500, 24 * gi, 1, Pins(zone=_ZONES[1]))),
        (4, pod("tune-2", 8000, 64 * gi, 2)),
        (2, pod("tune-2-l40s", 16000, 128 * gi, 2, Pins(product="NVIDIA-L40S"))),
        (2, pod("tune-2-a10g", 12000, 48 * gi, 2, Pins(product="NVIDIA-A10G"))),
        (3, pod("tune-4", 40000, 150 * gi, 4)),
        (2, pod("tune-4-l4", 32000, 120 * gi, 4, Pins(gpu_name="l4"))),
        (1, pod("tune-4-v100", 24000, 180 * gi, 4, Pins(product="Tesla-V100-SXM2-32GB", capacity_type="on-demand"))),
        (2, pod("train-8", 80000, 300 * gi, 8)),
        (1, pod("train-8-a100", 88000, 1000 * gi, 8, Pins(product="NVIDIA-A100-SXM4-40GB", capacity_type="on-demand"))),
        (
            1,
            pod("train-8-h100", 180000, 1700 * gi, 8, Pins(product="NVIDIA-H100-80GB-HBM3", capacity_type="on-demand")),
        ),
        (1, pod("train-8-h200", 180000, 1700 * gi, 8, Pins(product="NVIDIA-H200"))),
        (10, pod("api", 500, 1 * gi)),
        (8, pod("worker", 2000, 4 * gi)),
        (4, pod("cache", 1000, 16 * gi)),
        (4, pod("preprocess", 8000, 30 * gi)),
        (3, pod("etl", 4000, 8 * gi, 0, ON_DEMAND)),
        (5, pod("agent", 250, 512)),
    ]


def _mixed(catalogue: Catalogue, rng: random.Random, pods: int, seed: int) -> Json:
    weights, entries = zip(*_mixed_shapes(), strict=True)
    if seed:  # the same shapes wanted in other proportions, at other spot prices
        weights = tuple(w * rng.uniform(0.3, 3) for w in weights)
    sold = catalogue.made_up_spot(MIXED_TYPES, _ZONES, salt=f"{seed}/" if seed else "")
    return {"pods": _with_counts(list(entries), pods, weights), "offerings": sold}


# --- kinds with drawn shapes: real-1000, wide, huge, different ----------------------------------------------------------


def _real_offerings(catalogue: Catalogue) -> list[Json]:
    """About 1,000 offerings at real prices in six zones: all types with GPUs, and those without in nine families."""
    families = {t.family for t in catalogue.types if t.gpus} | {
        f"{use}{generation}" for use in "cmr" for generation in ("6i", "6a", "7i")
    }
    plain_metal = {t.name for t in catalogue.types if t.metal and not t.gpus}
    return [o for o in catalogue.real_spot(families) if o["instance_type"] not in plain_metal]


def _drawn(catalogue: Catalogue, rng: random.Random, pods: int, _seed: int, *, kinds: tuple[int, int]) -> Json:
    sold = _real_offerings(catalogue)
    market = offerings({"offerings": sold})
    number = rng.randint(*kinds)
    entries = [_draw(rng, market, catalogue, f"shape-{i:03d}") for i in range(number)]
    weights = [rng.lognormvariate(0, 1) for _ in entries]
    return {"pods": _with_counts(entries, pods, weights), "offerings": sold}


def _different(catalogue: Catalogue, rng: random.Random, pods: int, _seed: int) -> Json:
    """No two pods are equal: requests that are drawn to the millicore and MiB."""
    sold = _real_offerings(catalogue)
    market = offerings({"offerings": sold})
    entries: list[Json] = []
    seen: set[str] = set()
    while len(entries) < pods:
        entry = _draw(rng, market, catalogue, f"pod-{len(entries):05d}", fine=True)
        signature = json.dumps([entry["requests"], entry["nodeSelector"], entry.get("affinity")], sort_keys=True)
        if signature not in seen:
            seen.add(signature)
            entries.append(entry)
    return {"pods": entries, "offerings": sold}


def _spread(catalogue: Catalogue, rng: random.Random, pods: int, _seed: int) -> Json:
    """No two pods are equal, but they come from 120 shapes, and ask for 40 to 100 % of their shape's cpu and memory."""
    sold = _real_offerings(catalogue)
    market = offerings({"offerings": sold})
    models = [_draw(rng, market, catalogue, f"shape-{i:03d}") for i in range(120)]
    weights = [rng.lognormvariate(0, 1) for _ in models]
    entries: list[Json] = []
    seen: set[tuple[str, str]] = set()
    while len(entries) < pods:
        model = rng.choices(models, weights)[0]
        [of_model] = shapes({"pods": [model]})
        requests = dict(model["requests"])
        requests["cpu"] = f"{max(1, round(float(of_model.request['cpu']) * 1000 * rng.uniform(0.4, 1)))}m"
        requests["memory"] = f"{max(1, round(float(of_model.request['memory']) / 2**20 * rng.uniform(0.4, 1)))}Mi"
        signature = json.dumps(requests, sort_keys=True), model["name"]
        if signature not in seen:
            seen.add(signature)
            entries.append({**model, "name": f"pod-{len(entries):05d}", "requests": requests})
    return {"pods": entries, "offerings": sold}


def _draw(rng: random.Random, market: list[Offering], catalogue: Catalogue, name: str, *, fine: bool = False) -> Json:
    """Draw shapes until one fits something that is sold."""
    while True:
        entry = _draw_gpu(rng, catalogue, name, fine=fine) if rng.random() < 0.75 else _draw_plain(rng, name, fine=fine)
        [shape] = shapes({"pods": [entry]})
        if any(offering.holds_one(shape) for offering in market):
            return entry


def _draw_gpu(rng: random.Random, catalogue: Catalogue, name: str, *, fine: bool) -> Json:
    """A pod that wants 1, 2, 4 or 8 GPUs, and cpu and memory about as a type with such GPUs has them."""
    like = rng.choice([t for t in catalogue.types if t.gpus])
    gpus = rng.choice([n for n in (1, 1, 1, 2, 4, 8) if n <= like.gpus])
    share = gpus / like.gpus
    cpu = like.cpu_millicores * share * rng.uniform(0.15, 0.95)
    memory = like.usable_memory_mib * share * rng.uniform(0.1, 0.9)
    families: tuple[str, ...] = ()
    product, over, luck = "", 0, rng.random()
    if luck < 0.30:
        product = like.labels()[cat.PRODUCT_LABEL]
    elif luck < 0.40:
        over = rng.choice([20000, 40000, 80000])
    elif luck < 0.45:
        families = tuple(sorted({like.family, rng.choice(["g5", "g6", "g6e"])}))
    capacity_type = "on-demand" if rng.random() < 0.15 else ""
    pins = Pins(
        product=product,
        capacity_type=capacity_type,
        zone=rng.choice(like.zones) if rng.random() < 0.07 else "",
        families=families,
        gpu_memory_over_mib=over,
    )
    return pod(name, *_requests(cpu, memory, fine=fine), gpus, pins)


def _draw_plain(rng: random.Random, name: str, *, fine: bool) -> Json:
    cores = rng.choice([0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 16]) * rng.uniform(0.8, 1.2)
    memory_mib = cores * 1024 * rng.choice([1, 2, 4, 4, 8])
    pins = ON_DEMAND if rng.random() < 0.3 else ANYWHERE
    return pod(name, *_requests(cores * 1000, memory_mib, fine=fine), 0, pins)


def _requests(cpu_millicores: float, memory_mib: float, *, fine: bool) -> tuple[int, int]:
    """Round as people write requests: to half cores and GiB, small ones to 50m and 128 MiB; `fine` to 1m and 1 MiB."""
    if fine:
        return max(1, round(cpu_millicores)), max(1, round(memory_mib))
    cpu_step, memory_step = (500 if cpu_millicores >= 2000 else 50), (1024 if memory_mib >= 4096 else 128)
    return (
        max(cpu_step, round(cpu_millicores / cpu_step) * cpu_step),
        max(memory_step, round(memory_mib / memory_step) * memory_step),
    )


# --- kind: openb -----------------------------------------------------------------------------------------------------


def openb(catalogue: Catalogue, data: Path) -> Json:
    """The GPU pods of Alibaba's 2023 trace, shares of a GPU rounded up to one, on NVIDIA types at on-demand prices."""
    path = data / "openb" / OPENB_FILE
    if not path.is_file():
        raise DataMissingError(f"{path} is missing: the pod list of Alibaba's cluster-trace-gpu-v2023")
    with path.open(encoding="utf-8", newline="") as file:
        wanted = Counter(
            (int(row["cpu_milli"]), int(row["memory_mib"]), int(row["num_gpu"]))
            for row in csv.DictReader(file)
            if int(row["num_gpu"])
        )
    entries = [
        pod(f"openb-{i:03d}", *requests, count=count) for i, (requests, count) in enumerate(sorted(wanted.items()))
    ]
    return {"pods": entries, "offerings": catalogue.on_demand(gpus_only=True)}


# --- kind: existing --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WithNodes:
    """A problem file plus nodes that are already there, as room that is left on them: (offering, free) per node."""

    problem: Json
    free: tuple[tuple[Json, dict[str, int]], ...]  # free: millicores, MiB, GPUs and pods, in whole numbers


def existing(catalogue: Catalogue, *, nodes: int, running: int, pending: int, seed: int = 0) -> WithNodes:
    """Make `nodes` nodes about half full of `running` pods, and `pending` pods that could use the rest."""
    rng = random.Random(f"existing/{nodes}/{running}/{pending}/{seed}")
    problem = _drawn(catalogue, rng, pending, seed, kinds=(60, 60))
    types = {t.name: t for t in catalogue.types}
    sizes = [o for o in problem["offerings"] if types[o["instance_type"]].cpu >= 8]
    per_node = apportion(running, [rng.uniform(0.5, 1.5) for _ in range(nodes)])
    free = []
    for pods_there in per_node:
        offering = rng.choice(sizes)
        t, left = types[offering["instance_type"]], rng.uniform(0.3, 0.7)
        free.append(
            (
                offering,
                {
                    "cpu": round(t.cpu_millicores * left),
                    "memory": round(t.usable_memory_mib * rng.uniform(0.3, 0.7)),
                    cat.GPU: round(t.gpus * left),
                    "pods": max(0, t.max_pods - pods_there),
                },
            )
        )
    return WithNodes(problem, tuple(free))


# --- all kinds, and variants -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """A series of problems: how one is made, the sizes (pods) of the full run and of the quick one."""

    make: Callable[[Catalogue, random.Random, int, int], Json]
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    text: str


KINDS: dict[str, Kind] = {
    "mixed": Kind(_mixed, (100, 500, 1000, 2000, 5000, 10000), (100, 1000), "30 shapes, 3 zones, made-up spot prices"),
    "real-1000": Kind(
        partial(_drawn, kinds=(40, 60)), (150, 500, 1500), (150,), "40 to 60 shapes, about 1,000 offerings, real prices"
    ),
    "wide": Kind(partial(_drawn, kinds=(120, 120)), (6000, 20000), (), "120 shapes, the same offerings"),
    "huge": Kind(partial(_drawn, kinds=(100, 100)), (100_000,), (), "100 shapes, the same offerings"),
    "million": Kind(partial(_drawn, kinds=(300, 300)), (1_000_000,), (), "300 shapes, the same offerings"),
    "different": Kind(_different, (3000,), (), "no two pods equal, the same offerings"),
    "spread": Kind(_spread, (3000,), (), "no two pods equal, of 120 shapes, the same offerings"),
}

VARIANTS: dict[str, str] = {
    "on-demand": "without spot",
    "no-metal": "without bare-metal types",
    "node-cost": f"with US$ {NODE_COST:.2f} per node and hour",
    "real-spot": "real spot prices, and the zones that have them",
}


def make(catalogue: Catalogue, kind: str, pods: int, seed: int = 0) -> Json:
    """Make one problem file. The same arguments give the same file."""
    return KINDS[kind].make(catalogue, random.Random(f"{kind}/{pods}/{seed}"), pods, seed)


def variant(catalogue: Catalogue, problem: Json, name: str) -> Json:
    """Change what a `mixed` problem may buy, or what it costs, and leave its pods as they are."""
    sold = problem["offerings"]
    match name:
        case "on-demand":
            sold = [o for o in sold if o["capacity_type"] == "on-demand"]
        case "no-metal":
            sold = [o for o in sold if ".metal" not in o["instance_type"]]
        case "node-cost":
            sold = [{**o, "price": round(o["price"] + NODE_COST, 6)} for o in sold]
        case "real-spot":
            sold = catalogue.real_spot({o["instance_type"] for o in sold})
        case _:
            raise ValueError(f"unknown variant {name!r}")
    return {**problem, "offerings": sold}


def main(arguments: list[str] | None = None) -> int:
    """Print one problem file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.problems", description=main.__doc__)
    parser.add_argument("--kind", choices=[*KINDS, "openb"], default="mixed")
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", choices=VARIANTS)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with openb/*.csv")
    options = parser.parse_args(arguments)
    try:
        catalogue = cat.load()
        if options.kind == "openb":
            problem = openb(catalogue, options.data)
        else:
            problem = make(catalogue, options.kind, options.pods, options.seed)
    except DataMissingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.variant:
        problem = variant(catalogue, problem, options.variant)
    json.dump(problem, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
