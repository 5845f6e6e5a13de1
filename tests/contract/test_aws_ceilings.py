"""What Amazon allows: service quotas over families, and reservations with their count and end."""

import time
from typing import Any

import pytest

from autoscale.errors import ProviderError
from autoscale.model.overlay import Commitment, Selector
from autoscale.model.supply import CapacityType, FaultKind, NodeGroup, Offering, Quota

from .cloud_aws import AwsCloud
from .wire import Rule

P, G_SPOT = "L-417A185B", "L-3819A6DF"
NAMES = {P: "Running On-Demand P instances", G_SPOT: "All G and VT Spot Instance Requests", "L-1216C47A": "Standard"}


def reservation(name: str = "cr-1", **more: object) -> dict[str, object]:
    """Four p5.48xlarge in us-east-1a, three of them free."""
    return {
        "capacityReservationId": name,
        "instanceType": "p5.48xlarge",
        "availabilityZone": "us-east-1a",
        "state": "active",
        "totalInstanceCount": 4,
        "availableInstanceCount": 3,
        "reservationType": "default",
    } | more


def at(seconds: int) -> str:
    """So many seconds from now, as Amazon writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def reserved(aws: AwsCloud, name: str = "big", of: str = "cr-1", *, block: bool = False, **more: Any) -> str:
    """A person's group whose launch template names the reservation."""
    market = {"InstanceMarketOptions": {"MarketType": "capacity-block"}} if block else {}
    target = {"CapacityReservationTarget": {"CapacityReservationId": of}}
    aws.template(f"lt-{name}", "p5.48xlarge", CapacityReservationSpecification=target, **market)
    return aws.create(name, LaunchTemplate={"LaunchTemplateName": f"lt-{name}"}, **more)


def only(aws: AwsCloud) -> NodeGroup:
    """The one group."""
    view = aws.provider.observe()
    assert view.faults == ()
    (found,) = view.groups
    return found


def test_groups_of_a_family_share_its_quota(aws: AwsCloud) -> None:
    """In vCPUs, on demand and on spot apart; families without a group, and quotas of other things, are left out."""
    aws.quotas({code: (name, 96) for code, name in NAMES.items()} | {"L-0263D0A3": ("EC2-VPC Elastic IPs", 5)})
    aws.pool(
        "gpu",
        instance_types=["g5.xlarge", "g6.4xlarge", "p4d.24xlarge", "p5.48xlarge"],
        capacity_types=["on-demand", "spot"],
    )
    view = aws.provider.observe()
    prefix = "aws:demo-gpu-"
    spot = {f"{prefix}g5.xlarge-us-east-1a-spot": 4, f"{prefix}g6.4xlarge-us-east-1a-spot": 16}
    big = {f"{prefix}p4d.24xlarge-us-east-1a-on-demand": 96, f"{prefix}p5.48xlarge-us-east-1a-on-demand": 192}
    assert view.quotas == (Quota(G_SPOT, NAMES[G_SPOT], "vCPUs", 96, spot), Quota(P, NAMES[P], "vCPUs", 96, big))


def test_quotas_are_read_now_and_then_and_missing_rights_are_no_fault(aws: AwsCloud) -> None:
    """A quarter of an hour; what was known outlives a failure; `quotas: false` reads none."""
    aws.create("gpu")
    aws.wire.rules.append(Rule("ListServiceQuotas", error=(400, "AccessDeniedException", "no")))
    assert (aws.provider.observe().faults, aws.provider.observe().quotas) == ((), ())
    assert aws.wire.actions.count("servicequotas:ListServiceQuotas") == 1
    aws.quotas({"L-DB2E81BA": ("Running On-Demand G and VT instances", 8)})
    aws.clock.sleep(900)
    assert [(each.id, each.limit) for each in aws.provider.observe().quotas] == [("L-DB2E81BA", 8)]
    aws.clock.sleep(900)
    aws.wire.rules.append(Rule("ListServiceQuotas", times=9, error=(400, "ServiceException", "odd")))
    for _ in range(2):
        view = aws.provider.observe()
        assert ([each.limit for each in view.quotas], view.faults) == ([8], ())
        assert [note.text for note in view.notes] == [
            "service quotas can't be read, those of before are kept to: servicequotas:ListServiceQuotas: odd"
        ]
    aws.clock.sleep(900)
    aws.wire.rules.clear()
    assert aws.provider.observe().notes == ()


