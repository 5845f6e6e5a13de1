"""What a kubeconfig calls its cluster. Read without the `kubernetes` package, which is slow to import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

UNKNOWN = "cluster"


def cluster_name(kubeconfig: str | None, context: str | None) -> str:
    """The name of the context's cluster, `cluster` when there is none. Trouble is told by whoever connects.

    EKS writes an ARN, `arn:aws:eks:REGION:ACCOUNT:cluster/NAME`, and eksctl `NAME.REGION.eksctl.io`: both mean NAME.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    documents = [_read(Path(part).expanduser()) for part in named.split(os.pathsep) if part]
    wanted = context or next((d["current-context"] for d in documents if d.get("current-context")), "")
    for document in documents:
        for entry in _list(document.get("contexts")):
            if isinstance(entry, dict) and entry.get("name") == wanted:
                inner = entry.get("context")
                full = str(inner.get("cluster") or "") if isinstance(inner, dict) else ""
                return full.rpartition("/")[2].partition(".")[0] or UNKNOWN
    return UNKNOWN


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
