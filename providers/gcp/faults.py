"""Google's errors as Faults: one table, code -> kind. Codes come from three places, which spell them differently:

- the API's own refusals, a `reason` such as `rateLimitExceeded` (https://cloud.google.com/compute/docs/troubleshooting);
- operations that failed, and managed instances that could not be created, a `code` such as `ZONE_RESOURCE_POOL_EXHAUSTED`.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from requests.exceptions import ConnectionError as NoConnectionError
from requests.exceptions import RequestException

from autoscale.model.sentence import one_line
from autoscale.model.supply import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Mapping

# All that a call may raise for what the cloud, the network or the credentials did.
CLOUD_ERRORS = (GoogleAPICallError, RetryError, GoogleAuthError, RequestException)

_CODES: Mapping[FaultKind, str] = {
    FaultKind.NO_CAPACITY: """
        ZONE_RESOURCE_POOL_EXHAUSTED ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS RESOURCE_POOL_EXHAUSTED
        REGION_RESOURCE_POOL_EXHAUSTED INSUFFICIENT_CAPACITY STOCKOUT IP_SPACE_EXHAUSTED IP_SPACE_EXHAUSTED_WITH_DETAILS
        RESERVATION_CAPACITY_EXCEEDED AUTOMATIC_RESERVATIONS_NO_CAPACITY""",
    FaultKind.QUOTA: "QUOTA_EXCEEDED quotaExceeded LIMIT_EXCEEDED limitExceeded",
    FaultKind.THROTTLED: """
        rateLimitExceeded userRateLimitExceeded RATE_LIMIT_EXCEEDED concurrentLimitExceeded resourceNotReady
        RESOURCE_NOT_READY RESOURCE_OPERATION_RATE_EXCEEDED operationInProgress""",
    FaultKind.NOT_FOUND: "notFound RESOURCE_NOT_FOUND",
    FaultKind.DENIED: """
        forbidden insufficientPermissions required authError accessNotConfigured PERMISSIONS_ERROR NoCredentials
        accountDisabled billingNotEnabled""",
    FaultKind.BAD_TEMPLATE: """
        CONDITION_NOT_MET INVALID_USAGE INVALID_FIELD_VALUE UNSUPPORTED_OPERATION invalid INVALID_RESERVATION
        RESERVATION_NOT_FOUND RESERVATION_NOT_READY RESERVATION_INCOMPATIBLE AUTOMATIC_RESERVATIONS_NOT_AVAILABLE
        IMAGE_NOT_FOUND""",
    FaultKind.UNKNOWN_TYPE: "MACHINE_TYPE_NOT_FOUND ACCELERATOR_TYPE_NOT_FOUND",
}

KINDS: Mapping[str, FaultKind] = MappingProxyType(
    {code: kind for kind, codes in _CODES.items() for code in codes.split()}
)

# Codes that come with endings of their own, such as `PERMISSIONS_ERROR_SERVICE_ACCOUNT`. First match counts.
_LIKE = (
    ("RESOURCE_POOL_EXHAUSTED", FaultKind.NO_CAPACITY),
    ("IP_SPACE_EXHAUSTED", FaultKind.NO_CAPACITY),
    ("QUOTA", FaultKind.QUOTA),
    ("PERMISSIONS_ERROR", FaultKind.DENIED),
    ("RATE_EXCEEDED", FaultKind.THROTTLED),
)

# Where the code says little the sentence decides: pattern -> code. First match counts.
_SENTENCES = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (r"does not have enough resources available|resource pool exhausted", "ZONE_RESOURCE_POOL_EXHAUSTED"),
        (r"quota '?[\w-]*'? ?exceeded|exceeded .*quota", "QUOTA_EXCEEDED"),
        (r"ip space .*exhausted", "IP_SPACE_EXHAUSTED"),
        (r"specified reservation .*(does not exist|not found|was not found)", "RESERVATION_NOT_FOUND"),
        (r"reservation .*(insufficient|exceed|no .*capacity)", "RESERVATION_CAPACITY_EXCEEDED"),
        (r"machine type .*(does not exist|not found|invalid)", "MACHINE_TYPE_NOT_FOUND"),
        (r"accelerator type .*(does not exist|not found|invalid)", "ACCELERATOR_TYPE_NOT_FOUND"),
        (r"resource '.*images/.*' was not found", "IMAGE_NOT_FOUND"),
        (r"required '.*' permission", "forbidden"),
    )
)

_BY_STATUS = {
    401: ("authError", FaultKind.DENIED),
    403: ("forbidden", FaultKind.DENIED),
    404: ("notFound", FaultKind.NOT_FOUND),
    429: ("rateLimitExceeded", FaultKind.THROTTLED),
}


def kind_of(code: str) -> FaultKind:
    """What kind of no a code is; OTHER for one that is not in the table."""
    if code in KINDS:
        return KINDS[code]
    return next((kind for part, kind in _LIKE if part in code), FaultKind.OTHER)


def told(code: str, sentence: str) -> tuple[str, FaultKind]:
    """The code and kind of an operation's or instance's error; the sentence helps where the code says little."""
    if (kind := kind_of(code)) not in (FaultKind.OTHER, FaultKind.BAD_TEMPLATE):
        return code, kind
    better = next((found for pattern, found in _SENTENCES if pattern.search(sentence)), "")
    return (better, kind_of(better)) if better else (code, kind)


def fault_of(error: Exception, *, group: str = "", at_s: int, doing: str, writing: bool = False) -> Fault:
    """An exception of CLOUD_ERRORS as data. `doing` is the permission needed, such as `compute.instances.list`."""
    code, kind, sentence = _told(error)
    message = f"{doing}: {sentence}"
    maybe = writing and kind == FaultKind.OTHER and ambiguous(error)
    return Fault(group=group, kind=kind, code=code, message=message, at_s=at_s, maybe_applied=maybe)


def ambiguous(error: Exception) -> bool:
    """Whether the call may have taken effect all the same: no answer, a broken one, or the server's own failure."""
    if isinstance(error, GoogleAPICallError):
        return (error.code or 500) >= 500
    return isinstance(error, RequestException)