@pytest.mark.parametrize(
    "no",
    [
        (404, "UnknownOperationException", "no such operation"),
        (500, "InternalFailure", "not implemented"),
        (400, "NoSuchResourceException", "The request failed because the specified service does not exist"),
    ],
)
def test_a_cloud_without_service_quotas_is_bought_from_without_them(aws: AwsCloud, no: tuple[int, str, str]) -> None:
    """A stand-in, or a partition that lacks the service: a note, and every group is there."""
    aws.create("gpu")
    aws.wire.rules.append(Rule("ListServiceQuotas", times=9, error=no))
    view = aws.provider.observe()
    assert (len(view.groups), view.faults, view.quotas) == (1, (), ())
    assert [(note.code, note.text) for note in view.notes] == [
        (
            "LimitReached",
            "service quotas can't be read, purchases are not held against them: servicequotas:ListServiceQuotas: "
            + no[2],
        )
    ]


def test_open_reservations_are_used_first_and_no_further_than_they_reach(aws: AwsCloud) -> None:
    """Two are free; one more runs already. What is targeted, of another zone, or ending is left out."""
    aws.settings["open_reservations"] = True
    aws.again()
    aws.template("lt-p5", "p5.48xlarge")
    aws.create("dear", nodes=1, LaunchTemplate={"LaunchTemplateName": "lt-p5"})
    aws.create("far", LaunchTemplate={"LaunchTemplateName": "lt-p5"}, AvailabilityZones=["us-east-1b"])
    aws.reservations(
        reservation("cr-1", availableInstanceCount=1, instanceMatchCriteria="open"),
        reservation("cr-2", availableInstanceCount=1, instanceMatchCriteria="open"),
        reservation("cr-3", instanceMatchCriteria="targeted"),
        reservation("cr-4", instanceMatchCriteria="open", state="pending"),
    )
    view = aws.provider.observe()
    selector = Selector(("aws",), zones=("us-east-1a",), types=("p5.48xlarge",), capacity_types=("on-demand",))
    assert view.commitments == (Commitment("open reservation cr-1 and 1 more", selector, nodes=3),)
    assert [selector.matches(group) for group in view.groups] == [True, False]
    aws.settings.clear()
    aws.again()
    assert aws.provider.observe().commitments == ()


def test_pools_offer_nothing_new_when_the_account_has_all_its_groups(aws: AwsCloud) -> None:
    """What is there works on; the limit is read again after a quarter of an hour."""
    aws.create("mine")
    aws.account_limit(500, there=500)
    aws.pool("gpu")
    view = aws.provider.observe()
    assert [group.id for group in view.groups] == ["aws:mine"]
    text = "the account has 500 of 500 auto scaling groups, so that pools make no more of theirs"
    assert [note.text for note in view.notes] == [text]
    aws.account_limit(1000, there=500)
    aws.clock.sleep(900)
    view = aws.provider.observe()
    assert (len(view.groups), view.notes) == (2, ())
    assert aws.wire.actions.count("autoscaling:DescribeAccountLimits") == 2


def test_a_group_that_is_not_made_for_want_of_groups_closes_all_others(aws: AwsCloud) -> None:
    """Amazon knows better than the count of a while ago."""
    aws.pool("gpu", instance_types=["g4dn.xlarge", "g5.xlarge"])
    group = "aws:demo-gpu-g4dn.xlarge-us-east-1a-on-demand"
    assert len(aws.provider.observe().groups) == 2
    no = (400, "LimitExceeded", "You have already reached the limit for Auto Scaling groups in this region.")
    aws.wire.rules.append(Rule("CreateAutoScalingGroup", error=no))
    with pytest.raises(ProviderError) as error:
        aws.provider.resize(group, target_nodes=1, request_id="plan-1")
    assert error.value.fault.kind is FaultKind.QUOTA
    view = aws.provider.observe()
    text = "Amazon makes no more auto scaling groups in this account, so that pools make no more of theirs"
    assert (view.groups, [note.text for note in view.notes]) == ((), [text])


def test_a_reservation_is_supply_with_a_count_an_end_and_no_price(aws: AwsCloud) -> None:
    """One of its four is ours, one of others, so that two more can be had; machines count against the quota always."""
    aws.quotas({P: (NAMES[P], 2000)})
    aws.template("lt-p5", "p5.48xlarge")
    aws.create("on-demand", LaunchTemplate={"LaunchTemplateName": "lt-p5"})
    aws.reservations(reservation(availableInstanceCount=2, endDate=at(86_400)))
    group = reserved(aws, nodes=1, high=10)
    view = aws.provider.observe()
    (found,) = [each for each in view.groups if each.id == group]
    assert found.offering == Offering("p5.48xlarge", "us-east-1a", CapacityType.RESERVED, 0)
    assert (found.max_nodes, found.notes, found.instances[0].notice) == (3, (), None)
    assert [(each.id, dict(each.per_node), each.used_elsewhere) for each in view.quotas] == [
        (P, {"aws:on-demand": 192}, 4 * 192)
    ]
    assert found.ends_at_s is not None
    assert 86_390 <= found.ends_at_s - time.time() <= 86_400


