"""Somebody's cluster, in which we are guests: pods that wait are ours only in one namespace, and the others' are not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscale.observe.kube import KubeCluster

if TYPE_CHECKING:
    from autoscale.model.snapshot import ClusterView
    from autoscale.observe.kube_http import Http


class GuestCluster(KubeCluster):
    """A cluster whose pending pods are those of one namespace. Nodes and what runs on them are seen as they are."""

    def __init__(self, http: Http, namespace: str) -> None:
        super().__init__(http, watch=True)
        self._namespace = namespace

    def observe(self) -> ClusterView:
        """Without what others wait for: no claim is ever written onto a stranger's pod."""
        view = super().observe()
        kept = tuple(pod for pod in view.pods if pod.node_name or pod.namespace == self._namespace)
        return replace(view, pods=kept)
