"""What the loop tells: a log line a tick, one an action and one for pods with equal Events, and Prometheus metrics."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Gauge, Histogram

from autoscale.cli import words
from autoscale.errors import AutoscaleError
from autoscale.loop import changes
from autoscale.model.plan import Announce, RemoveNode, Resize
from autoscale.model.problem import WITHOUT_KERNEL
from autoscale.model.units import MICRO
from autoscale.model.workload import Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client import CollectorRegistry
    from structlog.typing import FilteringBoundLogger

    from autoscale.loop import Turn, Witness
    from autoscale.model.plan import Action, Plan
    from autoscale.model.snapshot import CloudView

_SHOWN = 10
_FIGURE = re.compile(r"\d+")


class Log:
    """A line a tick, a line an action and one for all pods whose Events are equal, each with the plan's id."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._slow = False
        self._clouds: frozenset[tuple[str, str, str]] = frozenset()

    def turn(self, turn: Turn) -> None:
        """Say what was decided, and what came of each action."""
        plan = turn.plan
        bound = self._log.bind(plan=plan.id)
        self._say_clouds(turn.snapshot.clouds)
        if WITHOUT_KERNEL in plan.method and not self._slow:
            bound.warning("solver", text=words.NO_KERNEL)
            self._slow = True
        if turn.dry_run:
            for action in _but_events(plan.actions):
                bound.info(_event(action), outcome="dry run", **_fields(action))
            _say_events(bound, plan.actions, "dry run")
        for receipt in turn.receipts:
            if isinstance(receipt.action, Announce):
                continue
            say = bound.warning if receipt.outcome == "refused" else bound.info
            said = {"text": receipt.text} if receipt.text else {}
            say(_event(receipt.action), outcome=receipt.outcome, **_fields(receipt.action), **said)
        _say_events(bound, (receipt.action for receipt in turn.receipts), "done")
        for note in plan.notes:
            bound.info("note", source=note.source, code=str(note.code), text=note.text)
        bound.info("tick", **_tick(turn))

    def _say_clouds(self, clouds: Iterable[CloudView]) -> None:
        """What is wrong with a cloud or a group of it, when it comes up, and not again while only figures in it change."""
        told: set[tuple[str, str, str]] = set()
        fresh: dict[tuple[str, str], list[str]] = {}
        for cloud in clouds:
            said = [("cloud", cloud.provider, fault.message) for fault in cloud.faults]
            said += [("group left out", each.id, each.reason.text) for each in cloud.skipped]
            said += [("group", group.id, note.text) for group in cloud.groups if group.made for note in group.notes]
            for event, about, text in said:
                key = event, about, _FIGURE.sub("", text)
                told.add(key)
                if key not in self._clouds:
                    fresh.setdefault((event, text), []).append(about)
        self._clouds = frozenset(told)
        for (event, text), about_all in fresh.items():
            more = {"more": len(about_all) - _SHOWN} if len(about_all) > _SHOWN else {}
            self._log.warning(event, about=", ".join(about_all[:_SHOWN]), **more, text=text)

    def failed(self, error: Exception) -> None:
        """Say why a tick failed; `log.configure` keeps where in the code for those who ask."""
        expected = isinstance(error, AutoscaleError)
        text = str(error) if expected else f"internal error, {type(error).__name__}: {error}"
        self._log.error("tick failed", error=" ".join(text.split()), exc_info=error)


def _but_events(actions: Iterable[Action]) -> Iterator[Action]:
    return (action for action in actions if not isinstance(action, Announce))


def _say_events(log: FilteringBoundLogger, actions: Iterable[Action], outcome: str) -> None:
    """One line for all pods that are told the same."""
    told: dict[tuple[str, str], list[str]] = {}
    for action in actions:
        if isinstance(action, Announce):
            told.setdefault((action.event, action.text), []).append(action.pod)
    for (event, text), pods in told.items():
        whom = _few(pods) if "/" in pods[0] else {"nodes": pods}
        log.info("announce", outcome=outcome, event_type=event, message=text, **whom)


