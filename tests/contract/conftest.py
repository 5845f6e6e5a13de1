from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane, build

from .capi import Capi, install
from .clouds import AwsCloud, CapiCloud, Cloud, FakeCloud, GceCloud, client
from .gce import Gce
from .kubewire import KubeWire
from .wire import Wire

ROLE = Path(__file__).parents[2] / "deploy" / "clusterapi" / "rbac.yaml"


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


@pytest.fixture(scope="session")
def api_server() -> Iterator[ControlPlane]:
    """A real API server with Cluster API's kinds, for all tests of a process."""
    with ControlPlane(build.binaries(), scheduler=False, controller_manager=False) as plane:
        install(plane.api())
        plane.apply(ROLE)
        plane.grant("gpu-autoscale-clusterapi")
        yield plane


@pytest.fixture(scope="session")
def kube_wire(api_server: ControlPlane) -> Iterator[KubeWire]:
    """The API server behind a wire that can fail, as a user with no more than the shipped rights."""
    with KubeWire(api_server.url, ca=api_server.ca, token=api_server.token("autoscaler")) as started:
        yield started


@pytest.fixture
def capi(api_server: ControlPlane, kube_wire: KubeWire, tmp_path: Path) -> CapiCloud:
    """A management cluster without machines."""
    return CapiCloud(Capi(api_server.api()), kube_wire, kube_wire.kubeconfig(tmp_path))


# One worker has the control planes: two at a time would fight for the cores.
ON_API_SERVER = (pytest.mark.cluster, pytest.mark.xdist_group("cluster"))


@pytest.fixture(params=["fake", "aws", "gce", pytest.param("capi", marks=ON_API_SERVER)])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Each provider in turn, with no groups."""
    return FakeCloud() if request.param == "fake" else request.getfixturevalue(request.param)
