from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from autoscale.model.supply import CapacityType, Fault, FaultKind, Offering
from providers.aws.activities import faults_of
from providers.aws.faults import KINDS, ambiguous, fault_of

OFFERING = Offering("g4dn.8xlarge", "", CapacityType.ON_DEMAND, 2_176_000)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AT_S = int(AT.timestamp())


def client_error(code: str, message: str, status: int = 400) -> ClientError:
    """As botocore raises it."""
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "SetDesiredCapacity")


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (client_error("Throttling", "Rate exceeded"), FaultKind.THROTTLED, "Throttling"),
        (client_error("AccessDenied", "no"), FaultKind.DENIED, "AccessDenied"),
        (client_error("ExpiredToken", "old"), FaultKind.DENIED, "ExpiredToken"),
        (client_error("ScalingActivityInProgress", "busy"), FaultKind.THROTTLED, "ScalingActivityInProgress"),
        (client_error("VcpuLimitExceeded", "full"), FaultKind.QUOTA, "VcpuLimitExceeded"),
        (
            client_error("ValidationError", "AutoScalingGroup name not found - gpu"),
            FaultKind.NOT_FOUND,
            "AutoScalingGroupNotFound",
        ),
        (client_error("ValidationError", "something else"), FaultKind.OTHER, "ValidationError"),
        (client_error("500", "Internal Server Error", 500), FaultKind.OTHER, "InternalFailure"),
        (ResponseParserError("<html>"), FaultKind.OTHER, "InternalFailure"),
        (NoCredentialsError(), FaultKind.DENIED, "NoCredentials"),
        (NoRegionError(), FaultKind.DENIED, "NoRegion"),
        (EndpointConnectionError(endpoint_url="http://x"), FaultKind.OTHER, "Unreachable"),
        (ReadTimeoutError(endpoint_url="http://x"), FaultKind.OTHER, "Unreachable"),
    ],
)
def test_an_error_becomes_a_fault_of_its_kind(error: Exception, kind: FaultKind, code: str) -> None:
    """The table decides, and the sentence where the code says nothing."""
    fault = fault_of(error, group="aws:gpu", at_s=7, doing="autoscaling:SetDesiredCapacity")
    assert (fault.kind, fault.code, fault.group, fault.at_s) == (kind, code, "aws:gpu", 7)
    assert fault.message.startswith("autoscaling:SetDesiredCapacity: ")


def test_a_page_of_html_is_told_by_its_title() -> None:
    """As a proxy on the way answers it."""
    page = "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>...</body></html>"
    fault = fault_of(client_error("503", page, 503), at_s=7, doing="ec2:DescribeInstances")
    assert (fault.code, fault.message) == (
        "InternalFailure",
        "ec2:DescribeInstances: 503 Service Temporarily Unavailable",
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error("Throttling", "Rate exceeded"), False),
        (client_error("InternalFailure", "oops", 500), True),
        (ReadTimeoutError(endpoint_url="http://x"), True),
        (ConnectionClosedError(endpoint_url="http://x"), True),
        (EndpointConnectionError(endpoint_url="http://x"), False),
        (NoCredentialsError(), False),
    ],
)
def test_only_a_call_that_may_have_been_heard_is_ambiguous(error: BotoCoreError | ClientError, expected: bool) -> None:  # noqa: FBT001 - a table
    """A clear no, or a call that never left, has had no effect."""
    assert ambiguous(error) is expected


def test_no_code_is_of_two_kinds() -> None:
    """The table is a function: what a later kind repeats would silently win."""
    from providers.aws.faults import _CODES

    assert len(KINDS) == sum(len(codes.split()) for codes in _CODES.values())


def activity(message: str, **more: Any) -> Any:
    """A failed launch as DescribeScalingActivities tells it."""
    return {
        "ActivityId": "ee05cf07",
        "AutoScalingGroupName": "gpu",
        "Cause": "an instance was started in response to a difference between desired and actual capacity",
        "Description": f"Launching a new EC2 instance.  Status Reason: {message}",
        "StartTime": AT,
        "EndTime": AT,
        "StatusCode": "Failed",
        "StatusMessage": message,
        "Progress": 100,
        "Details": '{"Subnet ID":"subnet-085761edd247da7b9","Availability Zone":"us-east-1c"}',
    } | more


