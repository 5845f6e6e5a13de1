"""The decision: `decide(snapshot, policies, solver, settings) -> Plan`, a function of its arguments and nothing else.

`fleet` indexes the snapshot, `reservations` says where every slot stands and what is to be done about it (the protocol
of ARCHITECTURE.md), `build` makes the solver's question, `placing` turns the answer into pods on nodes, `replan` lets
new pods and those whose nodes have not joined share what was bought, `scale_up` and `scale_down` make actions of it,
`explain` says why.

`explain_pod`, `explain_owner`, `explain_node`, `explain_plan` and `weigh` answer a person's questions: they make the
decision again with something changed (`what_if`), so that what they say is known and not guessed.

No clock, no log, no environment may be read here.
"""

from autoscale.decide.decision import decide
from autoscale.decide.identity import fingerprint

__all__ = ["decide", "fingerprint"]
