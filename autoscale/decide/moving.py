"""What moving a pod costs: work lost, time until it works again, and what its disruption is worth avoiding."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from autoscale.model.names import CHECKPOINTED_AT, START_UP

if TYPE_CHECKING:
    from autoscale.model.resources import Resources
    from autoscale.model.settings import Consolidation
    from autoscale.model.supply import NodeGroup
    from autoscale.model.workload import Pod

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_HOUR_S = 3600
_PPM = 1_000_000
_LEAST_PPM, _MOST_PPM = _PPM // 10, 10 * _PPM
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def moving_microusd(pod: Pod, group: NodeGroup, settings: Consolidation, now_s: int) -> int:
    """What it costs once: the pod's share of its node for as long as it does nothing new, and its disruption.

    The share is that of the devices it has, else the larger one of cpu and memory.
    """
    requests, room = pod.shape.requests, group.allocatable
    share = _share_ppm(requests, room, group.devices) or _share_ppm(requests, room, ("cpu", "memory"))
    idle_s = _starts_s(pod, settings) + lost_s(pod, settings, now_s)
    worked = group.offering.price_microusd_per_hour * idle_s * share // (_HOUR_S * _PPM)
    return worked + settings.pod_microusd * score_ppm(pod) // _PPM


def lost_s(pod: Pod, settings: Consolidation, now_s: int) -> int:
    """Seconds of work that are done again: since the last checkpoint, or since a job's pod began, as far as they count."""
    said = _time(pod.annotations.get(CHECKPOINTED_AT, ""))
    if said is None and not pod.owner.partition("/")[0].endswith("Job"):
        return 0
    since_s = max(said or 0, pod.started_at_s or pod.created_at_s)
    return max(0, min(settings.most_lost_s, now_s - since_s))


def score_ppm(pod: Pod) -> int:
    """How much its disruption counts, as Karpenter scores it: by `pod-deletion-cost` and priority; a tenth to ten times."""
    text = pod.annotations.get(DELETION_COST, "")
    cost = int(text) if re.fullmatch(r"[+-]?\d{1,10}", text) else 0
    score = _PPM + cost * _PPM // 2**27 + pod.shape.priority * _PPM // 2**25
    return max(_LEAST_PPM, min(_MOST_PPM, score))


def _starts_s(pod: Pod, settings: Consolidation) -> int:
    match = _DURATION.fullmatch(pod.annotations.get(START_UP, ""))
    if match is None or not any(match.groups()):
        return settings.pod_start_s
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * _HOUR_S + minutes * 60 + seconds


def _time(text: str) -> int | None:
    try:
        return int(datetime.fromisoformat(text).timestamp()) if text else None
    except ValueError:
        return None


def _share_ppm(requests: Resources, room: Resources, names: tuple[str, ...]) -> int:
    return max((requests[name] * _PPM // room[name] for name in names if room[name]), default=0)
