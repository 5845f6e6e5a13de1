"""Amazon's types and prices on moto, with what moto lacks answered at the wire."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from autoscale import wiring
from autoscale.catalog.background import Refresher
from autoscale.catalog.refresh import judge
from autoscale.catalog.store import Store
from autoscale.cli import main
from autoscale.cli.prices import Prices as SeenPrices
from autoscale.errors import ProviderError
from autoscale.model.catalog import Machine, Offer
from autoscale.model.supply import CapacityType, FaultKind
from providers.aws.settings import AwsSettings
from providers.aws.source import AwsCatalogSource
from providers.aws.specifications import shipped

from .aws_prices import Prices
from .cloud_aws import SECRET, AwsCloud
from .wire import Rule

POLICY = Path(__file__).parents[2] / "deploy" / "aws" / "catalog-policy.json"
SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


@pytest.fixture
def prices(aws: AwsCloud) -> Prices:
    """A few types with their prices."""
    return Prices(aws.wire)


@cache
def shared(url: str) -> AwsCatalogSource:
    """The source as a configuration would make it; making its clients takes half a second, so tests share it."""
    return AwsCatalogSource(AwsSettings.parse({"region": "us-east-1", "endpoint_url": url}, cluster="demo"))


def source(prices: Prices) -> AwsCatalogSource:
    """The source on the wire."""
    return shared(prices.wire.url)


def silent(_: str) -> None:
    """Nobody watches."""


def test_types_are_what_the_shipped_table_says(prices: Prices) -> None:
    """The same source, read live: every fact of GPUs, Neuron devices, fractions, EFA and addresses; no Macs."""
    machines = {each.name: each for each in source(prices).read("us-east-1", silent).machines}
    table = {each.name: each for each in shipped().machines}
    assert machines == {
        name: table[name]
        for name in ("g4dn.xlarge", "g5.xlarge", "g6f.large", "inf2.xlarge", "m7i.large", "p5.48xlarge")
    }
    assert machines["p5.48xlarge"] == Machine(
        name="p5.48xlarge",
        vcpus=192,
        memory_mib=2 * 1024 * 1024,
        manufacturer="NVIDIA",
        accelerator="H100",
        accelerators=8,
        accelerator_memory_mib=81920,
        efa_interfaces=32,
        eni_pods=100,
    )


def test_prices_go_with_the_zones_that_offer_the_type(prices: Prices) -> None:
    """On-demand in every zone, spot where there is any, the newest; a spot price that is the on-demand one is none."""
    prices.spot["g4dn.xlarge", "us-east-1b"] = "0.526000"
    reading = source(prices).read("us-east-1", silent)
    at_s = reading.at_s
    found = [each for each in reading.offers if each.instance_type == "g4dn.xlarge"]
    zones = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1f"]
    on_demand = [Offer("g4dn.xlarge", zone, ON_DEMAND, "0.5260000000", at_s=at_s) for zone in zones]
    assert sorted(found, key=lambda each: each.key) == sorted(
        [*on_demand, Offer("g4dn.xlarge", "us-east-1a", SPOT, "0.213", at_s=at_s)], key=lambda each: each.key
    )
    assert reading.zone_ids["us-east-1a"] == "use1-az6"
    assert reading.scores["T4", "us-east-1a"] == 9
    assert reading.notes == ()


def test_scores_are_a_luxury(prices: Prices) -> None:
    """An account that may not ask for placement scores still has its prices, and is told."""
    prices.wire.rules.append(Rule("GetSpotPlacementScores", times=9, error=(403, "UnauthorizedOperation", "no")))
    reading = source(prices).read("us-east-1", silent)
    assert (len(reading.machines), dict(reading.scores)) == (6, {})
    assert reading.notes == ("spot placement scores are not known, ec2:GetSpotPlacementScores: no",)


@pytest.mark.parametrize(
    "action",
    [
        "DescribeAvailabilityZones",
        "DescribeInstanceTypes",
        "DescribeInstanceTypeOfferings",
        "GetProducts",
        "DescribeSpotPriceHistory",
    ],
)
def test_a_part_that_fails_fails_the_whole(prices: Prices, action: str) -> None:
    """Half a catalogue is worse than the last good one; the error names the call and no credential."""
    prices.wire.rules.append(Rule(action, times=9, error=(403, "UnauthorizedOperation", "You are not authorized")))
    with pytest.raises(ProviderError) as error:
        source(prices).read("us-east-1", silent)
    assert error.value.fault.kind is FaultKind.DENIED
    assert f":{action}: " in str(error.value)
    assert SECRET not in str(error.value)


def test_it_says_how_far_it_is(prices: Prices) -> None:
    """A read of a real region takes a minute; each page is told."""
    said: list[str] = []
    source(prices).read("us-east-1", said.append)
    assert said[0] == "6 instance types"
    assert "2 on-demand prices" in said
    assert said[-1] == "spot placement scores of 4 of 4 accelerators"


def test_the_shipped_policy_grants_what_a_refresh_calls(prices: Prices) -> None:
    """Least privilege in a policy of its own: no call missing, no action unused."""
    source(prices).read("us-east-1", silent)
    granted = [action for each in json.loads(POLICY.read_text())["Statement"] for action in each["Action"]]
    assert sorted(set(prices.wire.actions)) == sorted(granted)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda env: env.delenv("AWS_SECRET_ACCESS_KEY"), "Partial credentials"),
        (lambda env: env.setenv("AWS_PROFILE", "nobody"), "The config profile (nobody) could not be found"),
    ],
)
def test_no_credentials_is_one_sentence(
    prices: Prices, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None], said: str
) -> None:
    """Whatever is missing of them."""
    change(monkeypatch)
    with pytest.raises(ProviderError) as error:
        AwsCatalogSource(source(prices)._settings).read("us-east-1", silent)
    assert (error.value.fault.kind, error.value.fault.code) == (FaultKind.DENIED, "NoCredentials")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def configured(tmp_path: Path, prices: Prices) -> list[str]:
    """A configuration file for the wire, with a cache of its own."""
    file = tmp_path / "autoscaler.yaml"
    file.write_text(
        "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Autoscaler\n"
        f"providers: {{aws: {{region: us-east-1, endpoint_url: '{prices.wire.url}'}}}}\n"
        "catalog: {cache: cache}\n"
    )
    return ["--config", str(file)]


def test_a_refresh_is_kept_shown_and_compared(
    prices: Prices, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cloud's prices go before the shipped ones from then on; a suspicious one keeps the last good figure."""
    config = configured(tmp_path, prices)
    prices.on_demand["p5.48xlarge"] = "55.04"
    first = judge(source(prices).read("us-east-1", silent), provider="aws", known=None).catalog
    assert first is not None
    Store(str(tmp_path / "cache")).keep(first)
    prices.on_demand["p5.48xlarge"] = "9999.99"
    prices.spot["g5.xlarge", "us-east-1a"] = "0.5"
    assert main(["catalog", "diff", *config, "-o", "json"]) == 0
    different = {each["key"]: each["text"] for each in json.loads(capsys.readouterr().out)["items"]}
    assert different["g5.xlarge/us-east-1a/spot"] == "g5.xlarge/us-east-1a/spot: $ 0.4500 -> $ 0.5000 (+11.1 %)"
    assert Store(str(tmp_path / "cache")).latest("aws", "us-east-1").catalog == first
    assert main(["catalog", "refresh", *config]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert f"kept in {tmp_path}/cache/aws-us-east-1.json" in said.out
    assert "9999.99 USD, a placeholder, not a price; the last good price, $ 55.040, stays" in " ".join(said.out.split())
    assert main(["catalog", "show", *config, "--zone", "us-east-1a", "-o", "json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert item["source"] == "EC2 and the AWS Price List"
    costs = {(each["type"], each["capacityType"]): each["usdPerHour"] for each in item["offerings"]}
    assert costs == {
        ("g4dn.xlarge", "on-demand"): 0.526,
        ("g4dn.xlarge", "spot"): 0.213,
        ("g5.xlarge", "on-demand"): 1.006,
        ("g5.xlarge", "spot"): 0.5,
        ("p5.48xlarge", "on-demand"): 55.04,
    }


@pytest.mark.parametrize(
    ("rule", "ends"),
    [
        (
            Rule("GetProducts", times=9, error=(500, "InternalFailure", "try later")),
            (1, "aws: pricing:GetProducts: try later; there is no copy of aws us-east-1, the shipped prices are used"),
        ),
        (
            Rule("GetProducts", times=9, error=(403, "AccessDeniedException", "not allowed")),
            (2, "aws: pricing:GetProducts: not allowed; nothing was changed"),
        ),
        (None, (1, "aws: only 6 machines came back, there were 171; there is no copy of aws us-east-1")),
    ],
)
def test_a_bad_refresh_changes_nothing(
    prices: Prices, tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: Rule | None, ends: tuple[int, str]
) -> None:
    """An error of the cloud, missing rights, a part of an answer: one sentence, and no file."""
    if rule is not None:
        prices.wire.rules.append(rule)
    assert main(["catalog", "refresh", *configured(tmp_path, prices)]) == ends[0]
    found = capsys.readouterr()
    assert (found.out, found.err.count("\n")) == ("", 1)
    assert found.err.startswith(f"autoscale: {ends[1]}")
    assert not (tmp_path / "cache").exists()


def test_beside_the_loop_prices_are_kept_and_their_age_is_a_metric(
    prices: Prices, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure is a log line and leaves what is there; a good read is in use from then on."""
    settings = wiring.offline_settings(configured(tmp_path, prices)[1])
    registry = CollectorRegistry()
    seen = SeenPrices(settings, registry, structlog.get_logger())
    beside = Refresher(wiring.catalog_places(settings), every_s=3600, listener=seen)

    def sample(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"gpu_autoscale_{name}", {"provider": "aws", **labels})

    assert (sample("prices_age_seconds", source="shipped") or 0) > 86400
    assert beside.turn(0) == 600  # six machines of 171 are a part of an answer
    assert "only 6 machines came back, there were 171" in capsys.readouterr().out
    small = judge(source(prices).read("us-east-1", silent), provider="aws", known=None).catalog
    assert small is not None
    Store(str(tmp_path / "cache")).keep(replace(small, at_s=1))
    assert beside.turn(10**9) > 0
    assert "prices refreshed" in capsys.readouterr().out
    assert sample("prices_age_seconds", source="shipped") is None
    assert (sample("prices_age_seconds", source="cloud") or 0) < 600
    outcomes = [sample("price_refreshes_total", outcome=each) for each in ("done", "failed")]
    assert outcomes == [1, 1]
    assert wiring.used_catalog("aws", settings).source == "EC2 and the AWS Price List"


def test_groups_are_modelled_by_the_freshest_prices(aws: AwsCloud, prices: Prices, tmp_path: Path) -> None:
    """Types and prices of the cache go before those that are shipped; a cache that breaks is no fault of a tick."""
    prices.on_demand["g4dn.xlarge"] = "0.6"
    settings = wiring.offline_settings(configured(tmp_path, prices)[1])
    aws.create("gpu")
    (provider,) = wiring.providers(replace(settings, decide=replace(settings.decide, cluster="demo")))

    def price() -> list[int]:
        return [group.offering.price_microusd_per_hour for group in provider.observe().groups]

    assert price() == [526_000]
    fresh = judge(source(prices).read("us-east-1", silent), provider="aws", known=None).catalog
    assert fresh is not None
    path = Store(str(tmp_path / "cache")).keep(fresh)
    assert price() == [600_000]
    path.write_text("{")
    assert price() == [526_000]
