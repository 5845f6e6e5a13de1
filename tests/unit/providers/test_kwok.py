from typing import Any

import pytest

from autoscale.errors import BadInput
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType
from autoscale.model.workload import Taint
from providers.kwok import provider_from_settings
from providers.kwok.settings import CLOSED, KwokSettings, Pool

ROOM = {"cpu": 8, "memory": "32Gi"}


def test_a_pool_needs_no_more_than_its_resources() -> None:
    """Everything else has a default."""
    assert KwokSettings.parse({"pools": {"a": {"resources": ROOM}}}) == KwokSettings(
        "", "", {"a": Pool("a", Resources({"cpu": 8000, "memory": 32 * 2**30, "pods": 110}), "a", taints=(CLOSED,))}
    )


def test_all_that_can_be_said() -> None:
    """Every key, in its parsed form."""
    told = {
        "resources": {**ROOM, "nvidia.com/gpu": 4, "pods": 30},
        "instanceType": "g5.12xlarge",
        "zone": "a",
        "capacityType": "spot",
        "price": "1.5",
        "labels": {"team": "ml"},
        "taints": ["x=y:NoExecute"],
        "min": 1,
        "max": 5,
    }
    found = KwokSettings.parse({"kubeconfig": "/k", "context": "c", "pools": {"a": told}})
    room = Resources({"cpu": 8000, "memory": 32 * 2**30, "pods": 30, "nvidia.com/gpu": 4})
    taints = (Taint("x", "y", "NoExecute"),)
    pool = Pool("a", room, "g5.12xlarge", "a", CapacityType.SPOT, 1_500_000, {"team": "ml"}, taints, 1, 5)
    assert found == KwokSettings("/k", "c", {"a": pool})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pool": {}}, "kwok.pool: unknown key; did you mean pools?, expected one of context, kubeconfig, pools"),
        ({"pools": [1]}, "kwok.pools: wrong type, expected a map of name to pool, found [1]"),
        (
            {"pools": {"A_b": {}}},
            "kwok.pools.A_b: wrong name, expected at most 50 of a-z, 0-9 and dashes inside, found 'A_b'",
        ),
        (
            {"pools": {"a": {"resources": {"cpu": 1}}}},
            (
                "kwok.pools.a.resources: wrong value, expected a map of resource to quantity with cpu and memory, "
                "found {'cpu': 1}"
            ),
        ),
        (
            {"pools": {"a": {"resources": {"cpu": 1, "memory": "lots"}}}},
            (
                "kwok.pools.a.resources: wrong quantity, found 'lots' is not a Kubernetes quantity such as 500m, 2 "
                "or 16Gi"
            ),
        ),
        (
            {"pools": {"a": {"resources": ROOM, "min": -1}}},
            "kwok.pools.a.min: wrong number, expected a whole number of nodes, found -1",
        ),
        ({"pools": {"a": {"resources": ROOM, "min": 3, "max": 2}}}, "kwok.pools.a: min is above max, found 3 and 2"),
        (
            {"pools": {"a": {"resources": ROOM, "capacityType": "free"}}},
            "kwok.pools.a.capacityType: wrong value, expected one of on-demand, spot, reserved, flex-start, found 'free'",
        ),
        (
            {"pools": {"a": {"resources": ROOM, "taints": ["gpu"]}}},
            (
                "kwok.pools.a.taints: wrong value, expected a list of KEY=VALUE:EFFECT with an effect of NoSchedule, "
                "PreferNoSchedule, NoExecute, found 'gpu'"
            ),
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(given: dict[str, Any], message: str) -> None:
    """Key, what was expected, what was found."""
    with pytest.raises(BadInput) as error:
        provider_from_settings(given, cluster="prod", now_s=lambda: 0)
    assert str(error.value) == message
