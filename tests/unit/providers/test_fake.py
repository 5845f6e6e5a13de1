import pytest

from autoscale.errors import ProviderError
from autoscale.model.resources import Resources
from autoscale.model.snapshot import CloudView
from autoscale.model.supply import CapacityType, Fault, FaultKind, InstanceState, NodeGroup, Offering
from providers.fake import Call, FakeProvider

OFFERING = Offering("g4dn.xlarge", "us-east-1a", CapacityType.ON_DEMAND, 526_000)
NO_CAPACITY = Fault("", FaultKind.NO_CAPACITY, "InsufficientInstanceCapacity", "none left", 0)


class Time:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 100

    def __call__(self) -> int:
        """Seconds since the epoch."""
        return self.now_s


def group(name: str = "gpu", *, nodes: int = 0) -> NodeGroup:
    """A group of one GPU a node."""
    return NodeGroup(f"fake:{name}", "fake", name, OFFERING, Resources({"nvidia.com/gpu": 1}), target_nodes=nodes)


def sizes(view: CloudView) -> list[tuple[int, int]]:
    """(Target, instances) of each group."""
    return [(each.target_nodes, len(each.instances)) for each in view.groups]


def test_it_remembers_what_it_was_asked() -> None:
    """Calls in order, refused ones included."""
    cloud = FakeProvider([group()], now_s=Time())
    cloud.resize("fake:gpu", target_nodes=2, request_id="plan-1")
    with pytest.raises(ProviderError):
        cloud.resize("fake:none", target_nodes=1, request_id="plan-1")
    (first, _) = cloud.observe().groups[0].instances
    cloud.remove("fake:gpu", [first.id], request_id="plan-2")
    assert cloud.calls == [
        Call("resize", "fake:gpu", target_nodes=2, request_id="plan-1"),
        Call("resize", "fake:none", target_nodes=1, request_id="plan-1"),
        Call("observe"),
        Call("remove", "fake:gpu", instances=(first.id,), request_id="plan-2"),
    ]


def test_a_lagging_read_shows_the_past() -> None:
    """What was written shows `lag_s` later, and not before."""
    time = Time()
    cloud = FakeProvider([group()], now_s=time, lag_s=30)
    cloud.resize("fake:gpu", target_nodes=2, request_id="plan-1")
    seen = [sizes(cloud.observe())]
    time.now_s += 29
    seen.append(sizes(cloud.observe()))
    time.now_s += 1
    seen.append(sizes(cloud.observe()))
    assert (seen, cloud.group("fake:gpu").target_nodes) == ([[(0, 0)], [(0, 0)], [(2, 2)]], 2)


def test_a_starved_group_takes_the_target_and_delivers_nothing() -> None:
    """The fault shows while instances are missing, and they come when the shortage ends."""
    cloud = FakeProvider([group(nodes=1)], now_s=Time())
    cloud.starve("fake:gpu", NO_CAPACITY)
    cloud.resize("fake:gpu", target_nodes=3, request_id="plan-1")
    short = cloud.observe()
    assert (sizes(short), [(each.group, each.kind) for each in short.groups[0].faults]) == (
        [(3, 1)],
        [("fake:gpu", FaultKind.NO_CAPACITY)],
    )
    cloud.starve("fake:gpu", None)
    assert (sizes(cloud.observe()), cloud.observe().groups[0].faults) == ([(3, 3)], ())


def test_a_starved_group_can_be_given_up() -> None:
    """Lowering the target to what is there ends no instance and the fault."""
    cloud = FakeProvider([group(nodes=1)], now_s=Time())
    cloud.starve("fake:gpu", NO_CAPACITY)
    cloud.resize("fake:gpu", target_nodes=3, request_id="plan-1")
    cloud.resize("fake:gpu", target_nodes=1, request_id="plan-2")
    assert (sizes(cloud.observe()), cloud.observe().groups[0].faults) == ([(1, 1)], ())


def test_a_reclaimed_instance_is_replaced() -> None:
    """Spot takes the machine, the group keeps its target."""
    cloud = FakeProvider([group(nodes=2)], now_s=Time())
    before = [each.id for each in cloud.group("fake:gpu").instances]
    cloud.reclaim(before[0])
    after = [each.id for each in cloud.group("fake:gpu").instances]
    assert (len(after), after[0], after[1] in before, cloud.group("fake:gpu").target_nodes) == (2, before[1], False, 2)


def test_instances_are_pending_while_they_boot() -> None:
    """For `boot_s`, counted on the caller's clock."""
    time = Time()
    cloud = FakeProvider([group(nodes=1)], now_s=time, boot_s=45)
    states = [cloud.observe().groups[0].instances[0].state]
    time.now_s += 45
    states.append(cloud.observe().groups[0].instances[0].state)
    assert states == [InstanceState.PENDING, InstanceState.RUNNING]


def test_scripted_failures_come_once_each_and_carry_group_and_time() -> None:
    """`applied` ones take effect all the same."""
    cloud = FakeProvider([group()], now_s=Time())
    cloud.fail_next("resize", NO_CAPACITY)
    cloud.fail_next("resize", NO_CAPACITY, applied=True)
    targets = []
    for _ in range(2):
        with pytest.raises(ProviderError) as error:
            cloud.resize("fake:gpu", target_nodes=2, request_id="plan-1")
        assert (error.value.fault.group, error.value.fault.at_s) == ("fake:gpu", 100)
        targets.append(cloud.group("fake:gpu").target_nodes)
    assert targets == [0, 2]
