"""From a Problem to a Solution: the cheapest nodes for the pods, with a proof.

What lives here: `solve`, `verify`, `reoptimise` and `reverify` for a fleet that is there, the exact reductions, the compiled kernel (`kernel/`), and greedy yardsticks. This
is the only package that imports OR-Tools. Nothing here knows Kubernetes, clouds, or the clock on the wall.
"""

from autoscale.solve.engine import solve
from autoscale.solve.greedy import largest_node_first, one_node_per_pod
from autoscale.solve.native import Cancel
from autoscale.solve.reoptimise import reoptimise
from autoscale.solve.reverify import reverify
from autoscale.solve.verify import verify

__all__ = ["Cancel", "largest_node_first", "one_node_per_pod", "reoptimise", "reverify", "solve", "verify"]
