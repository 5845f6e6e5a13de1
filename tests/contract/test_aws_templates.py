"""Launch templates: many are read in pages, and no look makes more calls than a few for each hundred groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoscale.model.supply import FaultKind

from .wire import Rule

if TYPE_CHECKING:
    from .cloud_aws import AwsCloud

READ = "ec2:DescribeLaunchTemplateVersions"


def many(aws: AwsCloud, count: int, version: str, *, versions: int = 1, default: int = 1) -> None:
    """So many groups, each with a launch template of its own; the types take turns."""
    for n in range(count):
        name = f"lt-{n:04}"
        aws.template(name, "g5.xlarge")
        for _ in range(versions - 1):
            data: dict[str, Any] = {"InstanceType": "g5.2xlarge"}
            aws._ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData=data)
        if default != 1:
            aws._ec2.modify_launch_template(LaunchTemplateName=name, DefaultVersion=str(default))
        aws.create(f"gpu-{n:04}", LaunchTemplate={"LaunchTemplateName": name, "Version": version})
    aws.wire.actions.clear()


def types(aws: AwsCloud) -> set[str]:
    """Instance types of all groups of a view without faults."""
    view = aws.provider.observe()
    assert (view.faults, view.skipped) == ((), ())
    return {group.offering.instance_type for group in view.groups}


def test_a_hundred_groups_with_a_template_each_are_read_in_few_calls(aws: AwsCloud) -> None:
    """Two pages of templates and two of groups; no template is read again in the next look."""
    many(aws, 110, "$Latest")
    view = aws.provider.observe()
    assert (len(view.groups), view.faults, view.skipped) == (110, (), ())
    assert aws.wire.actions.count(READ) == 2  # moto tells newest and default twice over where they are the same
    assert len(aws.wire.actions) <= 12
    aws.wire.actions.clear()
    assert len(aws.provider.observe().groups) == 110
    assert READ not in aws.wire.actions


def test_newest_default_and_numbered_versions_are_told_apart(aws: AwsCloud) -> None:
    """Version 1 is another type than 2 and 3; 2 is the default."""
    many(aws, 20, "1", versions=3, default=1)
    assert (types(aws), aws.wire.actions.count(READ)) == ({"g5.xlarge"}, 1)


def test_the_newest_version_is_not_the_default_one(aws: AwsCloud) -> None:
    """Both come in pages."""
    many(aws, 20, "$Latest", versions=2)
    assert (types(aws), aws.wire.actions.count(READ)) == ({"g5.2xlarge"}, 1)


def test_versions_that_no_page_has_are_asked_for_a_few_at_a_time(aws: AwsCloud) -> None:
    """Forty groups on a version in between: sixteen now, and a fault that says that others are missing."""
    many(aws, 40, "2", versions=3)
    found = []
    for _ in range(3):
        aws.wire.actions.clear()
        view = aws.provider.observe()
        found.append((len(view.groups), aws.wire.actions.count(READ), [(each.kind, each.code) for each in view.faults]))
    missing = [(FaultKind.THROTTLED, "NotYet")]
    assert found == [(16, 17, missing), (32, 17, missing), (40, 8, [])]


def test_pages_that_cannot_be_read_are_done_without(aws: AwsCloud) -> None:
    """One by one, then."""
    many(aws, 20, "$Default")
    aws.wire.rules.append(Rule("DescribeLaunchTemplateVersions", times=3, error=(500, "InternalError", "no")))
    assert len(aws.provider.observe().groups) == 16
    assert len(aws.provider.observe().groups) == 20
