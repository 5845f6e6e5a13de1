"""Many nodes at once: for each shape, which of them let it in.

A shape reads few label keys and nodes have few distinct values of them, so each shape is matched once per distinct
combination: 300 shapes on 1,000 offerings are some thousand matches, not 300,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from autoscale.demand.fit import keys_read, matches, reads_name, untolerated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscale.model.workload import PodShape, Taint, Toleration


class Place(NamedTuple):
    """Where a pod might go: what the node is labelled and tainted with, and its name if it has one already."""

    labels: Mapping[str, str]
    taints: tuple[Taint, ...] = ()
    node_name: str = ""


class Places:
    """An index over places. Answers are sets of indexes into the sequence it was made from, shared between shapes."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = tuple(places)
        self._by_keys: dict[tuple[tuple[str, ...], bool], dict[tuple[str | None, ...], list[int]]] = {}
        self._by_taints: dict[tuple[Taint, ...], list[int]] = {}
        for index, place in enumerate(self._places):
            self._by_taints.setdefault(place.taints, []).append(index)
        self._matching: dict[object, frozenset[int]] = {}
        self._tolerated: dict[tuple[Toleration, ...], frozenset[int]] = {}
        self._admitting: dict[tuple[int, int], frozenset[int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def admitting(self, shape: PodShape) -> frozenset[int]:
        """The places whose labels and taints let the shape in."""
        matching = self._match(shape)
        tolerated = self._tolerate(shape.tolerations)
        if len(tolerated) == len(self._places):
            return matching
        both = id(matching), id(tolerated)  # both are kept by self, so their ids stay theirs
        found = self._admitting.get(both)
        if found is None:
            found = self._admitting[both] = matching & tolerated
        return found

    def _match(self, shape: PodShape) -> frozenset[int]:
        rule = (shape.node_selector, shape.node_affinity)
        found = self._matching.get(rule)
        if found is None:
            found = self._matching[rule] = frozenset(
                index
                for indexes in self._groups(keys_read(shape), named=reads_name(shape)).values()
                if matches(shape, self._places[indexes[0]].labels, node_name=self._places[indexes[0]].node_name)
                for index in indexes
            )
        return found

    def _groups(self, keys: tuple[str, ...], *, named: bool) -> dict[tuple[str | None, ...], list[int]]:
        """Places by the values of these labels, and by their name when it is read."""
        groups = self._by_keys.get((keys, named))
        if groups is None:
            groups = self._by_keys[keys, named] = {}
            for index, place in enumerate(self._places):
                values = tuple([place.labels.get(key) for key in keys])
                groups.setdefault((*values, place.node_name) if named else values, []).append(index)
        return groups

    def _tolerate(self, tolerations: tuple[Toleration, ...]) -> frozenset[int]:
        found = self._tolerated.get(tolerations)
        if found is None:
            found = self._tolerated[tolerations] = frozenset(
                index
                for taints, indexes in self._by_taints.items()
                if not untolerated(tolerations, taints)
                for index in indexes
            )
        return found
