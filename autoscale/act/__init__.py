"""The edge that writes: `act` carries a plan out and returns receipts, `remember` makes the next ledger of them.

Every call here may fail, or be the last before a crash; the order of calls is what makes that harmless (ARCHITECTURE.md).
"""

from autoscale.act.actuator import act
from autoscale.act.ledger import remember, without_times

__all__ = ["act", "remember", "without_times"]