@pytest.mark.parametrize(
    ("message", "kind", "code", "offering"),
    [
        (
            (
                "We currently do not have sufficient p4d.24xlarge capacity in the Availability Zone you requested "
                "(us-east-1a). Our system will be working on provisioning additional capacity. You can currently get "
                "p4d.24xlarge capacity by not specifying an Availability Zone in your request or choosing us-east-1b, "
                "us-east-1d. Launching EC2 instance failed."
            ),
            FaultKind.NO_CAPACITY,
            "InsufficientInstanceCapacity",
            "p4d.24xlarge/us-east-1c/on-demand",
        ),
        (
            (
                "Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity available that "
                "matches your request. Launching EC2 instance failed."
            ),
            FaultKind.NO_CAPACITY,
            "InsufficientInstanceCapacity",
            "g4dn.8xlarge/us-east-1c/on-demand",
        ),
        (
            (
                "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request "
                "configuration. Please adjust your request and try again. Launching EC2 instance failed."
            ),
            FaultKind.NO_CAPACITY,
            "UnfulfillableCapacity",
            "g4dn.8xlarge/us-east-1c/on-demand",
        ),
        (
            (
                "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket "
                "that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to "
                "request an adjustment to this limit. Launching EC2 instance failed."
            ),
            FaultKind.QUOTA,
            "VcpuLimitExceeded",
            "g4dn.8xlarge/us-east-1c/on-demand",
        ),
        (
            (
                "You have requested more instances (7) than your current instance limit of 6 allows for the specified "
                "instance type. Launching EC2 instance failed."
            ),
            FaultKind.QUOTA,
            "InstanceLimitExceeded",
            "g4dn.8xlarge/us-east-1c/on-demand",
        ),
        (
            "Max spot instance count exceeded. Launching EC2 instance failed.",
            FaultKind.QUOTA,
            "MaxSpotInstanceCountExceeded",
            "g4dn.8xlarge/us-east-1c/on-demand",
        ),
        (
            (
                "Your requested instance type (p5.48xlarge) is not supported in your requested Availability Zone "
                "(us-east-1e). Please retry your request. Launching EC2 instance failed."
            ),
            FaultKind.BAD_TEMPLATE,
            "Unsupported",
            "p5.48xlarge/us-east-1c/on-demand",
        ),
        (
            (
                "You are not authorized to perform this operation. (Service: AmazonEC2; Status Code: 403; Error Code: "
                "UnauthorizedOperation; Request ID: x). Launching EC2 instance failed."
            ),
            FaultKind.DENIED,
            "UnauthorizedOperation",
            "g4dn.8xlarge/us-east-1c/on-demand",
        ),
        (
            "Client.InternalError: Client error on launch. Launching EC2 instance failed.",
            FaultKind.BAD_TEMPLATE,
            "Client.InternalError",
            "g4dn.8xlarge/us-east-1c/on-demand",
        ),
        ("Something new.", FaultKind.OTHER, "Failed", "g4dn.8xlarge/us-east-1c/on-demand"),
    ],
)
def test_a_failed_launch_is_read_from_its_sentence(message: str, kind: FaultKind, code: str, offering: str) -> None:
    """Kind, code, type and zone, as far as Amazon tells them."""
    assert faults_of([activity(message)], group="aws:gpu", offering=OFFERING, since_s=0) == (
        Fault(
            "aws:gpu", kind, code, message.removesuffix(" Launching EC2 instance failed.").rstrip("."), AT_S, offering
        ),
    )


def test_a_zone_that_only_the_sentence_tells_is_found_there() -> None:
    """Details may be missing or no JSON."""
    message = "We currently do not have sufficient g4dn.8xlarge capacity in the Availability Zone (us-east-1a)."
    for details in ("", "no json", "[]"):
        (fault,) = faults_of([activity(message, Details=details)], group="g", offering=OFFERING, since_s=0)
        assert fault.offering == "g4dn.8xlarge/us-east-1a/on-demand"


def test_only_failed_launches_since_then_count_and_each_once() -> None:
    """Successes, terminations, old news and repetitions are no faults."""
    full = "Max spot instance count exceeded."
    later = datetime(2026, 1, 2, 3, 5, tzinfo=UTC)
    found = faults_of(
        [
            activity(full),
            activity(full, StartTime=later, EndTime=later),
            activity(full, StatusCode="Successful"),
            activity(full, StatusCode="InProgress"),
            activity(full, Description="Terminating EC2 instance: i-1"),
            activity("old.", StartTime=datetime(2020, 1, 1, tzinfo=UTC), EndTime=datetime(2020, 1, 1, tzinfo=UTC)),
        ],
        group="aws:gpu",
        offering=OFFERING,
        since_s=AT_S,
    )
    assert [(fault.code, fault.at_s) for fault in found] == [("MaxSpotInstanceCountExceeded", int(later.timestamp()))]
