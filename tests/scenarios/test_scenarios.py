"""Snapshot in, plan out: each file of this folder is one situation and what is to be done about it.

A file has `groups`, `nodes`, `pods`, `ledger` and `settings` in the arguments of `tests.builders`, and `plan`: every
action but Events, one a line, plan id left out; then who stays pending and why.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from autoscale.decide import decide
from autoscale.model.plan import Announce, Assign, ClaimPods, Hold, Release, RemoveNode, Resize, Unclaim
from autoscale.model.settings import DecideSettings
from autoscale.model.snapshot import Ledger, Snapshot
from autoscale.model.supply import FaultKind
from autoscale.model.workload import Toleration
from autoscale.solve import solve
from tests.builders import NOW, Taint, fault, group, node, pods, shape, snapshot

if TYPE_CHECKING:
    from autoscale.model.plan import Action, Plan
    from autoscale.model.workload import Pod

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_plan_is_what_the_scenario_says(file: Path) -> None:
    """The whole plan, in order; and whatever the order of pods, nodes and groups, the same."""
    said = yaml.safe_load(file.read_text())
    world, settings = read(said), DecideSettings(**said.get("settings", {}))
    plan = decide(world, (), lambda problem: solve(problem, time_limit_s=5), settings)
    assert {"actions": actions(plan), "unmet": unmet(plan)} == said["plan"]
    backwards = Snapshot(
        world.now_s,
        type(world.cluster)(world.cluster.nodes[::-1], world.cluster.pods[::-1], world.cluster.daemon_sets[::-1]),
        tuple(type(c)(c.provider, c.groups[::-1]) for c in world.clouds),
        world.ledger,
    )
    assert decide(backwards, (), lambda problem: solve(problem, time_limit_s=5), settings) == plan


def read(said: dict[str, Any]) -> Snapshot:
    """The snapshot that a file describes."""
    ledger: dict[str, Any] = {
        key: {k: NOW - ago for k, ago in ages.items()} for key, ages in said.get("ledger", {}).items()
    }
    return snapshot(
        groups=tuple(_group(**g) for g in said.get("groups", ())),
        nodes=tuple(_node(**n) for n in said.get("nodes", ())),
        pods=tuple(p for each in said.get("pods", ()) for p in _pods(**each)),
        ledger=Ledger(**ledger),
    )


def _group(*, taint: str = "", fault_ago_s: int | None = None, **more: Any) -> Any:
    if fault_ago_s is not None:
        more["faults"] = (fault(more["id_"], FaultKind.NO_CAPACITY, at_s=NOW - fault_ago_s),)
    return group(taints=(Taint(taint),) if taint else (), **more)


def _node(*, age_s: int = 3600, **more: Any) -> Any:
    return node(created_at_s=NOW - age_s, **more)


def _pods(*, name: str, count: int = 1, claim: list[str] | None = None, **more: Any) -> tuple[Pod, ...]:
    selector = tuple(sorted(more.pop("node_selector", {}).items()))
    tolerations = tuple(Toleration(key, "Exists") for key in more.pop("tolerates", ()))
    asks = {key: more.pop(key) for key in ("gpus", "cpu", "memory_gi", "priority") if key in more}
    of = shape(node_selector=selector, tolerations=tolerations, **asks)
    return pods(name, count, of, claim=tuple(claim) if claim else None, **more)


def actions(plan: Plan) -> list[str]:
    """Every action but Events, as a line."""
    return [_line(plan, action) for action in plan.actions if not isinstance(action, Announce)]


def _line(plan: Plan, action: Action) -> str:
    match action:
        case ClaimPods(slot, id_, refs):
            return f"claim {slot.replace(plan.id, 'P')} of {id_}: {_names(refs)}"
        case Unclaim(slot, refs):
            return f"unclaim {slot}: {_names(refs)}"
        case Resize(id_, current, target):
            return f"resize {id_}: {current} -> {target}"
        case Assign(name, slot):
            return f"assign {name}: {slot}"
        case Hold(name, slot):
            return f"hold {name}: {slot}"
        case Release(name, slot):
            return f"release {name}: {slot}"
        case RemoveNode(id_, name):
            return f"remove {name} of {id_}"
        case _:
            raise AssertionError(action)


def _names(refs: tuple[tuple[str, str], ...]) -> str:
    return " ".join(ref.removeprefix("default/") for _, ref in refs)


def unmet(plan: Plan) -> dict[str, list[str]]:
    """Class -> why, for those who stay pending."""
    return {one.class_key: [f"{r.code}: {r.text}" for r in one.reasons] for one in plan.unmet}
