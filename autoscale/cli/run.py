"""`autoscale run`."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from autoscale.cli import signals
from autoscale.cli.options import cluster_options, config_option, overlay_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from http.server import ThreadingHTTPServer

    from prometheus_client import CollectorRegistry
    from structlog.typing import FilteringBoundLogger

    from autoscale.cli.serve import Pulse
    from autoscale.loop import Engine
    from autoscale.observe.ahead import ReadAhead
    from autoscale.ports import Listener

EPILOG = """\b
Examples:
  autoscale run --config autoscaler.yaml
  autoscale run --dry-run                 decide and say so, write nothing
  autoscale run --once                    one tick, then end
  curl -s localhost:8085/metrics

\b
Exit status: 0 stopped by SIGTERM or SIGINT, or one tick done; 1 a tick failed (--once); 2 wrong input.
"""


@click.command(epilog=EPILOG)
@click.option("--once", is_flag=True, help="One tick, then end.")
@click.option("--dry-run", is_flag=True, help="Decide and log, but write nothing to cluster or cloud.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=8085,
    show_default=True,
    help="Serve /metrics and /healthz here; 0 takes any free port.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    help="[default: console on a terminal, json otherwise]",
)
@config_option
@overlay_option
@cluster_options
@click.pass_context
def run(
    ctx: click.Context,
    *,
    once: bool,
    dry_run: bool,
    metrics_port: int,
    log_format: str,
    config: str | None,
    overlay: str | None,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Observe, decide and act until stopped. A signal ends it after its tick, a second one at once."""
    from prometheus_client import CollectorRegistry

    from autoscale import wiring
    from autoscale.cli.log import configure
    from autoscale.cli.prices import Prices, refresh_beside
    from autoscale.cli.serve import Pulse
    from autoscale.cli.telemetry import Both, Log, Metrics
    from autoscale.loop import Engine
    from autoscale.loop import run as turn_until
    from autoscale.observe.ahead import ReadAhead

    settings = wiring.settings(config, kubeconfig=kubeconfig, context=context, overlay=overlay)
    providers = [ReadAhead(provider) for provider in wiring.providers(settings)]  # while the cluster is connected to
    log = configure(log_format, debug=bool(ctx.obj))
    registry = CollectorRegistry()
    pulse = Pulse(Both(Log(log), Metrics(registry)))
    stop = threading.Event()

    def end(heard: signal.Signals) -> None:
        stop.set()
        log.info("stopping", signal=heard.name)

    with wiring.cluster(kubeconfig, context, watch=True, claims=settings.claims) as cluster:
        _let_in(providers, log)
        server = None if once else _serve(registry, pulse, metrics_port)
        engine = Engine(
            cluster=cluster,
            providers=providers,
            policies=settings.policies,
            solver=wiring.fleet_solver(settings),
            clock=wiring.clock(),
            settings=settings.decide,
            rhythm=settings.loop,
            witness=pulse,
            dry_run=dry_run,
        )
        prices = Prices(settings, registry, log)
        if not once:
            refresh_beside(settings, prices, stop)
        port = server.server_address[1] if server is not None else None
        log.info("started", cluster=settings.cluster, config=settings.source, dry_run=dry_run, metrics_port=port)
        try:
            with signals.heard(end, then=signal.SIG_DFL), _listening(() if once or dry_run else providers, engine):
                turn_until(engine, stop, once=once)
        finally:
            if server is not None:
                server.shutdown()
                server.server_close()
        log.info("stopped")


@contextmanager
def _listening(providers: Sequence[Listener], engine: Engine) -> Iterator[None]:
    """Hear what clouds say between two looks. A dry run does not: what is heard would be lost to whoever acts."""
    for provider in providers:
        provider.listen(engine.bell.ring)
    try:
        yield
    finally:
        for provider in providers:
            provider.deafen()


def _let_in(providers: Sequence[ReadAhead], log: FilteringBoundLogger) -> None:
    """Refuse to start when no cloud lets us in. What is wrong with one of several is said; the others work on."""
    from autoscale.errors import BadInput
    from autoscale.model.supply import FaultKind

    refused: dict[str, BadInput] = {}
    for provider in providers:
        if any(fault.kind is FaultKind.DENIED for fault in provider.first().faults):
            try:
                provider.check()
            except BadInput as error:
                refused[provider.name] = error
    if refused and len(refused) == len(providers):
        raise next(iter(refused.values()))
    for name, refusal in refused.items():
        log.warning("cloud", about=name, text=str(refusal))


def _serve(registry: CollectorRegistry, pulse: Pulse, port: int) -> ThreadingHTTPServer:
    from autoscale.cli.serve import serve
    from autoscale.errors import BadInput

    try:
        return serve(registry, pulse, port)
    except OSError as error:
        raise BadInput(f"port {port} can't be used, {os.strerror(error.errno or 0)}", where="--metrics-port") from error
