from typing import Any

import pytest

from autoscale import wiring
from autoscale.config import Settings
from autoscale.errors import BadInput
from autoscale.model.supply import CapacityType
from autoscale.model.workload import Taint
from providers.gcp import provider_from_settings
from providers.gcp.kube_env import KubeEnv, kube_env
from providers.gcp.naming import Order, Orders
from providers.gcp.refs import Ref, ref_of
from providers.gcp.settings import Discovery, GcpSettings


def test_the_default_is_a_label_with_the_clusters_name() -> None:
    """As a Google label can hold it."""
    assert GcpSettings.parse({}, cluster="Prod.eu") == GcpSettings(
        project="",
        endpoint_url="",
        discover=(Discovery("label", "gpu-autoscale-cluster", "prod-eu"),),
        prices={},
        cluster="Prod.eu",
    )


def test_all_that_can_be_said() -> None:
    """Every key, in its parsed form."""
    given = {
        "project": "acme",
        "endpoint_url": "http://localhost:5000",
        "discover": ["mig:namePrefix=gke-ml,min=0,max=10", "mig:name=one", "mig:label=team:ml,max=3"],
        "prices": {"a3-highgpu-8g": 88, "g2-standard-4/us-central1-a/spot": "0.3"},
    }
    found = GcpSettings.parse(given, cluster="prod")
    assert found == GcpSettings(
        project="acme",
        endpoint_url="http://localhost:5000",
        discover=(
            Discovery("namePrefix", "gke-ml", low=0, high=10),
            Discovery("name", "one"),
            Discovery("label", "team", "ml", high=3),
        ),
        prices={"a3-highgpu-8g": 88_000_000, "g2-standard-4/us-central1-a/spot": 300_000},
        cluster="prod",
    )
    assert found.price("a3-highgpu-8g", "us-central1-a", CapacityType.ON_DEMAND) == 88_000_000
    assert found.price("a3-highgpu-8g", "us-central1-a", CapacityType.SPOT) is None
    assert found.price("g2-standard-4", "us-central1-a", CapacityType.SPOT) == 300_000


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"projekt": "x"},
            (
                "gcp.projekt: unknown key; did you mean project?, expected one of discover, drain_before_end, endpoint_url, "
                "pools, prices, project, queue_for"
            ),
        ),
        ({"project": 3}, "gcp.project: wrong type, expected a text, found 3"),
        ({"endpoint_url": "x"}, "gcp.endpoint_url: wrong address, expected http://HOST or https://HOST, found x"),
        ({"discover": ["mig:name=a,min=5,max=2"]}, "gcp.discover[0]: min is above max, found mig:name=a,min=5,max=2"),
        (
            {"prices": {"g2-standard-5": 1}},
            "gcp.prices.g2-standard-5: unknown machine; did you mean g2-standard-8?",
        ),
        (
            {"prices": {"g2-standard-8": 0}},
            "gcp.prices.g2-standard-8: wrong price, expected US$ per hour above 0, found 0",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(given: dict[str, Any], message: str) -> None:
    """Key, what was expected, what was found."""
    with pytest.raises(BadInput) as error:
        provider_from_settings(given, cluster="prod", now_s=lambda: 0)
    assert str(error.value) == message


@pytest.mark.parametrize("rule", ["", "gpu", "mig:", "mig:size=3", "mig:label=team", "mig:name=a,min=x", "mig:min=1"])
def test_a_rule_that_finds_nothing_or_everything_is_bad_input(rule: str) -> None:
    """No rule means every group of the project."""
    with pytest.raises(BadInput, match=r"gcp\.discover\[0\]: wrong value, expected mig:namePrefix=PREFIX"):
        GcpSettings.parse({"discover": [rule]}, cluster="prod")


def test_a_configuration_that_names_no_provider_does_not_mean_this_one() -> None:
    """An AWS cluster needs no Google credentials, and its plans no Google machines."""
    assert {provider.name for provider in wiring.providers(Settings())} == {"aws"}
    assert {group.provider for group in wiring.catalogue(Settings())} == {"aws"}
    named = Settings(providers={"gcp": {"project": "acme"}})
    assert [provider.name for provider in wiring.providers(named)] == ["gcp"]
    assert {group.provider for group in wiring.catalogue(named)} == {"gcp"}


def test_kube_env_says_what_a_node_will_be() -> None:
    """The format of Cluster Autoscaler; starting taints don't last."""
    text = (
        "KUBELET_KEY: secret\n"
        "AUTOSCALER_ENV_VARS: node_labels=a=b,c=d;node_taints='x=y:NoExecute,gpu-autoscale.dev/slot=starting:NoSchedule';"
        "kube_reserved=cpu=60m,memory=1Gi;extended_resources=foo.io/bar=5;arch=arm64;os=linux;"
        "ephemeral_storage_local_ssd_count=2\n"
    )
    assert kube_env(text) == KubeEnv(
        labels={"a": "b", "c": "d"},
        taints=(Taint("x", "y", "NoExecute"),),
        reserved={"cpu": 60, "memory": 2**30},
        resources={"foo.io/bar": 5},
        arch="arm64",
        local_ssds=2,
    )
    assert kube_env("") == KubeEnv()
    assert kube_env("KUBELET_KEY: secret") == KubeEnv()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [secret", "its kube-env is not YAML"),
        ("- secret", "its kube-env is not a map"),
        (
            "AUTOSCALER_ENV_VARS: secret",
            "kube-env AUTOSCALER_ENV_VARS: expected NAME=VALUE separated by semicolons",
        ),
        (
            "AUTOSCALER_ENV_VARS: node_labels=secret",
            "kube-env AUTOSCALER_ENV_VARS node_labels: expected KEY=VALUE separated by commas",
        ),
        (
            "AUTOSCALER_ENV_VARS: extended_resources=a=-1",
            "kube-env AUTOSCALER_ENV_VARS extended_resources: expected amounts of 0 or more",
        ),
        (
            "AUTOSCALER_ENV_VARS: ephemeral_storage_local_ssd_count=secret",
            "kube-env AUTOSCALER_ENV_VARS ephemeral_storage_local_ssd_count: expected a whole number",
        ),
    ],
)
def test_a_kube_env_that_cannot_be_read_is_a_sentence_without_its_values(text: str, sentence: str) -> None:
    """The document holds keys and tokens."""
    assert kube_env(text) == sentence


