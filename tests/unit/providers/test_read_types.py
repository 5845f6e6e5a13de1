"""Types that only a refresh of the catalogue brought: configurations may name them as they may name bundled ones."""

from pathlib import Path

import pytest

from autoscale import wiring
from autoscale.catalog.store import CloudCatalogs, Store
from autoscale.errors import BadInput
from autoscale.model.catalog import Catalog, Machine, Quote
from autoscale.model.supply import CapacityType
from providers import aws, gcp
from providers.aws.settings import AwsSettings
from providers.gcp.settings import GcpSettings
from providers.gcp.specifications import Specification

NEW_AWS = Machine(
    name="p9.48xlarge", vcpus=192, memory_mib=2**21, manufacturer="NVIDIA", accelerator="X1", accelerators=8
)
NEW_GCP = Machine(
    name="a9-highgpu-8g", vcpus=224, memory_mib=2**21, manufacturer="NVIDIA", accelerator="nvidia-x1", accelerators=8
)
AWS_POOL = {"launch_template": "workers", "instance_types": ["p9.*"], "zones": ["eu-west-1a"]}
GCP_POOL = {"instance_template": "base", "instance_types": ["a9-*"], "zones": ["europe-west4-a"]}


def kept(folder: Path) -> Store:
    """A cache with a catalogue of each cloud, of a region that is not bundled."""
    store = Store(str(folder))
    for provider, region, zone, machine in (
        ("aws", "eu-west-1", "eu-west-1a", NEW_AWS),
        ("gcp", "europe-west4", "europe-west4-a", NEW_GCP),
    ):
        quote = Quote(machine.name, zone, CapacityType.ON_DEMAND, 90_000_000, 1_700_000_000)
        found = Catalog(
            provider=provider,
            region=region,
            source="asked",
            at_s=1_700_000_000,
            machines=(machine,),
            quotes=(quote,),
            zone_ids={zone: zone},
        )
        store.keep(found)
    return store


def test_the_cache_tells_the_types_of_all_regions_of_a_cloud(tmp_path: Path) -> None:
    """And none of another cloud."""
    store = kept(tmp_path)
    assert CloudCatalogs(store, "gcp").machines() == {NEW_GCP.name: NEW_GCP}
    assert CloudCatalogs(Store(str(tmp_path / "empty")), "gcp").machines() == {}


def test_amazon_prices_and_pools_may_name_them(tmp_path: Path) -> None:
    """By pattern, too."""
    found = AwsSettings.parse(
        {"prices": {"p9.48xlarge": 50}, "pools": {"new": AWS_POOL}},
        cluster="c",
        read=CloudCatalogs(kept(tmp_path), "aws").machines(),
    )
    assert found.prices == {"p9.48xlarge": 50_000_000}
    assert (found.pools[0].pool.instance_types, found.pools[0].machines) == (
        ("p9.48xlarge",), {"p9.48xlarge": NEW_AWS},
    )  # fmt: skip


def test_google_prices_and_pools_may_name_them(tmp_path: Path) -> None:
    """A family that nobody knew is called by its machine type, accelerators and all."""
    found = GcpSettings.parse(
        {"prices": {"a9-highgpu-8g/*/spot": 50}, "pools": {"new": GCP_POOL}},
        cluster="c",
        read=CloudCatalogs(kept(tmp_path), "gcp").machines(),
    )
    assert found.prices == {"a9-highgpu-8g/*/spot": 50_000_000}
    spec = Specification("a9-highgpu-8g", 224, 2048, "nvidia-x1", 8)
    assert (found.pools[0].pool.instance_types, dict(found.pools[0].machines)) == (
        ("a9-highgpu-8g",), {"a9-highgpu-8g": spec},
    )  # fmt: skip
    assert spec.name == "a9-highgpu-8g"


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"aws": {"pools": {"new": AWS_POOL}}}, "no instance type of the catalogue is 'p9.*'"),
        ({"gcp": {"pools": {"new": GCP_POOL}}}, "no instance type of the catalogue is 'a9-*'"),
    ],
)
def test_a_configuration_rests_on_the_cache(
    tmp_path: Path, section: dict[str, dict[str, object]], sentence: str
) -> None:
    """With it the provider is made; without it the type is unknown, and a refresh can be asked for all the same."""
    (name,) = section
    file = tmp_path / "autoscaler.yaml"
    kept(tmp_path / "full")
    for folder in ("full", "empty"):
        file.write_text(
            "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Autoscaler\ncluster: c\n"
            f"catalog: {{cache: {tmp_path / folder}}}\nproviders: {section}\n"
        )
        settings = wiring.settings(str(file))
        assert wiring.catalog_source(name, settings) is not None
        if folder == "full":
            assert [each.name for each in wiring.providers(settings)] == [name]
        else:
            with pytest.raises(BadInput) as error:
                wiring.providers(settings)
            assert sentence in str(error.value)


def test_a_source_does_not_look_at_what_it_is_to_bring() -> None:
    """Or nobody could refresh who has written a new type down already."""
    assert aws.catalog_source({"prices": {"p9.48xlarge": 1}}).region
    assert gcp.catalog_source({"pools": {"new": GCP_POOL}}).region
