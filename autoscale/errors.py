"""Every error this project raises on purpose.

AutoscaleError
├── BadInput          what a person gave us is wrong: one sentence, exit status 2, nothing changed
├── StalePlan         a saved plan no longer fits the world: one sentence, exit status 2, nothing changed
├── ClusterError      the API server refused or could not be reached
│   ├── Conflict      somebody changed the object first, or it exists already (409, 422)
│   ├── NotFound      the object is gone (404)
│   ├── Disallowed    the eviction would break a PodDisruptionBudget (429)
│   └── Unreachable   no answer, or no credentials
└── ProviderError     a cloud call failed; carries the Fault that the next tick reads
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscale.model.supply import Fault


class AutoscaleError(Exception):
    """Root of the tree."""


class BadInput(AutoscaleError):  # noqa: N818 - the name says what it is
    """Wrong input from a person.

    `where` names a file, line or key; `expected` and `found` say the difference. The text is one sentence.
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", found: str = "") -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        parts = [f"{where}: {what}" if where else what]
        if expected:
            parts.append(f"expected {expected}")
        if found:
            parts.append(f"found {found}")
        super().__init__(", ".join(parts))


class StalePlan(AutoscaleError):  # noqa: N818 - the name says what it is
    """A saved plan rests on a cluster or cloud that has moved on."""


class ClusterError(AutoscaleError):
    """The API server refused, or could not be reached."""


class Conflict(ClusterError):  # noqa: N818 - the HTTP status's own name
    """Somebody changed the object first."""


class NotFound(ClusterError):  # noqa: N818 - the HTTP status's own name
    """The object is gone."""


class Disallowed(ClusterError):  # noqa: N818 - what the budget does
    """The eviction would break a PodDisruptionBudget, which the text names."""


class Unreachable(ClusterError):  # noqa: N818 - the name says what it is
    """No answer from the API server, or no way to sign in to it."""


class ProviderError(AutoscaleError):
    """A cloud call failed; `fault` says what kind of failure the next tick should know about."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(f"{fault.group}: {fault.message}")
