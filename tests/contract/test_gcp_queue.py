"""Flex-start capacity: machines that wait in Google's queue, come whole, and run for an agreed time."""

from collections.abc import Iterator
from typing import cast

import pytest

from autoscale.errors import BadInput, ProviderError
from autoscale.model.supply import CapacityType, Fault, FaultKind, NodeGroup, Offering
from providers.gcp.settings import GcpSettings

from .clock import StageClock
from .cloud_gce import GCE_ZONE, GceCloud, gcp_provider
from .engine import StageWorld
from .gce import Gce
from .stages import START_S, awake
from .wire import Rule

GROUP = f"gcp:{GCE_ZONE}/gpu"
INSERT, CANCEL = (f"compute.instanceGroupManagers.{verb}ResizeRequest" for verb in ("insert", "cancel"))
OURS = {"gpu-autoscale-cluster": "demo"}


@pytest.fixture
def flex(gce: GceCloud) -> GceCloud:
    """A group of a person whose machines are had through the queue."""
    scheduling = {"provisioning_model": "FLEX_START", "max_run_duration": {"seconds": 7200}}
    template = gce.gce.template("flex", "g2-standard-4", scheduling=scheduling)
    gce.gce.group("gpu", GCE_ZONE, template=template, labels=OURS)
    return gce


def seen(gce: GceCloud) -> NodeGroup:
    """The one group of the view."""
    view = gce.provider.observe()
    assert (len(view.groups), view.skipped, view.faults) == (1, (), ())
    return view.groups[0]


def waiting(gce: GceCloud) -> list[int]:
    """Sizes of the requests in the queue, in the server's own books."""
    requests = gce.gce.groups[GCE_ZONE, "gpu"].requests.values()
    return [each.resize_by for each in requests if each.state == "ACCEPTED"]


def test_machines_are_asked_for_at_once_and_count_as_wanted_while_they_wait(flex: GceCloud) -> None:
    """One request for all that a plan lacks, for as long as the template lets them run."""
    assert seen(flex).offering == Offering("g2-standard-4", GCE_ZONE, CapacityType.FLEX_START, 706_830)
    assert seen(flex).provision_s == 3600
    flex.provider.resize(GROUP, target_nodes=3, request_id="plan-1")
    (request,) = flex.gce.groups[GCE_ZONE, "gpu"].requests.values()
    assert (request.resize_by, request.requested_run_duration.seconds) == (3, 7200)
    group = seen(flex)
    assert (group.target_nodes, group.instances) == (3, ())
    assert [note.text for note in group.notes] == [
        "the price of flex-start is not known; it is priced as on-demand",
        f"3 machines wait in Google's queue (resize request {request.name})",
    ]
    flex.provider.resize(GROUP, target_nodes=3, request_id="plan-2")
    flex.gce.serve_queue(GCE_ZONE, "gpu")
    assert (seen(flex).target_nodes, len(seen(flex).instances), waiting(flex)) == (3, 3, [])


def test_a_purchase_is_added_to_what_waits(flex: GceCloud) -> None:
    """And a person's machines, had without the queue, count too."""
    flex.provider.resize(GROUP, target_nodes=2, request_id="plan-1")
    flex.set_by_hand(GROUP, 1)
    flex.clock.sleep(60)
    flex.provider.resize(GROUP, target_nodes=5, request_id="plan-2")
    assert (waiting(flex), seen(flex).target_nodes) == ([2, 2], 5)


@pytest.mark.parametrize(("target", "left"), [(4, [3, 1]), (3, [3]), (1, [1]), (0, [])])
def test_what_waits_is_taken_back_the_newest_first(flex: GceCloud, target: int, left: list[int]) -> None:
    """A request can't be made smaller: what is needed of it still is asked for anew."""
    flex.provider.resize(GROUP, target_nodes=3, request_id="plan-1")
    flex.clock.sleep(60)
    flex.provider.resize(GROUP, target_nodes=5, request_id="plan-2")
    flex.clock.sleep(60)
    flex.provider.resize(GROUP, target_nodes=target, request_id="plan-3")
    assert (waiting(flex), seen(flex).target_nodes) == (left, target)


