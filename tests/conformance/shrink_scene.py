"""A disagreement about a pod among others made small."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from tests.cluster.controlplane import Json

from .among import Answer, difference
from .scenes import Ask, Scene
from .shrink import drop, kind_of, paths

_ROUNDS, _BATCH = 60, 24


class Asked(Protocol):
    """Whoever gives answers."""

    def answers(self, scenes: Sequence[Scene]) -> list[Answer]:
        """One for each ask, in the order of scenes."""


def shrink_scene(judge: Asked, found: Answer) -> Answer:
    """The smallest scene with a difference of the same kind: first its one ask alone, then with ever fewer parts."""
    kind = kind_of(difference(found))
    alone = judge.answers([_alone(found)])[0]
    if kind_of(difference(alone)) != kind:
        return found  # it takes the pods that were bound before it
    found, at, missed = alone, 0, 0
    for _ in range(_ROUNDS):
        smaller = list(_smaller(found.scene))
        if missed >= len(smaller):
            break
        batch = [smaller[(at + i) % len(smaller)] for i in range(min(_BATCH, len(smaller)))]
        differing = [answer for answer in judge.answers(batch) if kind_of(difference(answer)) == kind]
        if differing:
            found, missed = differing[0], 0
        at, missed = at + len(batch), missed + len(batch)
    return found


def _alone(found: Answer) -> Scene:
    """The scene with only the ask in question; pods bound before it are there from the start."""
    scene = found.scene
    bound = [pod for pod in found.there if "example.test/asks" in pod["metadata"]["labels"]]
    by_name = {ask.pod["metadata"]["name"]: ask for ask in scene.asks}
    more = []
    for pod in bound:
        ask = by_name[pod["metadata"]["name"]]
        spec = ask.pod["spec"] | {"nodeName": f"@-n{ask.target}"}
        more.append(ask.pod | {"spec": spec, "status": {"phase": "Pending"}})
    return Scene(scene.id, scene.nodes, (*scene.running, *more), (scene.asks[found.ask],), scene.storage)


def _smaller(scene: Scene) -> Iterator[Scene]:
    """The scene without one part, large parts first."""
    for index in range(len(scene.running)):
        yield replace(scene, running=scene.running[:index] + scene.running[index + 1 :])
    for index in range(len(scene.storage)):
        yield replace(scene, storage=scene.storage[:index] + scene.storage[index + 1 :])
    ask = scene.asks[0]
    for path in sorted(paths(ask.pod), key=len):
        yield replace(scene, asks=(Ask(_without(ask.pod, path), ask.target),))
    for kind in ("running", "nodes"):
        objects: tuple[Json, ...] = getattr(scene, kind)
        for index, each in enumerate(objects):
            for path in sorted(paths(each), key=len):
                changed = (*objects[:index], _without(each, path), *objects[index + 1 :])
                yield replace(scene, running=changed) if kind == "running" else replace(scene, nodes=changed)


def _without(document: Json, path: tuple[str | int, ...]) -> Json:
    copied = copy.deepcopy(document)
    drop(copied, path)
    return copied
