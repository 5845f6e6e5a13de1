"""Which pods are not moved, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from autoscale.decide.protection import protected
from tests.builders import NOW, pod

CA = "cluster-autoscaler.kubernetes.io/safe-to-evict"
KEEP = "karpenter.sh/do-not-disrupt"
OWNER = "ReplicaSet/web"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"owner": OWNER}, None),
        ({}, "no controller would make it anew"),
        ({"annotations": {CA: "true"}}, None),
        ({"owner": OWNER, "annotations": {CA: "false"}}, f'it is annotated {CA}: "false"'),
        ({"owner": OWNER, "annotations": {CA: "on-completion"}}, f'it is annotated {CA}: "on-completion"'),
        ({"owner": OWNER, "annotations": {KEEP: "true"}}, f'it is annotated {KEEP}: "true"'),
        ({"owner": OWNER, "annotations": {KEEP: "true", CA: "true"}}, f'it is annotated {KEEP}: "true"'),
        ({"owner": OWNER, "annotations": {KEEP: "false"}}, None),
        ({"owner": OWNER, "annotations": {KEEP: "31m"}}, f'it is annotated {KEEP}: "31m"'),
        ({"owner": OWNER, "annotations": {KEEP: "30m"}}, None),
        ({"owner": OWNER, "annotations": {KEEP: "1h"}}, f'it is annotated {KEEP}: "1h"'),
        ({"owner": OWNER, "annotations": {KEEP: "soon"}}, f'it is annotated {KEEP}: "soon"'),
        ({"owner": "Job/train"}, "it is a Job's, which would begin again"),
        ({"owner": "PyTorchJob/train"}, "it is a PyTorchJob's, which would begin again"),
        ({"owner": "Job/train", "annotations": {"gpu-autoscale.dev/checkpoints": "true"}}, None),
        ({"owner": OWNER, "local_volumes": ("scratch",)}, "its volume scratch is on the node's disk"),
        (
            {"owner": OWNER, "local_volumes": ("scratch", "cache"), "annotations": {f"{CA}-local-volumes": "scratch, tmp"}},
            "its volume cache is on the node's disk",
        ),
        (
            {"owner": OWNER, "local_volumes": ("scratch",), "annotations": {f"{CA}-local-volumes": "scratch"}},
            None,
        ),
    ],
)  # fmt: skip
def test_what_protects_a_pod(more: dict[str, Any], why: str | None) -> None:
    """A pod that is half an hour old; what can't be read protects it."""
    found = protected(pod("p", created_at_s=NOW - 1800, **more), NOW)
    assert (found.text if found else None) == (f"default/p: {why}" if why else None)