class Metrics:
    """Prometheus counters and gauges."""

    def __init__(self, registry: CollectorRegistry) -> None:
        names: dict[str, Any] = {"namespace": "gpu_autoscale", "registry": registry}
        self._pending = Gauge("pending_pods", "Pods that wait and nothing was bought for yet.", **names)
        self._unmet = Gauge("unmet_pods", "Pods that stay pending, with a reason.", **names)
        self._cost = Gauge("plan_cost_usd_per_hour", "What the last plan buys.", **names)
        self._bound = Gauge("plan_bound_usd_per_hour", "Proven: nothing under this does it.", **names)
        self._gap = Gauge("plan_gap_ratio", "(cost - bound) / cost of the last plan that bought.", **names)
        self._fleet = Gauge("fleet_cost_usd_per_hour", "What the node groups cost.", **names)
        self._target = Gauge("group_target_nodes", "Target of a node group.", ["group"], **names)
        self._bought = Counter("bought_nodes", "Nodes asked for.", ["group"], **names)
        self._removed = Counter("removed_nodes", "Nodes removed.", ["group"], **names)
        self._actions = Counter("actions", "Actions by kind and outcome.", ["kind", "outcome"], **names)
        self._corrected = Counter(
            "corrected_predictions", "Times that a group's nodes had other labels, taints or room than predicted.",
            ["group"], **names,
        )  # fmt: skip
        self._failed = Counter("failed_ticks", "Ticks that ended in an error.", **names)
        self._seconds = Histogram(
            "tick_seconds", "How long a tick took.", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60), **names
        )

    def turn(self, turn: Turn) -> None:
        """Count it."""
        plan = turn.plan
        self._pending.set(plan.pending_pods)
        self._unmet.set(sum(len(unmet.pods) for unmet in plan.unmet))
        self._cost.set(plan.cost_microusd_per_hour / MICRO)
        self._bound.set(plan.bound_microusd_per_hour / MICRO)
        if plan.cost_microusd_per_hour:
            self._gap.set(_gap(plan))
        self._fleet.set(plan.fleet_before_microusd_per_hour / MICRO)
        self._seconds.observe(turn.seconds)
        self._target.clear()
        for group in turn.snapshot.groups:
            self._target.labels(group.id).set(group.target_nodes)
        for receipt in turn.receipts:
            action = receipt.action
            self._actions.labels(_event(action), receipt.outcome).inc()
            if receipt.outcome == "done" and isinstance(action, Resize):
                self._bought.labels(action.group).inc(max(0, action.target_nodes - action.current_nodes))
            if receipt.outcome == "done" and isinstance(action, RemoveNode):
                self._removed.labels(action.group).inc()
            if isinstance(action, Announce) and action.event == Code.PREDICTION:
                self._corrected.labels(action.about).inc()

    def failed(self, error: Exception) -> None:  # noqa: ARG002 - a witness's shape
        """Count it."""
        self._failed.inc()


class Both:
    """Several witnesses as one."""

    def __init__(self, *witnesses: Witness) -> None:
        self._witnesses = witnesses

    def turn(self, turn: Turn) -> None:
        """Tell all."""
        for witness in self._witnesses:
            witness.turn(turn)

    def failed(self, error: Exception) -> None:
        """Tell all."""
        for witness in self._witnesses:
            witness.failed(error)


def _event(action: Action) -> str:
    """`ClaimPods` as `claim_pods`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(action).__name__)[1:]


def _fields(action: Action) -> dict[str, Any]:
    """An action's fields as log values; of many pods the first few."""
    out: dict[str, Any] = {}
    for each in dataclasses.fields(action):
        value = getattr(action, each.name)
        if each.name == "pods":
            out |= _few([ref for _, ref in value])
        elif each.name == "reason":
            out["reason"] = value.text
        elif each.name == "reasons":
            out["reasons"] = [reason.text for reason in value]
        else:
            out[each.name] = value
    return out


def _few(pods: Sequence[str]) -> dict[str, Any]:
    """The first of many pods, and how many more there are."""
    more = {"more_pods": len(pods) - _SHOWN} if len(pods) > _SHOWN else {}
    return {"pods": list(pods[:_SHOWN]), **more}


def _tick(turn: Turn) -> dict[str, Any]:
    plan = turn.plan
    return {
        "actions": _count(plan.actions),
        "pending": plan.pending_pods,
        "unmet": sum(len(unmet.pods) for unmet in plan.unmet),
        "cost_usd_per_hour": plan.cost_microusd_per_hour / MICRO,
        "bound_usd_per_hour": plan.bound_microusd_per_hour / MICRO,
        "gap": round(_gap(plan), 6),
        "fleet_usd_per_hour": plan.fleet_before_microusd_per_hour / MICRO,
        "busy": turn.busy,
        "changes": changes(plan),
        "seconds": round(turn.seconds, 3),
        "dry_run": turn.dry_run,
    }


def _count(actions: Sequence[Action]) -> int:
    """Actions that change something; an Event changes nothing."""
    return sum(1 for _ in _but_events(actions))


def _gap(plan: Plan) -> float:
    cost = plan.cost_microusd_per_hour
    return max(0.0, 1 - plan.bound_microusd_per_hour / cost) if cost else 0.0


if TYPE_CHECKING:

    def _is_witness(x: Log, y: Metrics, z: Both) -> tuple[Witness, ...]:
        return x, y, z
