"""Amazon's errors as Faults: one table, code -> kind, and the few places where the code hides in a sentence.

Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/CommonErrors.html.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)
from botocore.parsers import ResponseParserError

from autoscale.model.sentence import one_line
from autoscale.model.supply import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Mapping

# All that a call may raise for what the cloud, the network or the credentials did.
CLOUD_ERRORS = (ClientError, BotoCoreError, ResponseParserError)

_CODES: Mapping[FaultKind, str] = {
    FaultKind.NO_CAPACITY: """
        InsufficientInstanceCapacity InsufficientCapacity InsufficientHostCapacity UnfulfillableCapacity
        InsufficientReservedInstanceCapacity ReservationCapacityExceeded SpotMaxPriceTooLow
        InsufficientFreeAddressesInSubnet InsufficientCapacityOnOutpost""",
    FaultKind.QUOTA: """
        VcpuLimitExceeded InstanceLimitExceeded MaxSpotInstanceCountExceeded MaxSpotFleetRequestCountExceeded LimitExceeded
        VolumeLimitExceeded NetworkInterfaceLimitExceeded AddressLimitExceeded ResourceLimitExceeded""",
    FaultKind.THROTTLED: """
        Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException RequestLimitExceeded
        TooManyRequestsException BandwidthLimitExceeded PriorRequestNotComplete SlowDown EC2ThrottledException
        ResourceContention ScalingActivityInProgress ServiceUnavailable Unavailable""",
    FaultKind.NOT_FOUND: """
        InvalidInstanceID.NotFound InvalidLaunchTemplateId.NotFound InvalidLaunchTemplateName.NotFoundException
        InvalidLaunchTemplateId.VersionNotFound AutoScalingGroupNotFound InvalidLaunchTemplateName.NotFound""",
    FaultKind.DENIED: """
        AccessDenied AccessDeniedException UnauthorizedOperation UnauthorizedAccess AuthFailure Blocked OptInRequired
        InvalidClientTokenId UnrecognizedClientException ExpiredToken ExpiredTokenException RequestExpired
        SignatureDoesNotMatch MissingAuthenticationToken IncompleteSignature NotAuthorized PendingVerification
        NoCredentials NoRegion UnknownRegion InvalidRegionError""",
    FaultKind.BAD_TEMPLATE: """
        InvalidAMIID.NotFound InvalidAMIID.Malformed InvalidAMIID.Unavailable InvalidSubnetID.NotFound InvalidSubnet
        InvalidGroup.NotFound InvalidSecurityGroupID.NotFound InvalidKeyPair.NotFound InvalidParameterValue
        InvalidParameterCombination InvalidParameter MissingParameter Unsupported UnsupportedOperation InvalidBlockDeviceMapping
        InvalidSnapshot.NotFound Client.InternalError Client.InvalidKMSKey.InvalidState InvalidPlacementGroup.Unknown
        InvalidIamInstanceProfile InvalidCapacityReservationId.NotFound""",
    FaultKind.UNKNOWN_TYPE: "InvalidInstanceType InvalidInstanceAttributeValue",
}

KINDS: Mapping[str, FaultKind] = MappingProxyType(
    {code: kind for kind, codes in _CODES.items() for code in codes.split()}
)

# Where Auto Scaling says ValidationError, or only a sentence, the sentence decides: pattern -> code. First match counts.
_SENTENCES = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (r"do not have sufficient .*capacity|no spot capacity available", "InsufficientInstanceCapacity"),
        (r"unable to fulfill capacity", "UnfulfillableCapacity"),
        (r"more vcpu capacity than your current vcpu limit", "VcpuLimitExceeded"),
        (r"max spot instance count exceeded", "MaxSpotInstanceCountExceeded"),
        (r"more instances .* than your current instance limit", "InstanceLimitExceeded"),
        (r"not enough free addresses in subnet|insufficient free addresses", "InsufficientFreeAddressesInSubnet"),
        (r"reservation.* (capacity exceeded|does not have sufficient)", "ReservationCapacityExceeded"),
        (r"spot .*price .*(lower|less) than", "SpotMaxPriceTooLow"),
        (r"not supported in your requested availability zone", "Unsupported"),
        (r"not authorized to perform|unauthorized operation", "UnauthorizedOperation"),
        (r"client error on launch", "Client.InternalError"),
        (r"autoscalinggroup name not found|group .*not found", "AutoScalingGroupNotFound"),
        (r"(image id|ami) .*(does not exist|not found|invalid)", "InvalidAMIID.NotFound"),
        (r"security group .*does not exist", "InvalidGroup.NotFound"),
        (r"key pair .*does not exist", "InvalidKeyPair.NotFound"),
        (r"launch template .*(does not exist|not found|invalid)", "InvalidLaunchTemplateId.NotFound"),
        (r"invalid instance type|instance type .*(does not exist|not valid)", "InvalidInstanceType"),
        (r"already reached the limit for auto scaling groups|limit for auto scaling groups", "LimitExceeded"),
        (r"autoscalinggroup by this name already exists", "AlreadyExists"),
        (r"rate exceeded|request limit exceeded", "Throttling"),
    )
)

_NO_CREDENTIALS = (
    NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError, SSOError, ProfileNotFound,
)  # fmt: skip


def kind_of(code: str) -> FaultKind:
    """What kind of no a code is; OTHER for one that is not in the table."""
    return KINDS.get(code, FaultKind.OTHER)


def code_in(sentence: str) -> str:
    """The code that a sentence stands for, empty when it is not one we know."""
    return next((code for pattern, code in _SENTENCES if pattern.search(sentence)), "")


def fault_of(error: Exception, *, group: str = "", at_s: int, doing: str, writing: bool = False) -> Fault:
    """An exception of CLOUD_ERRORS as data. `doing` is the call, such as `autoscaling:SetDesiredCapacity`."""
    code, sentence = _code_and_sentence(error)
    kind = kind_of(code)
    maybe = writing and kind == FaultKind.OTHER and ambiguous(error)
    return Fault(
        group=group, kind=kind, code=code, message=f"{doing}: {one_line(sentence)}", at_s=at_s, maybe_applied=maybe
    )


def ambiguous(error: Exception) -> bool:
    """Whether the call may have taken effect all the same: no answer, a broken one, or the server's own failure."""
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)) >= 500
    return isinstance(error, (HTTPClientError, ResponseParserError))


def _code_and_sentence(error: Exception) -> tuple[str, str]:
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        code, sentence = answer.get("Code", ""), answer.get("Message", "") or str(error)
        if kind_of(code) == FaultKind.OTHER:
            code = code_in(sentence) or code
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return ("InternalFailure" if status >= 500 and kind_of(code) == FaultKind.OTHER else code), sentence
    if isinstance(error, _NO_CREDENTIALS):
        return "NoCredentials", f"no AWS credentials ({str(error).rstrip('.')})"
    if isinstance(error, NoRegionError):
        return "NoRegion", "no AWS region: set aws.region or AWS_REGION"
    if isinstance(error, (NoConnectionError, HTTPClientError)):
        return "Unreachable", str(error).rstrip(".")
    if isinstance(error, ResponseParserError):
        return "InternalFailure", "the answer can't be parsed"
    return type(error).__name__, str(error).rstrip(".")
