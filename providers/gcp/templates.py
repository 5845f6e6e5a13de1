"""Instance templates: the little of them that decides what a group's nodes are. A template never changes, so each is read once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoscale.model.frozen import empty
from autoscale.model.supply import Fault
from providers.gcp.faults import CLOUD_ERRORS, fault_of
from providers.gcp.kube_env import KubeEnv, kube_env
from providers.gcp.refs import last

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from google.cloud import compute_v1 as compute

    from providers.gcp.calls import Calls

_FEW = 8  # templates read one by one, side by side; more of them are had by listing all
_GET = "compute.instanceTemplates.get"
_LIST = "compute.instanceTemplates.list"


@dataclass(frozen=True, slots=True)
class Template:
    """What a template launches. `market` is Google's provisioning model, `STANDARD` when it names none.

    `reservation` is the one that it names, empty for none; `disk_gib` is None unless the boot disk is sized. `placed`: where
    its machines stand is decided together (resource policies). `run_for_s` is how long they may run, None for ever.
    """

    machine_type: str
    accelerators: tuple[tuple[str, int], ...] = ()
    market: str = "STANDARD"
    reservation: str = ""
    placed: bool = False
    disk_gib: int | None = None
    run_for_s: int | None = None
    labels: Mapping[str, str] = field(default_factory=empty, hash=False)
    env: KubeEnv | str = field(default_factory=KubeEnv, hash=False)


class Templates:
    """Instance templates by the path of their address."""

    def __init__(self, calls: Calls, *, now_s: Callable[[], int]) -> None:
        self._calls = calls
        self._now_s = now_s
        self._known: dict[str, Template] = {}

    def read(self, urls: Iterable[str]) -> dict[str, Template | Fault]:
        """Each template, or why it can't be read, by the address given."""
        wanted = {url: _path(url) for url in urls}
        due = sorted({path for path in wanted.values() if path not in self._known})
        failed: dict[str, Fault] = {}
        if len(due) > _FEW:
            fault = self._list()
            failed = dict.fromkeys(due, fault) if fault else {}
            due = [] if fault else [path for path in due if path not in self._known]
        if due:
            with ThreadPoolExecutor(min(_FEW, len(due))) as pool:
                for path, answer in zip(due, pool.map(self._get, due), strict=True):
                    if isinstance(answer, Fault):
                        failed[path] = answer
                    else:
                        self._known[path] = answer
        return {url: self._known.get(path) or failed[path] for url, path in wanted.items()}

    def _list(self) -> Fault | None:
        try:
            for found in self._calls.templates():
                self._known[_path(found.self_link)] = parse(found)
        except CLOUD_ERRORS as error:
            return fault_of(error, at_s=self._now_s(), doing=_LIST)
        return None

    def _get(self, path: str) -> Template | Fault:
        try:
            return parse(self._calls.template(path))
        except CLOUD_ERRORS as error:
            return fault_of(error, at_s=self._now_s(), doing=_GET)


def _path(url: str) -> str:
    """The address without host and version, which are written in several ways."""
    return "projects/" + url.rpartition("/projects/")[2] if "/projects/" in url else url


def _named(affinity: compute.ReservationAffinity) -> str:
    if affinity.consume_reservation_type != "SPECIFIC_RESERVATION":
        return ""
    return affinity.values[0] if affinity.values else "?"


def parse(found: compute.InstanceTemplate) -> Template:
    """The template in our words."""
    properties = found.properties
    scheduling = properties.scheduling
    market = scheduling.provisioning_model or ("SPOT" if scheduling.preemptible else "STANDARD")
    metadata = {item.key: item.value for item in properties.metadata.items}
    boot = [disk.initialize_params.disk_size_gb or disk.disk_size_gb for disk in properties.disks if disk.boot]
    return Template(
        machine_type=last(properties.machine_type),
        accelerators=tuple(
            (last(each.accelerator_type), each.accelerator_count) for each in properties.guest_accelerators
        ),
        market=market,
        reservation=_named(properties.reservation_affinity),
        placed=bool(properties.resource_policies),
        disk_gib=boot[0] if boot and boot[0] else None,
        run_for_s=scheduling.max_run_duration.seconds or None,
        labels=dict(properties.labels),
        env=kube_env(metadata.get("kube-env", "")),
    )
