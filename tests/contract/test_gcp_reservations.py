"""Reservations of a Google project: machines that are paid for, so many of them, perhaps for so long."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType, NodeGroup, Offering, Quota
from providers.gcp.settings import GcpSettings

from .cloud_gce import GCE_ZONE, GceCloud, gcp_provider
from .wire import Rule

OURS = {"gpu-autoscale-cluster": "demo"}
OFFER = f"gcp:{GCE_ZONE}/demo-gpu-g2-standard-4-us-central1-a-reserved-block"


def named(name: str) -> dict[str, Any]:
    """What a template says that names a reservation."""
    return {"reservation_affinity": {"consume_reservation_type": "SPECIFIC_RESERVATION", "values": [name]}}


def group_of(gce: GceCloud, name: str, reservation: str, *, nodes: int = 0) -> None:
    """A group of a person whose machines are of a reservation."""
    template = gce.gce.template(f"of-{name}", "g2-standard-4", **named(reservation))
    gce.gce.group(name, GCE_ZONE, template=template, nodes=nodes, labels=OURS)


def seen(gce: GceCloud) -> NodeGroup:
    """The one group of the view."""
    view = gce.provider.observe()
    assert (len(view.groups), view.skipped, view.faults) == (1, (), ())
    return view.groups[0]


def in_(gce: GceCloud, **time: int) -> str:
    """A time from now, as Google writes it."""
    return (dt.datetime.fromtimestamp(gce.clock.now_s(), dt.UTC) + dt.timedelta(**time)).isoformat()


def test_a_group_of_a_reservation_has_its_machines_and_no_more_at_no_price(gce: GceCloud) -> None:
    """It is paid for, used or not; what a machine costs beyond that the configuration may say."""
    gce.gce.reserve("block", GCE_ZONE, "g2-standard-4", 4)
    group_of(gce, "gpu", "block", nodes=1)
    group = seen(gce)
    assert group.offering == Offering("g2-standard-4", GCE_ZONE, CapacityType.RESERVED, 0)
    assert (group.max_nodes, group.ends_at_s, group.notes) == (4, None, ())
    dearer = gcp_provider(gce.gce.url, prices={"g2-standard-4": 9, "g2-standard-4/*/reserved": "0.5"})
    assert dearer.observe().groups[0].offering.price_microusd_per_hour == 500_000


def test_groups_that_share_a_reservation_have_a_ceiling_together(gce: GceCloud) -> None:
    """What others use of it is taken off."""
    gce.gce.reserve("block", GCE_ZONE, "g2-standard-4", 4)
    group_of(gce, "a", "block", nodes=1)
    group_of(gce, "b", "block")
    template = gce.gce.template("theirs", "g2-standard-4", **named("block"))
    gce.gce.group("theirs", GCE_ZONE, template=template, nodes=1)
    view = gce.provider.observe()
    assert [group.max_nodes for group in view.groups] == [3, 2]
    ids = [group.id for group in view.groups]
    assert view.quotas == (Quota("block", "machines of reservation block", "machines", 4, dict.fromkeys(ids, 1), 1),)


def test_a_reservation_with_an_end_says_when_and_how_long_before_it_is_drained(gce: GceCloud) -> None:
    """The engine buys nothing of it from then on."""
    gce.gce.reserve("block", GCE_ZONE, "g2-standard-4", 4, delete_at_time="2030-01-01T01:00:00.000+01:00")
    group_of(gce, "gpu", "block", nodes=1)
    group = seen(gce)
    assert (group.max_nodes, group.ends_at_s, group.ending_lead_s) == (4, 1_893_456_000, 3600)
    sooner = gcp_provider(gce.gce.url, drain_before_end="10m")
    assert sooner.observe().groups[0].ending_lead_s == 600


@pytest.mark.parametrize(
    ("reservation", "text"),
    [
        ("gone", "its reservation gone is over, or not to be seen: nothing is bought"),
        ("early", "its reservation early is still creating: nothing is bought"),
    ],
)
def test_one_that_is_not_there_buys_nothing(gce: GceCloud, reservation: str, text: str) -> None:
    """And says so."""
    gce.gce.reserve("early", GCE_ZONE, "g2-standard-4", 4, status="CREATING")
    group_of(gce, "gpu", reservation)
    group = seen(gce)
    assert (group.max_nodes, [note.text for note in group.notes]) == (0, [text])


def test_one_of_another_project_can_not_be_counted(gce: GceCloud) -> None:
    """Google says no when it is full."""
    group_of(gce, "gpu", "projects/platform/reservations/block")
    assert (seen(gce).max_nodes, seen(gce).offering.price_microusd_per_hour) == (1000, 0)


def test_without_a_look_what_was_known_goes_on(gce: GceCloud) -> None:
    """The fault names the right that is missing."""
    gce.gce.reserve("block", GCE_ZONE, "g2-standard-4", 4)
    group_of(gce, "gpu", "block")
    whole = seen(gce)
    gce.gce.rules.append(Rule("compute.reservations.list", times=9, error=(403, "forbidden", "Permission denied")))
    view = gce.provider.observe()
    assert view.groups == (whole,)
    assert [fault.message for fault in view.faults] == ["compute.reservations.list: Permission denied"]


def test_a_pool_offers_reservations_that_it_names(gce: GceCloud) -> None:
    """One group each, made on first use, of machines that live as long as a reservation with an end does."""
    for name, machine_type in (("block", "g2-standard-4"), ("other", "g2-standard-4"), ("block-big", "g2-standard-96")):
        gce.gce.reserve(name, GCE_ZONE, machine_type, 2, delete_at_time=in_(gce, days=9))
    gce.pool("gpu", capacity_types=["reserved"], reservations=["block*"])
    group = seen(gce)
    assert (group.id, group.made, group.max_nodes, group.offering.price_microusd_per_hour) == (OFFER, False, 2, 0)
    gce.provider.resize(OFFER, target_nodes=2, request_id="plan-1")
    made = seen(gce)
    assert [replace(made, instances=(), target_nodes=0, made=False)] == [group]
    assert len(made.instances) == 2
    (properties,) = (t.properties for path, t in gce.gce.templates.items() if "reserved-block" in path)
    affinity = properties.reservation_affinity
    assert (affinity.consume_reservation_type, affinity.key, list(affinity.values)) == (
        "SPECIFIC_RESERVATION", "compute.googleapis.com/reservation-name", ["block"],
    )  # fmt: skip
    scheduling = properties.scheduling
    assert (scheduling.provisioning_model, scheduling.instance_termination_action) == ("RESERVATION_BOUND", "DELETE")


@pytest.mark.parametrize("pool", [{"capacity_types": ["reserved"]}, {"reservations": ["block"]}])
def test_reservations_and_the_way_to_pay_go_together(pool: dict[str, object]) -> None:
    """One without the other is a mistake."""
    usual = {"instance_template": "main", "instance_types": ["g2-standard-4"], "zones": [GCE_ZONE]}
    with pytest.raises(BadInput) as error:
        GcpSettings.parse({"pools": {"gpu": usual | pool}}, cluster="demo")
    sentence = "gcp.pools.gpu.reservations: reservations and the capacity type reserved go together"
    assert str(error.value) == sentence
