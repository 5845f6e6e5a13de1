"""Launch templates: which version a group means, and the little of it that decides what its nodes are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autoscale.model.frozen import empty
from autoscale.model.supply import Fault, FaultKind
from providers.aws.faults import CLOUD_ERRORS, fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mypy_boto3_autoscaling.type_defs import LaunchTemplateSpecificationTypeDef
    from mypy_boto3_ec2.type_defs import ResponseLaunchTemplateDataTypeDef

    from providers.aws.clients import Clients

_SYMBOLIC_S = 300  # how long `$Latest` and `$Default` stand for the version last seen; numbered versions never change
_READERS = 8  # templates read side by side when many are new
_FEW = 16  # so many are asked for one by one; of more, all that come in pages are taken first
_PAGE = 200  # Amazon's most
_PAGES = 4  # at least so many; an account may have many templates beside ours
_PER_HUNDRED = 6  # of all that are wanted, how many are asked for one by one in one look
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
    """Launch template versions, each read once (symbolic ones every `_SYMBOLIC_S`).

    Amazon tells the newest and the default versions of all templates in pages; others have to be asked for one by one. Of those
    no more are read in one look than the few calls that a look may make; the next look reads on.
    """

    def __init__(self, clients: Clients, *, now_s: Callable[[], int]) -> None:
        self._clients = clients
        self._now_s = now_s
        self._known: dict[TemplateRef, tuple[int, Template]] = {}

    def read(self, refs: Iterable[TemplateRef]) -> dict[TemplateRef, Template | Fault]:
        """Each version, or why it can't be read. A version seen before outlives a cloud that does not answer."""
        wanted = sorted(set(refs), key=lambda ref: (ref.key, ref.version))
        due = [ref for ref in wanted if not self._fresh(ref)]
        if len(due) > _FEW:
            self._keep(self._in_pages(due, pages=max(_PAGES, len(due) // 32)))
            due = [ref for ref in due if not self._fresh(ref)]
        now = due[: max(_FEW, len(wanted) * _PER_HUNDRED // 100)]
        answers = {ref: self._not_yet(len(due) - len(now)) for ref in due[len(now) :]} | self._one_by_one(now)
        self._keep(answers)
        out: dict[TemplateRef, Template | Fault] = {}
        for ref in wanted:
            answer = answers.get(ref)
            if isinstance(answer, Fault) and (answer.kind == FaultKind.NOT_FOUND or ref not in self._known):
                self._known.pop(ref, None)
                out[ref] = answer
            else:
                out[ref] = self._known[ref][1]
        return out

    def _fresh(self, ref: TemplateRef) -> bool:
        known = self._known.get(ref)
        return known is not None and (not ref.version.startswith("$") or self._now_s() - known[0] < _SYMBOLIC_S)

    def _keep(self, answers: Mapping[TemplateRef, Template | Fault]) -> None:
        now = self._now_s()
        self._known |= {ref: (now, each) for ref, each in answers.items() if isinstance(each, Template)}

    def _in_pages(self, due: Iterable[TemplateRef], *, pages: int) -> dict[TemplateRef, Template]:
        """Those that are the newest or the default of their template, as far as so many pages go. A failure is left to others."""
        wanted, found, newest = set(due), dict[TemplateRef, Template](), dict[str, int]()
        try:
            told = self._clients.ec2.get_paginator("describe_launch_template_versions").paginate(
                Versions=["$Latest", "$Default"], PaginationConfig={"PageSize": _PAGE, "MaxItems": pages * _PAGE}
            )
            for page in told:
                for each in page["LaunchTemplateVersions"]:
                    number, template = each["VersionNumber"], template_of(each.get("LaunchTemplateData", {}))
                    names = [str(number), *(["$Default"] if each.get("DefaultVersion") else [])]
                    if number >= newest.get(each["LaunchTemplateId"], 0):
                        newest[each["LaunchTemplateId"]] = number
                        names.append("$Latest")
                    for name in names:
                        for ref in (
                            TemplateRef(each["LaunchTemplateId"], by_name=False, version=name),
                            TemplateRef(each["LaunchTemplateName"], by_name=True, version=name),
                        ):
                            if ref in wanted:
                                found[ref] = template
        except CLOUD_ERRORS:
            return {}
        return found

    def _one_by_one(self, due: Sequence[TemplateRef]) -> dict[TemplateRef, Template | Fault]:
        if not due:
            return {}
        self._clients.ec2  # noqa: B018 - made before the threads need it
        with ThreadPoolExecutor(min(_READERS, len(due))) as pool:
            return dict(zip(due, pool.map(self._fetch, due), strict=True))

    def _not_yet(self, more: int) -> Fault:
        text = f"{_DOING}: {more} versions that are neither newest nor default are read with the next looks"
        return Fault("", FaultKind.THROTTLED, "NotYet", text, self._now_s())

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