def passing(error: Exception) -> bool:
    """Whether asking again may help: the server's own failure, throttling, no answer."""
    if isinstance(error, GoogleAPICallError):
        return (error.code or 500) >= 500 or error.code == 429
    return isinstance(error, RequestException)


def _told(error: Exception) -> tuple[str, FaultKind, str]:
    if isinstance(error, GoogleAPICallError):
        status = int(error.code or 500)
        reasons = [each.get("reason", "") for each in error.errors or () if isinstance(each, dict)]
        sentence = _sentence(error)
        code, kind = told(reasons[0] if reasons else "", sentence)
        if kind == FaultKind.OTHER and status in _BY_STATUS:
            code, kind = code or _BY_STATUS[status][0], _BY_STATUS[status][1]
        if kind == FaultKind.OTHER and status >= 500:
            code = "InternalFailure"
        return code or str(status), kind, sentence
    if isinstance(error, (DefaultCredentialsError, RefreshError)):
        return "NoCredentials", FaultKind.DENIED, f"no Google credentials ({one_line(str(error))})"
    if isinstance(error, GoogleAuthError):
        return "NoCredentials", FaultKind.DENIED, f"Google credentials can't be used ({one_line(str(error))})"
    if isinstance(error, NoConnectionError):
        return "Unreachable", FaultKind.OTHER, "could not connect to the endpoint"
    if isinstance(error, RequestException):
        return "Unreachable", FaultKind.OTHER, "no answer"
    return type(error).__name__, FaultKind.OTHER, one_line(str(error))


def _sentence(error: GoogleAPICallError) -> str:
    """What Google wrote, without the method and address that the library puts before it."""
    details = [each.get("message", "") for each in error.errors or () if isinstance(each, dict)]
    text = details[0] if details and details[0] else str(error.message or "no reason given")
    return one_line(text)
