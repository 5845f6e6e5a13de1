"""Which pods wait, and which of them are alike."""

from autoscale.demand.classes import classes
from autoscale.demand.pending import Waiting, waiting
from autoscale.model.workload import DemandClass
from tests.builders import pod, pods, shape


def test_waiting_pods_are_ours() -> None:
    """Bound, finished, gated and leaving pods, static pods and those of DaemonSets need no node; odd ones are reported."""
    ours, claimed = pod("a"), pod("b", claim=("s", "g"))
    odd = pod("c", shape(unmodelled=("host port 80",)))
    others = (
        pod("d", node_name="n"),
        pod("e", phase="Failed"),
        pod("f", phase="Succeeded"),
        pod("g", gated=True),
        pod("h", deleting=True),
        pod("i", mirror=True),
        pod("j", owner="DaemonSet/agent"),
    )
    assert waiting((*others, odd, claimed, ours)) == Waiting((claimed, ours), (odd,))


def test_equal_pods_are_one_class() -> None:
    """Labels that tell pods of one template apart make no difference, other labels do."""
    one = pod("web-0", labels={"app": "web", "statefulset.kubernetes.io/pod-name": "web-0"}, owner="StatefulSet/web")
    two = pod("web-1", labels={"app": "web", "apps.kubernetes.io/pod-index": "1"}, owner="StatefulSet/web")
    other = pod("db-0", labels={"app": "db"}, owner="StatefulSet/db")
    assert classes((two, other, one)) == (
        DemandClass("default/db", "default", {"app": "db"}, other.shape, (other,)),
        DemandClass("default/web", "default", {"app": "web"}, one.shape, (one, two)),
    )


def test_namespace_and_shape_make_a_class() -> None:
    """Equal pods of two namespaces, or of two shapes, are two classes."""
    found = classes((pod("a"), pod("a", namespace="other"), pod("a", shape(gpus=2))))
    assert [c.count for c in found] == [1, 1, 1]
    assert len({c.key for c in found}) == 3


def test_pods_are_sorted_by_age() -> None:
    """The eldest pod comes first, then by name."""
    found = classes((pod("c", created_at_s=2), pod("b", created_at_s=2), pod("z", created_at_s=1)))
    assert [p.name for p in found[0].pods] == ["z", "b", "c"]


def test_keys_read_like_workloads() -> None:
    """A ReplicaSet's hash and a bare pod's ordinal are no part of the key."""
    replica_set = pod("web-5d8f-x2", owner="ReplicaSet/web-5d8f", labels={"pod-template-hash": "5d8f", "app": "web"})
    found = classes((replica_set, pod("train-0", shape(gpus=8)), pod("train-1", shape(gpus=8))))
    assert [c.key for c in found] == ["default/train", "default/web"]


def test_keys_that_would_clash_carry_a_hash() -> None:
    """Two classes of one owner are told apart by a hash that depends on nothing but the class."""
    small, large = pod("a", owner="Job/x"), pod("b", shape(gpus=2), owner="Job/x")
    keys = [c.key for c in classes((small, large))]
    assert [key.partition("~")[0] for key in keys] == ["default/x", "default/x"]
    assert len(set(keys)) == 2
    assert [c.key for c in classes((large, small, *pods("other", 3, shape(gpus=3))))] == ["default/other", *keys]


def test_no_pods_no_classes() -> None:
    """Nothing waits, nothing is asked for."""
    assert classes(()) == ()
