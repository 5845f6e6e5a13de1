"""PriorityClasses of manifests: what admission would write into the pods that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from autoscale.observe import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLASS = msgspec.json.Decoder(wire.PriorityClassObject)
_BUILT_IN = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


class Priorities:
    """The classes that are known, and the names of those that pods ask for and nobody has."""

    def __init__(self) -> None:
        self._known = {name: wire.PriorityClassObject(wire.Meta(name=name), value) for name, value in _BUILT_IN.items()}
        self._default: wire.PriorityClassObject | None = None
        self._unknown: dict[str, None] = {}

    def read(self, raw: bytes | msgspec.Raw) -> str:
        """A PriorityClass; its name."""
        made = _CLASS.decode(raw)
        self._known[made.metadata.name] = made
        if made.global_default:
            self._default = made
        return made.metadata.name

    def fill_in(self, spec: wire.PodSpec) -> None:
        """Priority and preemption policy, where the spec does not have them as from an API server."""
        if spec.priority is not None:
            return
        name = spec.priority_class_name
        found = self._known.get(name) if name else self._default
        if found is not None:
            spec.priority = found.value
            spec.preemption_policy = spec.preemption_policy or found.preemption_policy
        elif name:
            self._unknown[name] = None

    def notes(self) -> Iterator[str]:
        """What a person should know."""
        for name in sorted(self._unknown):
            yield f"PriorityClass {name} is in no file: its pods are taken to have priority 0"
