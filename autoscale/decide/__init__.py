"""The decision: `decide(snapshot, policies, solver, settings) -> Plan`, a function of its arguments and nothing else.

`fleet` indexes the snapshot, `reservations` says where every slot stands and what is to be done about it (the protocol
of ARCHITECTURE.md), `build` makes the solver's question, `placing` turns the answer into pods on nodes, `replan` lets
new pods and those whose nodes have not joined share what was bought, `scale_up` and `scale_down` make actions of it,
`explain` says why. No clock, no log, no environment may be read here.
"""

from autoscale.decide.decision import decide
from autoscale.decide.identity import fingerprint

__all__ = ["decide", "fingerprint"]
