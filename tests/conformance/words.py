"""What the generator picks from: labels, taints and quantities, ordinary ones and those at the edge of a rule."""

from collections.abc import Mapping
from types import MappingProxyType

PRODUCT, TIER, ZONE = "nvidia.com/gpu.product", "example.test/tier", "topology.kubernetes.io/zone"
ARCH, TEAM = "kubernetes.io/arch", "team"

# The values of TIER are numbers, some only almost: Gt and Lt read them as Go's ParseInt does.
LABELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        PRODUCT: ("NVIDIA-A100-SXM4-80GB", "NVIDIA-H100-80GB-HBM3", "NVIDIA-L4", ""),
        TIER: (
            "0", "5", "07", "12", "40", "abc", "1.5", "1e3", "", "0x10", "1_0",
            "9223372036854775807", "9223372036854775808", "000000000000000000000012", "00000000000000000000000039",
        ),
        ZONE: ("z1", "z2", "z3"),
        ARCH: ("amd64", "arm64"),
        TEAM: ("red", "blue", ""),
    }
)  # fmt: skip
BOUNDS = (*LABELS[TIER], "6", "39")  # no signs: the API server refuses values that no label can have

TAINT_KEYS = ("nvidia.com/gpu", "team", "example.test/boot")
TAINT_VALUES = ("", "true", "red")
EFFECTS = ("NoSchedule", "NoExecute", "PreferNoSchedule")
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"

MIRROR = "kubernetes.io/config.mirror"  # annotation of a static pod's image on the API server
DELETING = "example.test/deleting"  # annotation of a pod that is to be on its way out

DEVICES = ("nvidia.com/gpu", "amd.com/gpu", "nvidia.com/mig-1g.5gb")
CPUS = (
    "0", "0.1", "100m", "250m", "1", "2", "1.5", "1500m", "1500u", "999999n", "0.0005", "1e0", "15e-1", ".5", "2.",
    "0.0001", "33m", "1.0001",
)  # fmt: skip
MEMORIES = (
    "0", "1", "0.1", "1500m", "64Mi", "128974848", "129e6", "129M", "123Mi", "1e9", "1.5Gi", ".5Gi", "1.Gi", "1Ki",
    "999u", "1E6", "0.3Ki", "1e-1", "3G", "16Gi", "7k",
)  # fmt: skip
STORAGES = ("0", "1Gi", "1e9", "500M", "1500m")
COUNTS = ("0", "1", "1", "1", "1", "1", "2", "2", "4", "8", "1e0", "2000m", "1k")
PAGES = ("0", "2Mi", "4Mi", "64Mi")

_KATA = {"cpu": "250m", "memory": "123Mi"}
_ODD = {"cpu": "1500u", "memory": "0.1"}
RUNTIME_CLASSES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "kata": {"overhead": {"podFixed": _KATA}},
        "odd": {"overhead": {"podFixed": _ODD}},
        "placed": {
            "overhead": {"podFixed": {"memory": "1Mi"}},
            "scheduling": {
                "nodeSelector": {ARCH: "amd64"},
                "tolerations": [{"key": TAINT_KEYS[0], "operator": "Exists", "effect": "NoSchedule"}],
            },
        },
    }
)
