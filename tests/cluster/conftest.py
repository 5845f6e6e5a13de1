"""Fixtures of the tests on a real control plane.

`binaries` finds or builds them once a session; `control_plane` is fresh for every test module and `moto` for every
test. A test that restarts or breaks things makes its own: `with ControlPlane(binaries) as plane:`.
"""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from .aws import MotoServer
from .controlplane import ControlPlane, build


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests on a control plane in one worker: two at a time would fight for the cores.

    What a busy machine takes longer for is no hang.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("cluster"))
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def binaries() -> Path:
    """The folder with the four binaries; building them, once, takes about ten CPU minutes."""
    return build.binaries()


@pytest.fixture(scope="module")
def control_plane(binaries: Path) -> Iterator[ControlPlane]:
    """A control plane that the tests of a module share."""
    with ControlPlane(binaries) as plane:
        yield plane


@pytest.fixture(scope="session")
def _moto_session() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture
def moto(_moto_session: MotoServer) -> MotoServer:
    """A moto server without groups or instances."""
    _moto_session.reset()
    return _moto_session


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every component's log beside a failed test."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for fixture in item.funcargs.values():
            if isinstance(fixture, ControlPlane):
                report.sections.append(("control plane", fixture.logs()))
    return report