def test_machines_that_are_there_are_only_removed_by_name(flex: GceCloud) -> None:
    """A size below them is refused before anything is taken back."""
    flex.provider.resize(GROUP, target_nodes=2, request_id="plan-1")
    flex.gce.serve_queue(GCE_ZONE, "gpu")
    flex.provider.resize(GROUP, target_nodes=4, request_id="plan-2")
    with pytest.raises(ProviderError) as error:
        flex.provider.resize(GROUP, target_nodes=1, request_id="plan-3")
    assert (error.value.fault.code, waiting(flex)) == ("WouldTerminate", [2])
    flex.provider.remove(GROUP, [seen(flex).instances[0].id], request_id="plan-4")
    assert (seen(flex).target_nodes, len(seen(flex).instances), waiting(flex)) == (3, 1, [2])


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("then", [2, 3])
def test_a_lost_answer_buys_nothing_twice(flex: GceCloud, *, heard: bool, then: int) -> None:
    """What was sent is sent again word for word first, whatever the next plan wants."""
    rule = Rule(INSERT, times=1, lost=0.0) if heard else Rule(INSERT, times=1, error=(503, "backendError", "no"))
    flex.gce.rules.append(rule)
    with pytest.raises(ProviderError) as error:
        flex.provider.resize(GROUP, target_nodes=2, request_id="plan-1")
    assert error.value.fault.maybe_applied
    flex.provider.resize(GROUP, target_nodes=then, request_id="plan-2")
    assert (sum(waiting(flex)), seen(flex).target_nodes) == (then, then)


@pytest.mark.parametrize("heard", [True, False])
def test_what_was_asked_for_with_no_answer_can_be_taken_back(flex: GceCloud, *, heard: bool) -> None:
    """Nothing of it is left over in the queue."""
    rule = Rule(INSERT, times=1, lost=0.0) if heard else Rule(INSERT, times=1, error=(503, "backendError", "no"))
    flex.gce.rules.append(rule)
    with pytest.raises(ProviderError):
        flex.provider.resize(GROUP, target_nodes=2, request_id="plan-1")
    flex.provider.resize(GROUP, target_nodes=1, request_id="plan-2")
    flex.clock.sleep(60)
    flex.provider.resize(GROUP, target_nodes=0, request_id="plan-3")
    flex.clock.sleep(60)
    assert (waiting(flex), seen(flex).target_nodes) == ([], 0)


def test_a_request_that_failed_is_a_fault_of_its_offering(flex: GceCloud) -> None:
    """Until something else is asked for."""
    flex.provider.resize(GROUP, target_nodes=2, request_id="plan-1")
    flex.gce.fail_queue(GCE_ZONE, "gpu", "QUOTA_EXCEEDED", "Quota 'NVIDIA_L4_GPUS' exceeded.")
    flex.clock.sleep(60)
    (fault,) = seen(flex).faults
    at_s = flex.clock.now_s()
    offering = f"g2-standard-4/{GCE_ZONE}/flex-start"
    text = "Quota 'NVIDIA_L4_GPUS' exceeded"
    assert fault == Fault(GROUP, FaultKind.QUOTA, "QUOTA_EXCEEDED", text, at_s, offering=offering)
    flex.clock.sleep(60)
    assert (seen(flex).faults, seen(flex).target_nodes) == ((fault,), 0)
    flex.provider.resize(GROUP, target_nodes=1, request_id="plan-2")
    assert seen(flex).faults == ()


def test_a_group_whose_queue_can_not_be_read_is_not_shown_without_it(flex: GceCloud) -> None:
    """It would look as if it were to have less."""
    flex.provider.resize(GROUP, target_nodes=2, request_id="plan-1")
    flex.gce.rules.append(Rule("compute.instanceGroupManagers.get", times=9, error=(403, "forbidden", "no")))
    view = flex.provider.observe()
    assert (view.groups, [fault.message for fault in view.faults]) == ((), ["compute.instanceGroupManagers.get: no"])


