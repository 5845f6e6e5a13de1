from typing import Any

import pytest

from autoscale.errors import BadInput
from autoscale.model.resources import Resources
from autoscale.model.supply import CapacityType
from autoscale.model.workload import Taint
from providers.aws import provider_from_settings
from providers.aws.settings import AwsSettings
from providers.aws.tags import NodeTemplate, node_template

PREFIX = "k8s.io/cluster-autoscaler/node-template"


def test_the_defaults_are_cluster_autoscalers_tags() -> None:
    """Nothing needs to be said in a cluster that Cluster Autoscaler has managed."""
    assert AwsSettings.parse({}, cluster="prod") == AwsSettings(
        region="",
        endpoint_url="",
        discover_tags=(("k8s.io/cluster-autoscaler/enabled", ""), ("k8s.io/cluster-autoscaler/prod", "")),
        prices={},
        cluster="prod",
    )


def test_all_that_can_be_said() -> None:
    """Every key, in its parsed form."""
    given = {
        "region": "us-east-1",
        "endpoint_url": "http://localhost:5000",
        "discover_tags": ["team=ml", "gpu"],
        "prices": {"p5.48xlarge": 40, "g5.xlarge/us-east-1a/spot": "0.3"},
    }
    assert AwsSettings.parse(given, cluster="prod") == AwsSettings(
        region="us-east-1",
        endpoint_url="http://localhost:5000",
        discover_tags=(("team", "ml"), ("gpu", "")),
        prices={"p5.48xlarge": 40_000_000, "g5.xlarge/us-east-1a/spot": 300_000},
        cluster="prod",
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"regoin": "x"},
            "aws.regoin: unknown key; did you mean region?, expected one of discover_tags, drain_before_end, endpoint_url, interruption_queue, open_reservations, pools, prices, quotas, region",
        ),
        ({"region": 1}, "aws.region: wrong type, expected a text, found 1"),
        (
            {"interruption_queue": "my queue"},
            "aws.interruption_queue: wrong queue, expected the name or the https:// address of an SQS queue, found 'my queue'",
        ),
        (
            {"interruption_queue": "sqs://q"},
            "aws.interruption_queue: wrong address, expected http://HOST or https://HOST, found sqs://q",
        ),
        (
            {"endpoint_url": "localhost"},
            "aws.endpoint_url: wrong address, expected http://HOST or https://HOST, found localhost",
        ),
        ({"discover_tags": []}, "aws.discover_tags: wrong value, expected a list of KEY or KEY=VALUE, found []"),
        (
            {"discover_tags": ["=x"]},
            "aws.discover_tags: wrong value, expected a list of KEY or KEY=VALUE, found ['=x']",
        ),
        ({"prices": 1}, "aws.prices: wrong type, expected a map of TYPE to US$ per hour, found 1"),
        ({"prices": {"p5.48xlrge": 1}}, "aws.prices.p5.48xlrge: unknown instance type; did you mean p5.48xlarge?"),
        (
            {"prices": {"p5.48xlarge/spot": 1}},
            (
                "aws.prices.p5.48xlarge/spot: wrong key, expected TYPE or TYPE/ZONE/CAPACITY-TYPE with * for any zone, "
                "found p5.48xlarge/spot"
            ),
        ),
        (
            {"prices": {"p5.48xlarge": "free"}},
            "aws.prices.p5.48xlarge: wrong price, expected US$ per hour above 0, found 'free'",
        ),
        (
            {"prices": {"p5.48xlarge": -1}},
            "aws.prices.p5.48xlarge: wrong price, expected US$ per hour above 0, found -1",
        ),
        (
            {"prices": {"p5.48xlarge": True}},
            "aws.prices.p5.48xlarge: wrong price, expected US$ per hour above 0, found True",
        ),
        (
            {"prices": {"p5.48xlarge": "NaN"}},
            "aws.prices.p5.48xlarge: wrong price, expected US$ per hour above 0, found 'NaN'",
        ),
    ],
)
def test_wrong_settings_are_one_sentence(given: dict[str, Any], message: str) -> None:
    """Key, what was expected, what was found, before anything touches a network."""
    with pytest.raises(BadInput) as error:
        provider_from_settings(given, cluster="prod", now_s=lambda: 0)
    assert str(error.value) == message


def test_the_closest_price_counts() -> None:
    """Zone before any zone before type; a plain type is no word on spot."""
    settings = AwsSettings.parse(
        {"prices": {"g5.xlarge": 3, "g5.xlarge/*/spot": 2, "g5.xlarge/us-east-1a/spot": 1}}, cluster="prod"
    )
    asked = [("us-east-1a", "spot"), ("us-east-1b", "spot"), ("", "spot"), ("us-east-1a", "on-demand")]
    assert [settings.price("g5.xlarge", zone, CapacityType(kind)) for zone, kind in asked] == [
        1_000_000,
        2_000_000,
        2_000_000,
        3_000_000,
    ]
    assert settings.price("g6.xlarge", "us-east-1a", CapacityType.ON_DEMAND) is None


def test_node_template_tags_are_read_as_cluster_autoscaler_reads_them() -> None:
    """Label and taint keys may contain slashes; other tags are nobody's business."""
    assert node_template(
        {
            f"{PREFIX}/label/example.com/team": "vision",
            f"{PREFIX}/taint/example.com/only": ":NoExecute",
            f"{PREFIX}/taint/nvidia.com/gpu": "a:b:NoSchedule",
            f"{PREFIX}/resources/memory": "2Gi",
            f"{PREFIX}/resources/cpu": "1500m",
            f"{PREFIX}/autoscaling-options/scaledownunneededtime": "1m",
            "Name": "gpu",
        }
    ) == NodeTemplate(
        labels={"example.com/team": "vision"},
        taints=(Taint("example.com/only", "", "NoExecute"), Taint("nvidia.com/gpu", "a:b", "NoSchedule")),
        resources=Resources({"cpu": 1500, "memory": 2 * 2**30}).amounts,
    )


@pytest.mark.parametrize(
    ("tag", "value", "message"),
    [
        (
            "taint/x",
            "gpu",
            "expected VALUE:EFFECT with an effect of NoSchedule, PreferNoSchedule, NoExecute, found 'gpu'",
        ),
        ("resources/memory", "much", "'much' is not a Kubernetes quantity such as 500m, 2 or 16Gi"),
        ("resources/cpu", "-1", "expected an amount of 0 or more, found '-1'"),
    ],
)
def test_a_tag_that_can_not_be_read_is_named(tag: str, value: str, message: str) -> None:
    """An ignored taint would send pods to a node that won't have them."""
    assert node_template({f"{PREFIX}/{tag}": value}) == f"tag {PREFIX}/{tag}: {message}"