def test_a_group_says_when_its_reservation_ends_and_how_long_before_it_is_drained(aws: AwsCloud) -> None:
    """A Capacity Block's machines go half an hour before it is over; what follows from that is decided elsewhere."""
    aws.reservations(reservation(reservationType="capacity-block", endDate=at(5_000)))
    reserved(aws, nodes=1, high=10, block=True)
    found = only(aws)
    assert found.ends_at_s is not None
    assert 3_190 <= found.ends_at_s - time.time() <= 3_200
    assert (found.ending_lead_s, found.max_nodes, found.notes, found.instances[0].notice) == (3600, 4, (), None)


@pytest.mark.parametrize(
    ("told", "note"),
    [
        ([], "its reservation cr-1 is over, or not to be seen: nothing is bought"),
        ([reservation(state="scheduled")], "its reservation cr-1 is still scheduled: nothing is bought"),
    ],
)
def test_a_reservation_that_is_not_there_sells_nothing(aws: AwsCloud, told: list[Any], note: str) -> None:
    """What runs goes on."""
    aws.reservations(*told)
    reserved(aws, nodes=1)
    found = only(aws)
    assert (found.max_nodes, [each.text for each in found.notes]) == (1, [note])


def test_two_groups_of_one_reservation_share_its_machines(aws: AwsCloud) -> None:
    """Three are free, one is somebody else's: together no more than three."""
    aws.reservations(reservation())
    reserved(aws, "a")
    reserved(aws, "b")
    assert aws.provider.observe().quotas == (
        Quota("cr-1", "machines of reservation cr-1", "machines", 4, {"aws:a": 1, "aws:b": 1}, 1),
    )


def test_a_set_price_for_reserved_machines_counts(aws: AwsCloud) -> None:
    """What is paid beyond the reservation, or a price that keeps them for those who need them."""
    aws.reservations(reservation())
    aws.pool("big", instance_types=["p5.*"], capacity_types=["reserved"], reservations=["cr-1"])
    assert only(aws).offering.price_microusd_per_hour == 0
    aws.settings["prices"] = {"p5.48xlarge/*/reserved": 3}
    aws.pool("big", instance_types=["p5.*"], capacity_types=["reserved"], reservations=["cr-1"])
    assert only(aws).offering.price_microusd_per_hour == 3_000_000


def test_a_pool_offers_reservations_by_id_and_tag(aws: AwsCloud) -> None:
    """A group for each, whose launch template names it; of types and zones of the pool only."""
    aws.reservations(
        reservation("cr-1", availableInstanceCount=4),
        reservation("cr-2", reservationType="capacity-block", endDate=at(86_400),
                    tagSet="<item><key>team</key><value>llm</value></item>"),
        reservation("cr-3"),
        reservation("cr-4", availabilityZone="us-east-1b", tagSet="<item><key>team</key><value>llm</value></item>"),
    )  # fmt: skip
    aws.pool("big", instance_types=["p5.48xlarge"], capacity_types=["reserved"], reservations=["cr-1", "team=llm"])
    name = "aws:demo-big-p5.48xlarge-us-east-1a-cr-"
    assert [(each.id, each.max_nodes) for each in aws.provider.observe().groups] == [(f"{name}1", 4), (f"{name}2", 3)]
    for number in (1, 2):
        aws.provider.resize(f"{name}{number}", target_nodes=1, request_id="plan-1")
        made = f"{name}{number}".removeprefix("aws:")
        (found,) = aws._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[made])["AutoScalingGroups"]
        template = found["LaunchTemplate"]["LaunchTemplateName"]
        (version,) = aws._ec2.describe_launch_template_versions(LaunchTemplateName=template)["LaunchTemplateVersions"]
        content = version["LaunchTemplateData"]
        assert content["CapacityReservationSpecification"] == {
            "CapacityReservationTarget": {"CapacityReservationId": f"cr-{number}"}
        }
        assert content.get("InstanceMarketOptions") == ({"MarketType": "capacity-block"} if number == 2 else None)