def test_a_pool_offers_flex_start(gce: GceCloud) -> None:
    """With the price that the configuration has for it; the group it makes leaves machines that fail alone."""
    pool = {
        "instance_template": "main",
        "instance_types": ["g2-standard-4"],
        "zones": [GCE_ZONE],
        "capacity_types": ["flex-start"],
        "run_for": "6h",
    }
    gce.gcp = gce.provider = gcp_provider(
        gce.gce.url,
        now_s=gce.clock.now_s,
        pools={"gpu": pool},
        prices={"g2-standard-4/*/flex-start": 0.4},
        queue_for="3h",
    )
    group = seen(gce)
    name = "demo-gpu-g2-standard-4-us-central1-a-flex-start"
    assert (group.name, group.made, group.offering.price_microusd_per_hour) == (name, False, 400_000)
    assert (group.provision_s, group.labels["cloud.google.com/gke-flex-start"]) == (10_800, "true")
    gce.provider.resize(group.id, target_nodes=2, request_id="plan-1")
    assert (gce.gce.lifecycle[name], seen(gce).target_nodes) == ("DO_NOTHING", 2)
    (request,) = gce.gce.groups[GCE_ZONE, name].requests.values()
    assert (request.resize_by, request.requested_run_duration.seconds) == (2, 6 * 3600)
    with pytest.raises(ProviderError) as error:
        gce.provider.delete(group.id, request_id="plan-2")
    assert error.value.fault.code == "NotEmpty"
    gce.provider.resize(group.id, target_nodes=0, request_id="plan-3")
    gce.provider.delete(group.id, request_id="plan-4")
    assert gce.gce.groups == {}


def test_a_run_has_a_length_that_google_sells() -> None:
    """Seven days at most."""
    pool = {"instance_template": "main", "instance_types": ["g2-standard-4"], "zones": [GCE_ZONE], "run_for": "8d"}
    with pytest.raises(BadInput) as error:
        GcpSettings.parse({"pools": {"gpu": pool}}, cluster="demo")
    assert str(error.value) == "gcp.pools.gpu.run_for: wrong value, expected a time between 10m and 7d, found '8d'"


class FlexCloud(GceCloud):
    """Groups of `create` are had through the queue, which is served when the test says so."""

    def create(self, name: str, *, nodes: int = 0, low: int = 0, high: int = 10, tagged: bool = True) -> str:
        """Of a flex-start template."""
        scheduling = {"provisioning_model": "FLEX_START", "max_run_duration": {"seconds": 604800}}
        self.main = self.gce.template("flex", "g2-standard-4", scheduling=scheduling)
        return super().create(name, nodes=nodes, low=low, high=high, tagged=tagged)


@pytest.fixture
def world(gce_server: Gce) -> Iterator[StageWorld]:
    """A whole engine on it that waits a minute for nodes, three for those of the queue; a dearer group is had at once."""
    stage = FlexCloud(gce_server, sleep=awake, clock=StageClock(START_S))
    stage.gcp = stage.provider = gcp_provider(gce_server.url, now_s=stage.clock.now_s, sleep=awake, queue_for="3m")
    started = StageWorld(stage, provision_timeout_s=60)
    yield started
    started.close()


def wanted(world: StageWorld) -> dict[str, int]:
    """Targets as the provider tells them, what waits included."""
    groups = cast("FlexCloud", world.stage).gcp.observe().groups
    return {group.id: group.target_nodes for group in groups if group.target_nodes}


def test_pods_wait_for_the_queue_as_long_as_it_is_worth_waiting(world: StageWorld) -> None:
    """Longer than for any other machine: nothing is bought elsewhere."""
    world.want(3)
    world.go_on(120)
    assert (wanted(world), len(world.unbound())) == ({world.cheap: 3}, 3)
    cast("FlexCloud", world.stage).gce.serve_queue(GCE_ZONE, world.cheap.rpartition("/")[2])
    world.go_on(60)
    assert (wanted(world), world.targets(), world.unbound()) == ({world.cheap: 3}, {world.cheap: 3}, [])


def test_after_that_they_run_elsewhere_and_nothing_is_left_in_the_queue(world: StageWorld) -> None:
    """What was asked for is taken back, and nothing more than needed is bought."""
    world.want(2)
    world.go_on(260)
    assert (wanted(world), world.targets(), world.unbound()) == ({world.dear: 2}, {world.dear: 2}, [])
    requests = cast("FlexCloud", world.stage).gce.groups[GCE_ZONE, world.cheap.rpartition("/")[2]].requests.values()
    assert [each.state for each in requests] == ["CANCELLED"]
