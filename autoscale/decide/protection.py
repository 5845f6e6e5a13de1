"""Which pods are not to be moved: by what they say of themselves, and by what would be lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from autoscale.model.names import CHECKPOINTS
from autoscale.model.workload import Code, Reason

if TYPE_CHECKING:
    from autoscale.model.workload import Pod

SOURCE = "protection"
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SAFE_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def protected(pod: Pod, now_s: int) -> Reason | None:
    """Why the pod is not moved; None when it may be.

    What Cluster Autoscaler's and Karpenter's annotations say comes first; `safe-to-evict: "true"` answers for all the rest.
    """
    safe = pod.annotations.get(SAFE_TO_EVICT, "")
    if safe and safe != "true":  # "false" and "on-completion"
        return _because(pod, f'it is annotated {SAFE_TO_EVICT}: "{safe}"')
    kept = pod.annotations.get(DO_NOT_DISRUPT, "")
    if kept and not _over(kept, pod, now_s):
        return _because(pod, f'it is annotated {DO_NOT_DISRUPT}: "{kept}"')
    if safe == "true":
        return None
    if not pod.owner:
        return _because(pod, "no controller would make it anew")
    kind = pod.owner.partition("/")[0]
    if kind.endswith("Job") and pod.annotations.get(CHECKPOINTS) != "true":
        return _because(pod, f"it is a {kind}'s, which would begin again", f'annotate it {CHECKPOINTS}: "true" if not')
    losable = pod.annotations.get(SAFE_VOLUMES, "").replace(" ", "").split(",")
    lost = [name for name in pod.local_volumes if name not in losable]
    if lost:
        return _because(pod, f"its volume {lost[0]} is on the node's disk", f'annotate it {SAFE_VOLUMES}: "{lost[0]}"')
    return None


def _because(pod: Pod, text: str, hint: str = "") -> Reason:
    return Reason(Code.PROTECTED, f"{pod.ref}: {text}", SOURCE, hint)


def _over(value: str, pod: Pod, now_s: int) -> bool:
    """Whether a pod that is not to be disrupted for so long has had that time; what can't be read protects it."""
    if value == "false":
        return True
    match = _DURATION.fullmatch(value)
    if match is None or not any(match.groups()):
        return False
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return now_s - (pod.started_at_s or pod.created_at_s) >= hours * 3600 + minutes * 60 + seconds
