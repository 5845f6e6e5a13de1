"""The provider: nodes are the only books. What should be there is there, or the call says why not."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from autoscale.errors import BadInput, ProviderError
from autoscale.model.snapshot import CloudView
from autoscale.model.supply import Fault, FaultKind
from providers.kubernetes_api import KubeError, KubernetesApi
from providers.kwok.nodes import POOL, PREFIX, document, group, leaving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from providers.kubernetes_api import Json
    from providers.kwok.settings import KwokSettings, Pool

_NODES = "/api/v1/nodes"


class KwokProvider:
    """Pools of simulated nodes. Group ids are `kwok:POOL`."""

    name = "kwok"

    def __init__(
        self,
        settings: KwokSettings,
        *,
        now_s: Callable[[], int],
        read_timeout_s: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pools = settings.pools
        self._now_s = now_s
        self._api = KubernetesApi(
            kubeconfig=settings.kubeconfig, context=settings.context, read_timeout_s=read_timeout_s, sleep=sleep
        )

    def check(self) -> None:
        """Make sure that nodes can be read. Raises BadInput in one sentence when a person must mend something."""
        try:
            self._nodes(POOL)
        except KubeError as error:
            fault = error.fault(at_s=self._now_s(), doing="list nodes")
            if fault.kind == FaultKind.DENIED or not error.status:
                raise BadInput(fault.message, where="kwok") from error

    def observe(self) -> CloudView:
        """All pools of the configuration with their nodes, in one list."""
        try:
            nodes = self._nodes(POOL)
        except KubeError as error:
            return CloudView(self.name, faults=(error.fault(at_s=self._now_s(), doing="list nodes"),))
        theirs: dict[str, list[Json]] = {}
        for node in nodes:
            theirs.setdefault(node["metadata"]["labels"][POOL], []).append(node)
        found = [group(pool, theirs.get(name, [])) for name, pool in self._pools.items()]
        return CloudView(self.name, groups=tuple(sorted(found, key=lambda each: each.id)))

    def resize(self, group: str, *, target_nodes: int, request_id: str) -> None:  # noqa: ARG002 - what is there is counted
        """Create what is missing. There is never anything to take back."""
        pool, there = self._one(group)
        if not pool.min_nodes <= target_nodes <= pool.max_nodes:
            text = f"target {target_nodes} is outside the group's {pool.min_nodes} to {pool.max_nodes}"
            raise self._refusal(group, "OutOfBounds", text)
        if target_nodes < len(there):
            text = f"target {target_nodes} would end some of {len(there)} nodes; remove them by name"
            raise self._refusal(group, "WouldTerminate", text)
        for _ in range(target_nodes - len(there)):
            try:
                self._api.create(_NODES, document(pool, f"{pool.name}-{secrets.token_hex(4)}"))
            except KubeError as error:
                raise self._error(error, group, "create nodes") from error

    def remove(self, group: str, instances: Sequence[str], *, request_id: str) -> None:  # noqa: ARG002 - a name goes once
        """Delete each node that is there, as far as the minimum allows."""
        pool, there = self._one(group)
        left = len(there)
        for name in dict.fromkeys(instances):
            if name not in there:
                continue
            if left <= pool.min_nodes:
                text = f"removing {name} would bring the group below its minimum of {pool.min_nodes}"
                raise self._refusal(group, "OutOfBounds", text)
            try:
                self._api.delete(f"{_NODES}/{name}")
            except KubeError as error:
                if error.status != 404:
                    raise self._error(error, group, "delete nodes") from error
            left -= 1

    def delete(self, group: str, *, request_id: str) -> None:  # noqa: ARG002 - nothing is ever deleted
        """Refused: pools are in the configuration."""
        raise self._refusal(group, "NotFromTemplate", "a person made this group")

    def _one(self, group: str) -> tuple[Pool, set[str]]:
        """The pool, and the names of its nodes that stay."""
        pool = self._pools.get(group.removeprefix(PREFIX)) if group.startswith(PREFIX) else None
        if pool is None:
            raise self._refusal(group, "GroupNotFound", "no pool of this name is configured", FaultKind.NOT_FOUND)
        try:
            nodes = self._nodes(f"{POOL}={pool.name}")
        except KubeError as error:
            raise self._error(error, group, "list nodes") from error
        return pool, {each["metadata"]["name"] for each in nodes if not leaving(each)}

    def _nodes(self, selector: str) -> list[Json]:
        return self._api.items(_NODES, labelSelector=selector)

    def _error(self, error: KubeError, group: str, doing: str) -> ProviderError:
        return ProviderError(error.fault(group=group, at_s=self._now_s(), doing=doing))

    def _refusal(self, group: str, code: str, text: str, kind: FaultKind = FaultKind.OTHER) -> ProviderError:
        """Our own no, before the API server is asked."""
        return ProviderError(Fault(group=group, kind=kind, code=code, message=text, at_s=self._now_s()))
