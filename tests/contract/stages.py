"""Stages on which nobody sleeps and nothing real is needed, for thousands of schedules: one for each provider."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest import mock

from autoscale.testing import Stage

from .capi import Capi
from .clock import StageClock
from .cloud_aws import SECRET, AwsCloud, client
from .cloud_fake import FakeCloud
from .cloud_gce import GceCloud
from .cloud_kubernetes import CapiCloud, KwokCloud
from .cloud_racks import racks_stage
from .gce import Gce
from .kubememory import KubeMemory, MemoryApi
from .kubewire import KubeWire
from .wire import Moto, Wire

NAMES = ("aws", "clusterapi", "gcp", "kwok", "fake", "racks")
ENGINES = ("aws", "clusterapi", "gcp", "kwok", "fake")  # those that a whole engine is tried on
START_S = 1_700_000_000


@contextmanager
def opened(name: str, *, clock: StageClock | None = None) -> Iterator[Stage]:
    """The stage of a provider, with whatever serves it."""
    with ExitStack() as stack:
        if name == "fake":
            yield FakeCloud(clock=clock)
        elif name == "racks":
            yield racks_stage()
        elif name == "gcp":
            yield GceCloud(stack.enter_context(Gce()), sleep=awake, clock=clock)
        elif name == "aws":
            yield stack.enter_context(awake_aws(stack.enter_context(wire()), clock=clock))
        else:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            memory = KubeMemory()
            kube_wire = stack.enter_context(KubeWire(memory))
            api = MemoryApi(memory)
            if name == "kwok":
                yield KwokCloud(api, kube_wire, folder, sleep=awake, clock=clock)
            else:
                yield CapiCloud(Capi(api), kube_wire, folder, sleep=awake, clock=clock)


@contextmanager
def wire() -> Iterator[Wire]:
    """Moto behind a wire."""
    with Moto() as moto, Wire(moto) as started:
        yield started
        for service in ("autoscaling", "ec2", "sqs"):
            client(service, moto.url).close()


@contextmanager
def awake_aws(started: Wire, *, clock: StageClock | None = None) -> Iterator[AwsCloud]:
    """An empty account, as credentials of the environment open it. botocore's pauses between tries are left out."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": SECRET}
    with mock.patch.dict(os.environ, keys), mock.patch("botocore.endpoint.time", SimpleNamespace(sleep=awake)):
        yield AwsCloud(started, clock=clock)


def awake(seconds: float) -> None:
    """No pause."""
