"""The story of `autoscale demo --cluster`: somebody's own cluster, its real scheduler, and nodes that are simulated."""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import click

from autoscale.cli import signals, words
from autoscale.cli.demo_guest import GPU, NAMESPACE, POOLS, WORK, Guest
from autoscale.errors import AutoscaleError, BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscale.cli.demo_world import Diary, Standing
    from autoscale.cli.table import Paper
    from autoscale.config.settings import Settings
    from autoscale.observe.kube_guest import GuestCluster
    from autoscale.ports import Provider

_PATIENCE_S = 90.0
_LOOK_S = 0.2


def tell(*, kubeconfig: str | None, context: str | None, yes: bool) -> None:
    """Ask, write, show, take away. Raises AutoscaleError when it does not end as planned."""
    from autoscale import wiring
    from autoscale.cli.demo_story import paper_of_stdout
    from autoscale.observe.kube_name import cluster_name

    paper = paper_of_stdout()
    http = wiring.api(kubeconfig, context)
    try:
        guest = Guest(http)
        guest.refuse_leftovers()
        with wiring.cluster(kubeconfig, context, watch=False) as looked_at:
            guest.refuse_strangers(looked_at.observe().pods)
        name = cluster_name(kubeconfig, context)
        _announce(name, http.url)
        if not yes and not _agreed():
            click.echo("Nothing was changed.")
            return
        settings = _settings(name, kubeconfig, context)
        asked: list[signal.Signals] = []

        def go_on() -> None:
            if asked:
                raise KeyboardInterrupt

        with signals.heard(
            asked.append, then=signal.SIG_IGN
        ):  # what was begun is taken away, however often it is asked
            with guest:
                try:
                    guest.create_pods(go_on)
                    with wiring.guest(wiring.api(kubeconfig, context), NAMESPACE) as cluster:
                        _play(settings, cluster, paper, go_on)
                finally:
                    click.echo("\n  Taking everything away again ...")
            go_on()
        click.echo(f"  Done: no pod, no simulated node and no namespace of the demo is left on {name}.")
    finally:
        http.close()


def _announce(name: str, url: str) -> None:
    pods = sum(count for _, count, *_ in WORK)
    click.echo(f"The real engine on your cluster {name} ({url}). Nothing is bought: the nodes are simulated.")
    click.echo(
        f"\nIt writes, and takes away again at the end or when you interrupt it:\n"
        f"  - the namespace {NAMESPACE} with {pods} pods that only simulated nodes can take;\n"
        f"  - Node objects of {len(POOLS)} pools, closed by a taint to every pod that does not tolerate it. A DaemonSet that\n"
        "    tolerates everything gets pods on them, which never run and go with the nodes.\n"
        "Pods and nodes of yours are read and never changed.\n"
    )


def _agreed() -> bool:
    if not sys.stdin.isatty():
        text = "it writes to the cluster, and there is no terminal to ask on"
        raise BadInput(text, where="demo --cluster", expected="--yes")
    return click.confirm("Go on?", default=False)


def _settings(name: str, kubeconfig: str | None, context: str | None) -> Settings:
    from autoscale.config.settings import Settings
    from autoscale.model.settings import DecideSettings, LoopSettings

    where = {key: value for key, value in (("kubeconfig", kubeconfig), ("context", context)) if value}
    return Settings(
        providers={"kwok": {**where, "pools": POOLS}},
        decide=DecideSettings(cluster=name, idle_after_s=None, gpu_pods_only=True),
        loop=LoopSettings(quiet_s=0.5, joining_s=0.5, coalesce_s=0.1),
    )


def _play(settings: Settings, cluster: GuestCluster, paper: Paper, go_on: Callable[[], None]) -> None:
    """Pods, plan, the loop at work, and what it came to."""
    from autoscale import wiring
    from autoscale.cli.demo_world import Diary
    from autoscale.cli.plan import make
    from autoscale.cli.table import table
    from autoscale.cli.view import view
    from autoscale.cli.world import live
    from autoscale.loop import Engine, run

    provider = wiring.providers(settings)[0]
    _title(paper, 1, "Pods that wait")
    for name, count, cpu, memory_gib, gpus in WORK:
        each = f"{cpu} CPU, {memory_gib} GiB, {words.counted(gpus, 'GPU')} each"
        click.echo(f"  {count} x {NAMESPACE}/{name:<6} {each}")
    _title(paper, 2, "The plan, as `autoscale plan` shows it")
    saved = make(settings, live(cluster, (provider,), settings.cluster))
    click.echo(table(view(saved), cluster=settings.cluster, paper=paper), nl=False)
    go_on()
    _title(paper, 3, "`autoscale run` carries it out; your own scheduler binds the pods")
    diary = Diary()
    engine = Engine(
        cluster=cluster,
        providers=(provider,),
        policies=(),
        solver=wiring.solver(settings),
        clock=wiring.clock(),
        settings=settings.decide,
        rhythm=settings.loop,
        witness=diary,
    )
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(engine, stop), name="autoscale run", daemon=True)
    thread.start()
    try:
        if not _follow(cluster, provider, diary, paper, go_on):
            why = f"; the last error was: {diary.errors[-1]}" if diary.errors else ""
            raise AutoscaleError(f"not all pods were bound within {_PATIENCE_S:.0f} s{why}")
    finally:
        stop.set()
        thread.join()
    _sum_up(cluster, diary)


def _follow(cluster: GuestCluster, provider: Provider, diary: Diary, paper: Paper, go_on: Callable[[], None]) -> bool:
    from autoscale.cli.demo_progress import Line

    line = Line(paper, live=sys.stdout.isatty())
    until_s = time.monotonic() + _PATIENCE_S
    standing = _standing(cluster, provider, diary)
    try:
        while not standing.done and time.monotonic() < until_s:
            line.show(standing)
            time.sleep(_LOOK_S)
            go_on()
            standing = _standing(cluster, provider, diary)
    finally:
        line.show(standing, last=True)
    return standing.done


def _standing(cluster: GuestCluster, provider: Provider, diary: Diary) -> Standing:
    from autoscale.cli.demo_world import Standing

    seen = cluster.observe()
    groups = provider.observe().groups
    mine = {each.provider_id for group in groups for each in group.instances}
    nodes = [node for node in seen.nodes if node.provider_id in mine]
    pods = [pod for pod in seen.pods if pod.namespace == NAMESPACE]
    return Standing(
        nodes=len(nodes),
        nodes_wanted=sum(group.target_nodes for group in groups),
        gpus=sum(node.allocatable[GPU] for node in nodes),
        gpus_wanted=sum(group.target_nodes * group.allocatable[GPU] for group in groups),
        bound=sum(bool(pod.node_name) for pod in pods),
        bound_wanted=sum(count for _, count, *_ in WORK),
        busy=diary.latest is None or diary.latest.busy,
    )


def _sum_up(cluster: GuestCluster, diary: Diary) -> None:
    seen = cluster.observe()
    slots = {node.name: node.reservation.slot for node in seen.nodes if node.reservation}
    pods = [pod for pod in seen.pods if pod.namespace == NAMESPACE]
    planned = sum(slots.get(pod.node_name) == diary.promised.get(pod.uid) for pod in pods)
    click.echo(f"\n  {planned} of {len(pods)} pods are on the very node that was planned for them.")


def _title(paper: Paper, number: int, text: str) -> None:
    click.echo()
    click.echo(paper.paint(f"{number}. {text}", "cyan", bold=True))
    click.echo()