def test_ids_name_place_and_group() -> None:
    """What is no id of ours is none."""
    assert (ref_of("gcp:us-central1-a/gpu"), ref_of("gcp:us-central1/gpu")) == (
        Ref("us-central1-a", "gpu"),
        Ref("us-central1", "gpu"),
    )
    assert [ref_of(text) for text in ("aws:x/y", "gcp:gpu", "gcp:/gpu", "us-central1-a/gpu")] == [None] * 4
    zonal, regional = Ref("us-central1-a", "gpu"), Ref("us-central1", "gpu")
    assert (zonal.zonal, zonal.region, regional.zonal, regional.region) == (True, "us-central1", False, "us-central1")


def test_an_order_gives_the_same_names_and_token_again() -> None:
    """Names fit Google's 63 letters and follow the group's pattern without its numbers."""
    order = Order("seed", 0)
    assert order.names("gpu-####", range(1, 3)) == order.names("gpu", range(1, 3))
    assert order.names("gpu", [2]) == order.names("gpu", range(1, 3))[1:]
    assert [len(name) for name in order.names("x" * 63, [1])] == [63]
    assert (order.token(["a", "b"]), order.token(["a"])) != (order.token(["a"]), order.token(["a", "b"]))
    assert order.token(["a"]) == Order("seed", 99).token(["a"])


def test_an_open_order_is_continued_for_ten_minutes() -> None:
    """Whichever plan asks; a refused one is not."""
    now = [1_000]
    orders, ref = Orders(now_s=lambda: now[0]), Ref("us-central1-a", "gpu")
    first = orders.open(ref, "plan-1")
    assert orders.open(ref, "plan-2") == first
    orders.close(ref)
    second = orders.open(ref, "plan-1")
    assert second.seed != first.seed
    now[0] += 601
    assert orders.open(ref, "plan-1").seed != second.seed
