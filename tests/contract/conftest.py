from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from autoscale.testing import Stage
from tests.cluster.controlplane import ControlPlane, build

from . import stages
from .capi import Capi, install
from .cloud_aws import SECRET, AwsCloud
from .cloud_gce import GceCloud
from .cloud_kubernetes import CapiCloud, KwokCloud
from .gce import Gce
from .kubewire import KubeWire, RealUpstream
from .wire import Wire

DEPLOY = Path(__file__).parents[2] / "deploy"

# One worker has the control planes: two at a time would fight for the cores.
ON_API_SERVER = (pytest.mark.cluster, pytest.mark.xdist_group("cluster"))


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
    """One moto behind one wire for all tests of a process."""
    with stages.wire() as started:
        yield started


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
            user: opened.enter_context(
                KubeWire(RealUpstream(api_server.url, ca=api_server.ca, token=api_server.token(user)))
            )
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


@pytest.fixture
def awake_aws(wire: Wire) -> Iterator[AwsCloud]:
    """An empty account, and nobody sleeps."""
    with stages.awake_aws(wire) as stage:
        yield stage


@pytest.fixture
def awake_gce(gce_server: Gce) -> GceCloud:
    """An empty project, and nobody sleeps."""
    return GceCloud(gce_server, sleep=stages.awake)


@pytest.fixture
def awake_capi() -> Iterator[Stage]:
    """A management cluster in memory, and nobody sleeps."""
    with stages.opened("clusterapi") as stage:
        yield stage


@pytest.fixture
def awake_kwok() -> Iterator[Stage]:
    """A cluster in memory, and nobody sleeps."""
    with stages.opened("kwok") as stage:
        yield stage
