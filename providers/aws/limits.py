"""How many auto scaling groups the account may have: once it has them all, pools offer none that would have to be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.aws.faults import CLOUD_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.aws.clients import Clients

_AGAIN_S = 900


class AccountLimits:
    """Read now and then. Without the right nothing is known, and Amazon says no when a group is made."""

    def __init__(self, clients: Clients, *, now_s: Callable[[], int]) -> None:
        self._clients = clients
        self._now_s = now_s
        self._read_at_s: int | None = None
        self._full = ""

    def full(self) -> str:
        """Why no group can be made; empty when one can, as far as is known."""
        if self._read_at_s is None or self._now_s() - self._read_at_s >= _AGAIN_S:
            self._read_at_s, self._full = self._now_s(), self._read()
        return self._full

    def refused(self, sentence: str) -> None:
        """Amazon would make no more groups: so it is until the limits are read again."""
        self._read_at_s, self._full = self._now_s(), sentence

    def _read(self) -> str:
        try:
            told = self._clients.autoscaling.describe_account_limits()
        except CLOUD_ERRORS:
            return ""
        most, there = told.get("MaxNumberOfAutoScalingGroups"), told.get("NumberOfAutoScalingGroups")
        if most is None or there is None or there < most:
            return ""
        return f"the account has {there} of {most} auto scaling groups"
