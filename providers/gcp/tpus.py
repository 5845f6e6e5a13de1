"""TPU machines that are a slice by themselves: their chips, and the labels by which workloads of GKE choose them.

Names and topologies: https://cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus. A slice of several machines is one
unit that comes and goes whole, which no plan of ours buys: such groups are left out.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

RESOURCE = "google.com/tpu"
ACCELERATOR, TOPOLOGY = "cloud.google.com/gke-tpu-accelerator", "cloud.google.com/gke-tpu-topology"

_NAME = re.compile(r"(?P<family>ct[3-9][a-z]*|tpu\d+[a-z]*)-[a-z]+-(?P<chips>\d+)t(?:-tpu)?")
_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "ct4p": "tpu-v4-podslice",
        "ct5l": "tpu-v5-lite-device",
        "ct5lp": "tpu-v5-lite-podslice",
        "ct5p": "tpu-v5p-slice",
        "ct6e": "tpu-v6e-slice",
        "tpu7x": "tpu7x",
    }
)
_THREE_DIMENSIONS = ("ct4p", "ct5p", "tpu7x")
_FLAT = {1: "1x1", 4: "2x2", 8: "2x4"}

# vCPUs and memory of those machine types that are known without asking, in GiB; no price of any of them is bundled.
SIZES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "ct5l-hightpu-1t": (24, 48),
        "ct5l-hightpu-4t": (112, 192),
        "ct5l-hightpu-8t": (224, 384),
        "ct5lp-hightpu-1t": (24, 48),
        "ct5lp-hightpu-4t": (112, 192),
        "ct5lp-hightpu-8t": (224, 384),
        "ct6e-standard-1t": (44, 176),
        "ct6e-standard-4t": (180, 720),
        "ct6e-standard-8t": (180, 1440),
    }
)


class Tpu(NamedTuple):
    """What a machine has. `label` and `topology` are empty where nobody says what GKE calls it."""

    family: str
    chips: int
    label: str
    topology: str


def tpu_of(machine_type: str) -> Tpu | None:
    """The TPUs that a machine type comes with, None for none."""
    match = _NAME.fullmatch(machine_type)
    if match is None:
        return None
    family, chips = match["family"], int(match["chips"])
    topology = ("2x2x1" if chips == 4 else "") if family in _THREE_DIMENSIONS else _FLAT.get(chips, "")
    return Tpu(family, chips, _LABELS.get(family, ""), topology)


def labels_of(machine_type: str) -> dict[str, str]:
    """As GKE writes them onto the node of a machine that is a slice by itself."""
    tpu = tpu_of(machine_type)
    if tpu is None or not tpu.label:
        return {}
    labels = {ACCELERATOR: tpu.label, "cloud.google.com/gke-accelerator-count": str(tpu.chips)}
    return labels | ({TOPOLOGY: tpu.topology} if tpu.topology else {})
