"""What DaemonSets take of a node."""

import pytest

from autoscale.demand.daemons import Daemons
from autoscale.model.resources import Resources
from autoscale.model.workload import DaemonSet, Taint, Toleration
from tests.builders import resources, shape

AGENT = DaemonSet("kube-system", "agent", shape(gpus=0, cpu=1, memory_gi=1))
GPU = DaemonSet(
    "gpu",
    "plugin",
    shape(gpus=0, cpu=2, memory_gi=0, node_selector=(("gpu", "yes"),), tolerations=(Toleration("gpu", "Exists"),)),
)


def test_daemons_take_room_where_they_run() -> None:
    """A node's overhead is that of the DaemonSets that its labels and taints let in."""
    daemons = Daemons((AGENT, GPU))
    assert daemons.overhead({}, ()) == resources(cpu=1, memory_gi=1, pods=1)
    assert daemons.overhead({"gpu": "yes"}, ()) == resources(cpu=3, memory_gi=1, pods=2)
    assert daemons.overhead({"gpu": "yes"}, (Taint("gpu"),)) == resources(cpu=2, pods=1)
    assert daemons.on({"gpu": "yes"}, ()) == (GPU, AGENT)
    assert Daemons(()).overhead({}, ()) == Resources()


@pytest.mark.parametrize(
    ("taint", "runs"),
    [
        (Taint("node.kubernetes.io/not-ready", "", "NoExecute"), True),
        (Taint("node.kubernetes.io/unreachable", "", "NoExecute"), True),
        (Taint("node.kubernetes.io/disk-pressure"), True),
        (Taint("node.kubernetes.io/memory-pressure"), True),
        (Taint("node.kubernetes.io/pid-pressure"), True),
        (Taint("node.kubernetes.io/unschedulable"), True),
        (Taint("node.kubernetes.io/network-unavailable"), False),
        (Taint("node.cloudprovider.kubernetes.io/uninitialized"), False),
        (Taint("gpu-autoscale.dev/slot", "p-1"), True),
        (Taint("other", "", "PreferNoSchedule"), True),
    ],
)
def test_taints_that_daemons_live_with(taint: Taint, runs: bool) -> None:  # noqa: FBT001
    """The DaemonSet controller's own tolerations count, and our slot taint never keeps a daemon's room from it."""
    assert bool(Daemons((AGENT,)).on({}, (taint,))) is runs
