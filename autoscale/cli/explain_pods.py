"""Who `explain pod` is about, and their stories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscale.cli.explain_page import owner_page, pod_page
from autoscale.cli.target import find
from autoscale.cli.words import counted
from autoscale.decide.explain_owner import explain_owner, refused
from autoscale.decide.explain_pod import explain_pod
from autoscale.demand.classes import classes
from autoscale.model.workload import Code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscale.cli.page import Page
    from autoscale.cli.target import Target
    from autoscale.cli.world import World
    from autoscale.decide.what_if import Case
    from autoscale.model.explanation import OwnerStory, PodStory
    from autoscale.model.workload import Pod, Reason

_MOST = 10  # stories of one question


@dataclass(frozen=True, slots=True)
class PodExplanation:
    """The answer to `explain pod`. `untold` pods of the same name are left out, as others say the same or too many."""

    asked: str
    owner: OwnerStory | None
    pods: tuple[PodStory, ...]
    untold: int
    notes: tuple[Reason, ...]
    unread: tuple[str, ...]


def about(case: Case, world: World, target: Target) -> PodExplanation:
    """Explain who is meant. Raises BadInput when nobody is."""
    found = find(target, world.snapshot.cluster.pods, world.admission)
    owner = None
    if found.workload is not None and (not world.offline or found.workload.suspended):
        owner = explain_owner(case, world.admission, found.workload)
    groups = list(_alike(found.pods))
    stories = []
    for pods in groups[:_MOST]:
        story = explain_pod(case, pods[0], alike=len(pods))
        if world.offline and not pods[0].created_at_s:  # nobody has created it yet
            story = _with_admission(story, world, pods[0])
        stories.append(story)
    return PodExplanation(
        asked=str(target),
        owner=owner,
        pods=tuple(stories),
        untold=sum(len(pods) for pods in groups[_MOST:]),
        notes=world.notes,
        unread=world.admission.unread,
    )


def _with_admission(story: PodStory, world: World, pod: Pod) -> PodStory:
    return replace(story, admission=tuple(refused(world.admission, world.snapshot.cluster.pods, pod)))


def _alike(pods: Sequence[Pod]) -> Iterator[tuple[Pod, ...]]:
    """Pods in the same position: those that wait first, then those on one node."""
    for bound in (False, True):
        for each in classes(pod for pod in pods if bool(pod.node_name) is bound):
            by_node: dict[str, list[Pod]] = {}
            for pod in each.pods:
                by_node.setdefault(pod.node_name, []).append(pod)
            yield from (tuple(there) for _, there in sorted(by_node.items()))


def pages(page: Page, found: PodExplanation) -> None:
    """The answer as text."""
    if found.owner is not None:
        owner_page(page, found.owner)
    for story in found.pods:
        pod_page(page, story)
    if found.untold:
        page.section(f"and {counted(found.untold, 'more pod')} whose names begin so: ask for one of them")
    notes = [note.text for note in found.notes if note.code is not Code.UNMODELLED]
    if notes or found.unread:
        page.gap()
        page.facts(("note", text) for text in (*notes, *found.unread))
