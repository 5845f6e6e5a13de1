"""What moving a pod costs, by whole value."""

from __future__ import annotations

import pytest

from autoscale.decide.moving import lost_s, moving_microusd, score_ppm
from autoscale.model.settings import Consolidation
from tests.builders import NOW, group, pod, shape

SETTINGS = Consolidation()
NODE = group("g8", usd=36)  # a cent a second


def test_a_server_is_away_while_it_starts() -> None:
    """One GPU of eight for two minutes, and a cent for being disturbed."""
    web = pod("web", shape(gpus=1), owner="ReplicaSet/web")
    assert moving_microusd(web, NODE, SETTINGS, NOW) == 36_000_000 * 120 // 3600 // 8 + 10_000


def test_a_pod_without_devices_counts_with_the_larger_of_cpu_and_memory() -> None:
    """A quarter of the cores, less of the memory."""
    api = pod("api", shape(gpus=0, cpu=24, memory_gi=4), owner="ReplicaSet/api")
    assert moving_microusd(api, NODE, SETTINGS, NOW) == 300_000 + 10_000


def test_a_pod_says_how_long_it_starts() -> None:
    """`gpu-autoscale.dev/start-up`; what can't be read is as if it were not there."""
    slow = pod("slow", shape(gpus=8), owner="ReplicaSet/x", annotations={"gpu-autoscale.dev/start-up": "10m"})
    assert moving_microusd(slow, NODE, SETTINGS, NOW) == 6_000_000 + 10_000
    odd = pod("odd", shape(gpus=8), owner="ReplicaSet/x", annotations={"gpu-autoscale.dev/start-up": "soon"})
    assert moving_microusd(odd, NODE, SETTINGS, NOW) == 1_200_000 + 10_000


@pytest.mark.parametrize(
    ("owner", "annotations", "lost"),
    [
        ("ReplicaSet/web", {}, 0),
        ("Job/train", {}, 1500),
        ("Job/train", {"gpu-autoscale.dev/checkpointed-at": "2023-11-14T22:03:20+00:00"}, 600),
        ("Job/train", {"gpu-autoscale.dev/checkpointed-at": "2023-11-14T21:00:00Z"}, 1500),
        ("StatefulSet/trainer", {"gpu-autoscale.dev/checkpointed-at": "2023-11-14T22:03:20Z"}, 600),
        ("Job/train", {"gpu-autoscale.dev/checkpointed-at": "yesterday"}, 1500),
    ],
)
def test_work_is_lost_since_the_last_checkpoint_or_the_start(
    owner: str, annotations: dict[str, str], lost: int
) -> None:
    """Whatever came last. A checkpoint of before the pod began is none of its own."""
    one = pod("one", owner=owner, annotations=annotations, started_at_s=NOW - 1500)
    assert lost_s(one, SETTINGS, NOW) == lost


def test_no_more_work_is_counted_than_said() -> None:
    """A job of three days counts with an hour."""
    old = pod("old", owner="Job/train", started_at_s=NOW - 3 * 86_400)
    assert lost_s(old, SETTINGS, NOW) == 3600


@pytest.mark.parametrize(
    ("cost", "priority", "score"),
    [
        ("", 0, 1_000_000),
        ("134217728", 0, 2_000_000),
        ("-2147483648", 0, 100_000),
        ("2147483647", 2_000_000_000, 10_000_000),
        ("", 33_554_432, 2_000_000),
        ("much", 0, 1_000_000),
    ],
)
def test_disruption_is_scored_as_karpenter_does(cost: str, priority: int, score: int) -> None:
    """2^27 of deletion cost, or 2^25 of priority, count as much as any pod; between a tenth and ten times."""
    annotations = {"controller.kubernetes.io/pod-deletion-cost": cost}
    assert score_ppm(pod("p", shape(priority=priority), annotations=annotations)) == score
