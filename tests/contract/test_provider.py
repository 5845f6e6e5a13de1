"""The contract of `autoscale.testing`, held by every provider: the fake, the example, and four clouds behind faulty wires."""

from pathlib import Path

import pytest

from autoscale.testing import ProviderContract, ScheduleContract, Stage, StockOutContract, TemplateContract

from .cloud_aws import AwsCloud
from .cloud_fake import FakeCloud
from .cloud_gce import GceCloud
from .cloud_kubernetes import CapiCloud, KwokCloud
from .cloud_racks import racks_stage

KEPT = Path(__file__).parent / "schedules" / "provider"
FEW = 2  # schedules on a real API server; the others are on one in memory


class TestFake(ProviderContract, StockOutContract, TemplateContract, ScheduleContract):
    """In memory."""

    kept = KEPT

    @pytest.fixture
    def stage(self) -> Stage:
        """New."""
        return FakeCloud()


class TestExample(ProviderContract, ScheduleContract):
    """The provider of docs/providers.md."""

    kept = KEPT

    @pytest.fixture
    def stage(self) -> Stage:
        """New."""
        return racks_stage()


class TestAws(ProviderContract, StockOutContract, TemplateContract):
    """On moto."""

    @pytest.fixture
    def stage(self, aws: AwsCloud) -> Stage:
        """An empty account."""
        return aws


class TestAwsSchedules(ScheduleContract):
    """On moto, and nobody sleeps."""

    kept = KEPT

    @pytest.fixture
    def stage(self, awake_aws: AwsCloud) -> Stage:
        """An empty account."""
        return awake_aws


class TestGcp(ProviderContract, StockOutContract, TemplateContract):
    """On a server of Compute Engine's resources."""

    @pytest.fixture
    def stage(self, gce: GceCloud) -> Stage:
        """An empty project."""
        return gce


class TestGcpSchedules(ScheduleContract):
    """The same, and nobody sleeps."""

    kept = KEPT

    @pytest.fixture
    def stage(self, awake_gce: GceCloud) -> Stage:
        """An empty project."""
        return awake_gce


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
class TestClusterApi(ProviderContract, StockOutContract, ScheduleContract):
    """On a real API server."""

    schedules = FEW

    @pytest.fixture
    def stage(self, capi: CapiCloud) -> Stage:
        """A management cluster without machines."""
        return capi


class TestClusterApiSchedules(ScheduleContract):
    """On an API server in memory, and nobody sleeps."""

    kept = KEPT

    @pytest.fixture
    def stage(self, awake_capi: CapiCloud) -> Stage:
        """A management cluster without machines."""
        return awake_capi


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
class TestKwok(ProviderContract, ScheduleContract):
    """On a real API server."""

    schedules = FEW

    @pytest.fixture
    def stage(self, kwok: KwokCloud) -> Stage:
        """A cluster without nodes."""
        return kwok


class TestKwokSchedules(ScheduleContract):
    """On an API server in memory, and nobody sleeps."""

    kept = KEPT

    @pytest.fixture
    def stage(self, awake_kwok: KwokCloud) -> Stage:
        """A cluster without nodes."""
        return awake_kwok
