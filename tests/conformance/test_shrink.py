"""How a disagreement is made small, without a cluster."""

from collections.abc import Sequence

from .compare import difference
from .engine import opinion
from .generate import Case, cases
from .judge import Verdict, place
from .shrink import shrink


class Contrary:
    """A scheduler that is of our opinion, except where a node has a taint: there it says the opposite."""

    def verdicts(self, cases: Sequence[Case]) -> list[Verdict]:
        """One for each case, in their order."""
        return [self._verdict(case) for case in cases]

    def _verdict(self, case: Case) -> Verdict:
        node, running, pod = place(case, "x")
        ours = opinion(node, running, pod)
        told = ", ".join(f"1 Insufficient {name}" for name in ours.lacking)
        binds = ours.fits != bool(node["spec"].get("taints"))
        return Verdict(case, binds, f"available: {told}. ", node=node, running=running, pod=pod, written=pod)


def test_what_does_not_matter_is_taken_away() -> None:
    """Of a cluster's disagreement the one taint that makes it remains, and nothing else that a user may leave out."""
    contrary = Contrary()
    verdicts = contrary.verdicts(list(cases(3, 120)))
    found = next(verdict for verdict in verdicts if "engine says it fits" in difference(verdict) and verdict.running)
    small = shrink(contrary, found)
    assert "engine says it fits" in difference(small)
    assert len(small.case.node["spec"].pop("taints")) == 1
    assert small.case.running == ()
    assert small.case.node["spec"] == {}
    assert small.case.node["metadata"]["labels"] == {}
    assert set(small.case.pod["spec"]) <= {"containers", "tolerations"}
