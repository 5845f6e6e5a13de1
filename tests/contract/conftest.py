from collections.abc import Iterator

import pytest

from .clouds import AwsCloud, Cloud, FakeCloud, GceCloud, client
from .gce import Gce
from .wire import Wire


@pytest.fixture(scope="session")
def wire() -> Iterator[Wire]:
    """One moto server behind one proxy for all tests of a process."""
    with Wire() as started:
        yield started
        for service in ("autoscaling", "ec2"):
            client(service, started.moto_url).close()


@pytest.fixture
def aws(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> AwsCloud:
    """An empty account."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return AwsCloud(wire)


@pytest.fixture(scope="session")
def gce_server() -> Iterator[Gce]:
    """One server of Compute Engine's resources for all tests of a process."""
    with Gce() as started:
        yield started


@pytest.fixture
def gce(gce_server: Gce) -> GceCloud:
    """An empty project."""
    return GceCloud(gce_server)


@pytest.fixture(params=["fake", "aws", "gce"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Each provider in turn, with no groups."""
    return FakeCloud() if request.param == "fake" else request.getfixturevalue(request.param)
