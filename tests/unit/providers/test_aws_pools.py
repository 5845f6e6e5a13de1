"""Pools of the configuration: what they say, and one clear sentence for what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType
from autoscale.model.workload import Taint
from providers.aws.pools import group_name
from providers.aws.settings import AwsSettings

LEAST = {"launch_template": "workers", "instance_types": ["g5.xlarge"], "zones": ["us-east-1a"]}


def parsed(**pool: Any) -> AwsSettings:
    """A configuration with one pool, `gpu`."""
    return AwsSettings.parse(
        {"pools": {"gpu": {k: v for k, v in (LEAST | pool).items() if v is not None}}}, cluster="c"
    )


def test_all_of_it() -> None:
    """Patterns become types, a subnet a list of one, a taint its parts."""
    (pool,) = parsed(
        instance_types=["p4d*", "g5.xlarge"],
        zones=None,
        subnets={"us-east-1b": ["subnet-2", "subnet-3"], "us-east-1a": "subnet-1"},
        capacity_types=["spot", "on-demand"],
        labels={"team": "vision"},
        taints=["a=b:NoSchedule", "c:NoExecute"],
        max_nodes=5,
        delete_empty_after="never",
        launch_template="lt-0123456789abcdef0",
        launch_template_version="7",
    ).pools
    assert pool.pool.instance_types == ("p4d.24xlarge", "p4de.24xlarge", "g5.xlarge")
    assert pool.zones == {"us-east-1a": ("subnet-1",), "us-east-1b": ("subnet-2", "subnet-3")}
    assert pool.pool.capacity_types == (CapacityType.SPOT, CapacityType.ON_DEMAND)
    assert (pool.pool.labels, pool.pool.taints) == ({"team": "vision"}, (Taint("a", "b"), Taint("c", "", "NoExecute")))
    assert (pool.pool.max_nodes, pool.pool.delete_after_s) == (5, None)
    assert pool.base == {"LaunchTemplateId": "lt-0123456789abcdef0", "Version": "7"}


def test_what_is_not_said_is_modest() -> None:
    """On-demand, at most 100 nodes a group, gone after an hour empty."""
    (pool,) = parsed().pools
    assert (pool.pool.capacity_types, pool.pool.max_nodes, pool.pool.delete_after_s, pool.efa) == (
        (CapacityType.ON_DEMAND,), 100, 3600, False,
    )  # fmt: skip
    assert pool.base == {"LaunchTemplateName": "workers", "Version": "$Default"}


@pytest.mark.parametrize(
    ("pool", "sentence"),
    [
        ({"launch_template": None}, "aws.pools.gpu: launch_template is missing, expected the name or id of a launch template"),
        ({"instance_types": None}, "aws.pools.gpu.instance_types: wrong value, expected a list of instance types, with * and ? for any, found None"),
        ({"instance_types": ["g5.xlarg"]}, "aws.pools.gpu.instance_types: no instance type of the catalogue is 'g5.xlarg'; did you mean g5.xlarge?"),
        ({"instance_types": ["g6f.large"]}, "aws.pools.gpu.instance_types: g6f.large has 0.125 of a GPU, which no device plugin offers as a resource"),
        ({"zones": None}, "aws.pools.gpu: it needs one of subnets and zones, expected subnets: {ZONE: SUBNET} or zones: [ZONE]"),
        ({"subnets": {"us-east-1a": 3}, "zones": None}, "aws.pools.gpu.subnets.us-east-1a: wrong value, expected a subnet or a list of subnets, found 3"),
        ({"capacity_types": ["sport"]}, "aws.pools.gpu.capacity_types: wrong value, expected a list of on-demand, spot, reserved, found ['sport']"),
        ({"taints": ["a=b:Never"]}, "aws.pools.gpu.taints: wrong taint, expected KEY=VALUE:EFFECT with an effect of NoSchedule, PreferNoSchedule, NoExecute, found 'a=b:Never'"),
        ({"labels": {"a": 1}}, "aws.pools.gpu.labels: wrong value, expected a map of texts to texts, found {'a': 1}"),
        ({"max_nodes": 0}, "aws.pools.gpu.max_nodes: wrong value, expected a whole number, 1 or more, found 0"),
        ({"delete_empty_after": 5}, "aws.pools.gpu.delete_empty_after: wrong value, expected a duration with its unit such as 500ms, 10s, 5m or 1h30m, or never, found 5"),
        ({"efa": "yes"}, "aws.pools.gpu.efa: wrong value, expected true or false, found 'yes'"),
        ({"capacity_types": ["reserved"]}, "aws.pools.gpu.reservations: reservations and the capacity type reserved go together"),
        ({"reservations": ["cr-1"]}, "aws.pools.gpu.reservations: reservations and the capacity type reserved go together"),
        ({"instance_type": "x"}, "aws.pools.gpu.instance_type: unknown key; did you mean instance_types?"),
    ],
)  # fmt: skip
def test_one_clear_sentence(pool: dict[str, Any], sentence: str) -> None:
    """What, where, expected, found."""
    with pytest.raises(BadInput) as error:
        parsed(**pool)
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("pools", "sentence"),
    [
        ([], None),
        (["gpu"], "aws.pools: wrong type, expected a map of names to pools, found ['gpu']"),
        ({"My Pool": LEAST}, "aws.pools: wrong name of a pool, expected at most 40 of a-z, 0-9 and -, found 'My Pool'"),
        ({"gpu": None}, "aws.pools.gpu: wrong type, expected a map of keys, found None"),
    ],
)
def test_pools_are_a_map(pools: Any, sentence: str | None) -> None:
    """By names that fit into a group's."""
    if sentence is None:
        assert AwsSettings.parse({"pools": pools}, cluster="c").pools == ()
        return
    with pytest.raises(BadInput) as error:
        AwsSettings.parse({"pools": pools}, cluster="c")
    assert str(error.value) == sentence


def test_a_name_that_is_too_long_or_odd_is_still_one_name() -> None:
    """Deterministic, of few enough characters for a launch template with a digest behind."""
    (pool,) = parsed().pools
    assert (
        group_name("my cluster", pool, "g5.xlarge", "us-east-1a", "spot") == "my-cluster-gpu-g5.xlarge-us-east-1a-spot"
    )
    long = {group_name("c" * 200 + str(n), pool, "g5.xlarge", "us-east-1a", "spot") for n in (1, 2, 2)}
    assert sorted(map(len, long)) == [119, 119]
