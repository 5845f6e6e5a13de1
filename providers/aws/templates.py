"""Launch templates: which version a group means, and the little of it that decides what its nodes are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autoscale.model.frozen import empty
from autoscale.model.supply import Fault, FaultKind
from providers.aws.faults import CLOUD_ERRORS, fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_autoscaling.type_defs import LaunchTemplateSpecificationTypeDef
    from mypy_boto3_ec2.type_defs import ResponseLaunchTemplateDataTypeDef

    from providers.aws.clients import Clients

_SYMBOLIC_S = 300  # how long `$Latest` and `$Default` stand for the version last seen; numbered versions never change
_READERS = 8  # templates read side by side when many are new
_DOING = "ec2:DescribeLaunchTemplateVersions"


@dataclass(frozen=True, slots=True)
class TemplateRef:
    """A version of a launch template: `key` is its id, or its name when there is no id."""

    key: str
    by_name: bool
    version: str

    @classmethod
    def of(cls, spec: LaunchTemplateSpecificationTypeDef) -> TemplateRef:
        """From a group's specification; no version means the default one."""
        template_id = spec.get("LaunchTemplateId", "")
        return cls(
            key=template_id or spec.get("LaunchTemplateName", ""),
            by_name=not template_id,
            version=spec.get("Version") or "$Default",
        )


@dataclass(frozen=True, slots=True)
class Template:
    """What a template version launches. `instance_type` is empty when it leaves the type to the group; `data` is all of it.

    `reservation` is the one that it names. `market` is empty, `spot` or `capacity-block`. `disk_gib` is None unless the template has exactly one sized volume.
    """

    instance_type: str
    market: str = ""
    attribute_based: bool = False
    efa_interfaces: int = 0
    disk_gib: int | None = None
    reservation: str = ""
    data: Mapping[str, Any] = field(default_factory=empty, compare=False)


class Templates:
    """Launch template versions, each read once (symbolic ones every `_SYMBOLIC_S`)."""

    def __init__(self, clients: Clients, *, now_s: Callable[[], int]) -> None:
        self._clients = clients
        self._now_s = now_s
        self._known: dict[TemplateRef, tuple[int, Template]] = {}

    def read(self, refs: Iterable[TemplateRef]) -> dict[TemplateRef, Template | Fault]:
        """Each version, or why it can't be read. A version seen before outlives a cloud that does not answer."""
        wanted = sorted(set(refs), key=lambda ref: (ref.key, ref.version))
        due = [ref for ref in wanted if not self._fresh(ref)]
        if due:
            self._clients.ec2  # noqa: B018 - made before the threads need it: sessions are not safe to share
            with ThreadPoolExecutor(min(_READERS, len(due))) as pool:
                answers = dict(zip(due, pool.map(self._fetch, due), strict=True))
        else:
            answers = {}
        out: dict[TemplateRef, Template | Fault] = {}
        for ref in wanted:
            answer = answers.get(ref)
            if isinstance(answer, Template):
                self._known[ref] = (self._now_s(), answer)
            elif answer is not None and (answer.kind == FaultKind.NOT_FOUND or ref not in self._known):
                self._known.pop(ref, None)
                out[ref] = answer
                continue
            out[ref] = self._known[ref][1]
        return out

    def _fresh(self, ref: TemplateRef) -> bool:
        known = self._known.get(ref)
        return known is not None and (not ref.version.startswith("$") or self._now_s() - known[0] < _SYMBOLIC_S)

    def _fetch(self, ref: TemplateRef) -> Template | Fault:
        try:
            if ref.by_name:
                answer = self._clients.ec2.describe_launch_template_versions(
                    LaunchTemplateName=ref.key, Versions=[ref.version]
                )
            else:
                answer = self._clients.ec2.describe_launch_template_versions(
                    LaunchTemplateId=ref.key, Versions=[ref.version]
                )
        except CLOUD_ERRORS as error:
            return fault_of(error, at_s=self._now_s(), doing=_DOING)
        versions = answer["LaunchTemplateVersions"]
        if not versions:
            text = f"{_DOING}: launch template {ref.key} has no version {ref.version}"
            return Fault("", FaultKind.NOT_FOUND, "InvalidLaunchTemplateId.VersionNotFound", text, self._now_s())
        return template_of(versions[0].get("LaunchTemplateData", {}))


def template_of(data: ResponseLaunchTemplateDataTypeDef) -> Template:
    """What decides of its nodes, out of a template's content."""
    volumes = [
        size for mapping in data.get("BlockDeviceMappings", []) if (size := mapping.get("Ebs", {}).get("VolumeSize"))
    ]
    interfaces = data.get("NetworkInterfaces", [])
    return Template(
        instance_type=data.get("InstanceType", ""),
        market=data.get("InstanceMarketOptions", {}).get("MarketType", ""),
        attribute_based=bool(data.get("InstanceRequirements")),
        efa_interfaces=sum(each.get("InterfaceType", "").startswith("efa") for each in interfaces),
        disk_gib=volumes[0] if len(volumes) == 1 else None,
        reservation=data.get("CapacityReservationSpecification", {})
        .get("CapacityReservationTarget", {})
        .get("CapacityReservationId", ""),
        data=data,
    )
