"""How log lines look: key and value for a person at a terminal, JSON for machines."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def configure(log_format: str, *, debug: bool) -> Any:
    """Set structlog up to write to standard error, and give a logger. `auto` asks whether that is a terminal."""
    console = sys.stderr.isatty() if log_format == "auto" else log_format == "console"
    render: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    if console:
        render = [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _keep if debug else _one_line,
            *render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return structlog.get_logger()


def _keep(_log: Any, _method: str, event: Any) -> Any:
    return event


def _one_line(_log: Any, _method: str, event: Any) -> Any:
    """Where in the code it happened is told only when asked for (`--debug`)."""
    event.pop("exc_info", None)
    return event
