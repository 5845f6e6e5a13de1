"""Nodes that go before they are empty: who says so, and how it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscale.model.workload import Code

if TYPE_CHECKING:
    from autoscale.model.workload import Reason

SAVES_MONEY = frozenset({Code.IDLE, Code.DRIFTED, Code.EXPIRED, Code.UNDERUTILIZED})
"""Reasons that can wait: what must not be moved is waited for before anything begins."""

PRECEDENCE = (
    Code.INTERRUPTED, Code.ENDING, Code.REBALANCE, Code.UNHEALTHY, Code.EXPIRED, Code.DRIFTED, Code.IDLE,
    Code.UNDERUTILIZED,
)  # fmt: skip
"""Which reason counts when there are several, the most pressing first."""


@dataclass(frozen=True, slots=True)
class Going:
    """A node that goes: `node` is its name.

    `urgent`: its machine ends whatever we do, so everything on it is evicted at once, and its replacement started at the
    same time. Else pods are evicted once they have another place, and those that must not be moved are waited for.
    `end_s`: when it is removed even if pods are still on it; 0: never. `keep_until_s`: it is kept, closed, until then.
    """

    node: str
    reason: Reason
    urgent: bool = False
    end_s: int = 0
    keep_until_s: int = 0

    @property
    def rank(self) -> int:
        """The less, the more pressing."""
        code = self.reason.code
        return PRECEDENCE.index(code) if code in PRECEDENCE else len(PRECEDENCE)

    @property
    def voluntary(self) -> bool:
        """Whether nothing is lost when it stays."""
        return self.reason.code in SAVES_MONEY
