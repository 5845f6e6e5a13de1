from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.cluster.controlplane import ControlPlane, build

from .capi import Capi, install
from .cloud_aws import SECRET, AwsCloud, client
from .cloud_gce import GceCloud
from .cloud_kubernetes import CapiCloud, KwokCloud
from .cloud_racks import RacksCloud
from .clouds import Cloud, FakeCloud, Short
from .gce import Gce
from .kubewire import KubeWire
from .wire import Wire

DEPLOY = Path(__file__).parents[2] / "deploy"


def role(name: str) -> Path:
    """The file with the rights that are shipped for a provider on Kubernetes."""
    return DEPLOY / name / "rbac.yaml"


def rights(name: str) -> set[str]:
    """What that file grants, as `verb resource`."""
    return {
        f"{verb} {resource}"
        for rule in yaml.safe_load(role(name).read_text())["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


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
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
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
    users = {"clusterapi": (), "kwok": ()}
    with ControlPlane(build.binaries(), users=users, scheduler=False, controller_manager=False) as plane:
        install(plane.api())
        for user in users:
            plane.apply(role(user))
            plane.grant(f"gpu-autoscale-{user}", user=user)
        yield plane


@pytest.fixture(scope="session")
def kube_wires(api_server: ControlPlane) -> Iterator[dict[str, KubeWire]]:
    """The API server behind wires that can fail, as users with no more than the shipped rights."""
    with ExitStack() as opened:
        yield {
            user: opened.enter_context(KubeWire(api_server.url, ca=api_server.ca, token=api_server.token(user)))
            for user in ("clusterapi", "kwok")
        }


@pytest.fixture
def capi(api_server: ControlPlane, kube_wires: dict[str, KubeWire], tmp_path: Path) -> CapiCloud:
    """A management cluster without machines."""
    return CapiCloud(Capi(api_server.api()), kube_wires["clusterapi"], tmp_path)


@pytest.fixture
def kwok(api_server: ControlPlane, kube_wires: dict[str, KubeWire], tmp_path: Path) -> KwokCloud:
    """A cluster without nodes, and a configuration without pools."""
    return KwokCloud(api_server.api(), kube_wires["kwok"], tmp_path)


# One worker has the control planes: two at a time would fight for the cores.
ON_API_SERVER = (pytest.mark.cluster, pytest.mark.xdist_group("cluster"))


CLOUDS = ["fake", "racks", "aws", "gce", *(pytest.param(each, marks=ON_API_SERVER) for each in ("capi", "kwok"))]


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Each provider in turn, with no groups."""
    made: dict[str, Callable[[], Cloud]] = {"fake": FakeCloud, "racks": RacksCloud}
    return made[request.param]() if request.param in made else request.getfixturevalue(request.param)


@pytest.fixture(params=["fake", "gce", pytest.param("capi", marks=ON_API_SERVER)])
def short(request: pytest.FixtureRequest) -> Short:
    """Each provider whose cloud tells, beside the target, that machines don't come. AWS's tells it in its own tests."""
    return FakeCloud() if request.param == "fake" else request.getfixturevalue(request.param)
