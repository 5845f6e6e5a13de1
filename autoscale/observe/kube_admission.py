"""What decides in a namespace whether pods come to be, read from the API server when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from autoscale.errors import ClusterError, NotFound
from autoscale.observe.admission import FAILED_CREATE, Collector

if TYPE_CHECKING:
    from autoscale.model.admission import Admission
    from autoscale.observe.kube_http import Http

_PLACES: tuple[tuple[str, str, dict[str, str | int]], ...] = (
    ("Deployment", "/apis/apps/v1/namespaces/{}/deployments", {}),
    ("ReplicaSet", "/apis/apps/v1/namespaces/{}/replicasets", {}),
    ("StatefulSet", "/apis/apps/v1/namespaces/{}/statefulsets", {}),
    ("Job", "/apis/batch/v1/namespaces/{}/jobs", {}),
    ("ResourceQuota", "/api/v1/namespaces/{}/resourcequotas", {}),
    ("LimitRange", "/api/v1/namespaces/{}/limitranges", {}),
    ("Event", "/api/v1/namespaces/{}/events", {"fieldSelector": f"reason={FAILED_CREATE}"}),
)
_PODS: tuple[str, str, dict[str, str | int]] = (
    "Pod", "/api/v1/namespaces/{}/pods", {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
)  # fmt: skip


class _List(Struct):
    items: list[Raw] = []


_LIST = msgspec.json.Decoder(_List)


def read_admission(http: Http, namespace: str) -> Admission:
    """All of it. A kind that may not be read, or that the server lacks, is left out; the former is said."""
    found = Collector(namespace=namespace)
    unread: list[str] = []
    refused: dict[str, list[str]] = {}
    for kind, path, query in (*_PLACES, _PODS):
        if kind == "Pod" and not found.asks_wanted:
            continue
        try:
            items = _LIST.decode(http.get(path.format(namespace), query, attempts=1)).items
        except NotFound:
            continue
        except ClusterError as error:
            refused.setdefault(str(error).partition(": ")[0], []).append(f"{kind}s")
            continue
        for raw in items:
            try:
                found.add(kind, raw)
            except msgspec.MsgspecError as error:
                unread.append(f"a {kind} of {namespace} makes no sense: {error}")
    unread += [f"{', '.join(kinds)} of {namespace} can't be read: {why}" for why, kinds in refused.items()]
    return found.view(tuple(unread))
