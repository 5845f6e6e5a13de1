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


@contextmanager
def opened(name: str) -> Iterator[Stage]:
    """The stage of a provider, with whatever serves it."""
    with ExitStack() as stack:
        if name == "fake":
            yield FakeCloud()
        elif name == "racks":
            yield racks_stage()
        elif name == "gcp":
            yield GceCloud(stack.enter_context(Gce()), sleep=awake)
        elif name == "aws":
            yield stack.enter_context(awake_aws(stack.enter_context(wire())))
        else:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            memory = KubeMemory()
            kube_wire = stack.enter_context(KubeWire(memory))
            api = MemoryApi(memory)
            if name == "kwok":
                yield KwokCloud(api, kube_wire, folder, sleep=awake)
            else:
                yield CapiCloud(Capi(api), kube_wire, folder, sleep=awake)


@contextmanager
def wire() -> Iterator[Wire]:
    """Moto behind a wire."""
    with Moto() as moto, Wire(moto) as started:
        yield started
        for service in ("autoscaling", "ec2"):
            client(service, moto.url).close()


@contextmanager
def awake_aws(started: Wire) -> Iterator[AwsCloud]:
    """An empty account, as credentials of the environment open it. botocore's pauses between tries are left out."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": SECRET}
    with mock.patch.dict(os.environ, keys), mock.patch("botocore.endpoint.time", SimpleNamespace(sleep=awake)):
        yield AwsCloud(started)


def awake(seconds: float) -> None:
    """No pause."""
