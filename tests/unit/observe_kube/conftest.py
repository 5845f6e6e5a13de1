"""An embedded cluster without a scheduler, and the engine's view of it."""

import threading
from collections.abc import Iterator

import pytest

from autoscale.observe.kube import KubeCluster
from autoscale.observe.kube_connect import connect
from autoscale.observe.watch import WatchSettings
from autoscale.sim.cluster import EmbeddedCluster

SETTINGS = WatchSettings(page=3, pause_s=0.02, longest_pause_s=0.1)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """Whatever a test starts has ended when the test has."""
    before = set(threading.enumerate())
    yield
    assert {thread.name for thread in set(threading.enumerate()) - before} == set()


@pytest.fixture
def embedded() -> Iterator[EmbeddedCluster]:
    """An API server with nothing in it but two namespaces; nothing happens by itself."""
    with EmbeddedCluster(scheduler=False, kubelets=False, bookmark_s=0.05) as cluster:
        yield cluster


@pytest.fixture
def cluster(embedded: EmbeddedCluster) -> Iterator[KubeCluster]:
    """The cluster as the engine sees it, with little patience."""
    http = connect(embedded.kubeconfig_path, None)
    http._pause_s = 0.01
    with KubeCluster(http, settings=SETTINGS) as found:
        yield found
