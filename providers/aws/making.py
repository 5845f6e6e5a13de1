"""Making a pool's group and taking it away: the calls, each of which may be sent again without harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from autoscale.errors import ProviderError
from autoscale.model.supply import Fault, FaultKind
from providers.aws import pools
from providers.aws.faults import CLOUD_ERRORS, fault_of
from providers.aws.groups import PREFIX
from providers.aws.templates import template_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

    from providers.aws.clients import Clients
    from providers.aws.offered import Making

_THERE = ("AlreadyExists", "InvalidLaunchTemplateName.AlreadyExistsException")


class Maker:
    """Every method raises ProviderError, and nothing else."""

    def __init__(self, clients: Clients, *, now_s: Callable[[], int]) -> None:
        self._clients = clients
        self._now_s = now_s

    def make(self, making: Making) -> bool:
        """The launch template, then the group at zero; whether the group was made now, and not there already."""
        self._make_template(making)
        try:
            self._clients.autoscaling.create_auto_scaling_group(**cast("Any", making.request))
        except CLOUD_ERRORS as error:
            fault = self._fault(error, making.offer.name, "autoscaling:CreateAutoScalingGroup")
            if fault.code not in _THERE:
                raise ProviderError(fault) from error
            return False
        return True

    def bring_up_to_date(self, making: Making, group: AutoScalingGroupTypeDef) -> None:
        """Let the group launch what its pool says now, up to as many as it says now."""
        wanted = max(making.request["MaxSize"], group["DesiredCapacity"])
        old = group.get("LaunchTemplate", {}).get("LaunchTemplateName", "")
        if old == making.template and group["MaxSize"] == wanted:
            return
        self._make_template(making)
        try:
            self._clients.autoscaling.update_auto_scaling_group(
                AutoScalingGroupName=making.offer.name,
                LaunchTemplate=making.request["LaunchTemplate"],
                MaxSize=wanted,
            )
        except CLOUD_ERRORS as error:
            fault = self._fault(error, making.offer.name, "autoscaling:UpdateAutoScalingGroup")
            raise ProviderError(fault) from error
        if old != making.template:
            self._delete_template(making.offer.name, old)

    def delete(self, group: AutoScalingGroupTypeDef) -> None:
        """The group, if Amazon finds it empty as well, then its launch template."""
        name = group["AutoScalingGroupName"]
        try:
            self._clients.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name)
        except CLOUD_ERRORS as error:
            fault = self._fault(error, name, "autoscaling:DeleteAutoScalingGroup")
            if fault.kind != FaultKind.NOT_FOUND:
                raise ProviderError(fault) from error
        self._delete_template(name, group.get("LaunchTemplate", {}).get("LaunchTemplateName", ""))

    def _make_template(self, making: Making) -> None:
        """One that is there already has to be ours: of the same content, which its name has a digest of."""
        marks = ((pools.POOL, making.offer.of.pool.name), (pools.CLUSTER, _cluster(making.request)))
        try:
            self._clients.ec2.create_launch_template(
                LaunchTemplateName=making.template,
                LaunchTemplateData=cast("Any", self._requestable(making.data)),
                ClientToken=pools.client_token(making.template),
                TagSpecifications=[
                    {"ResourceType": "launch-template", "Tags": [{"Key": key, "Value": value} for key, value in marks]}
                ],
            )
        except CLOUD_ERRORS as error:
            fault = self._fault(error, making.offer.name, "ec2:CreateLaunchTemplate")
            if fault.code not in _THERE:
                raise ProviderError(fault) from error
            self._same_content(making)

    def _same_content(self, making: Making) -> None:
        doing = "ec2:DescribeLaunchTemplateVersions"
        try:
            answer = self._clients.ec2.describe_launch_template_versions(
                LaunchTemplateName=making.template, Versions=["1"]
            )
        except CLOUD_ERRORS as error:
            raise ProviderError(self._fault(error, making.offer.name, doing)) from error
        found = [template_of(each.get("LaunchTemplateData", {})) for each in answer["LaunchTemplateVersions"]]
        if found != [making.launches]:
            text = f"a launch template {making.template} is there that pool {making.offer.of.pool.name} did not make"
            raise ProviderError(self.refusal(PREFIX + making.offer.name, "NameTaken", text))

    def _delete_template(self, group: str, template: str) -> None:
        """Ours only: its name begins with the group's. One that is left over does no harm, so that failing is no fault."""
        if not template.startswith(f"{group}-"):
            return
        try:
            self._clients.ec2.delete_launch_template(LaunchTemplateName=template)
        except CLOUD_ERRORS:
            return

    def _requestable(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A template's content as Amazon takes it: answers have keys that requests don't know."""
        model = self._clients.ec2.meta.service_model
        return cast("dict[str, Any]", _only(data, model.shape_for("RequestLaunchTemplateData")))

    def _fault(self, error: Exception, name: str, doing: str) -> Fault:
        return fault_of(error, group=PREFIX + name, at_s=self._now_s(), doing=doing)

    def refusal(self, group: str, code: str, text: str) -> Fault:
        """Our own no."""
        return Fault(group=group, kind=FaultKind.OTHER, code=code, message=text, at_s=self._now_s())


def _only(value: Any, shape: Any) -> Any:
    """What of the value the shape has."""
    if shape.type_name == "structure":
        return {key: _only(each, shape.members[key]) for key, each in value.items() if key in shape.members}
    if shape.type_name == "list":
        return [_only(each, shape.member) for each in value]
    return value


def _cluster(request: Mapping[str, Any]) -> str:
    return next(str(each["Value"]) for each in request["Tags"] if each["Key"] == pools.CLUSTER)
