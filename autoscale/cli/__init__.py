"""Commands: arguments to calls, plans to text. `main` is what the `autoscale` script runs.

Each command is a module of its own, imported when it is used: `autoscale --help` loads click and nothing else.
`main.py` has the list and turns every error into one sentence and an exit status.
"""

from __future__ import annotations

from autoscale.cli.main import main

__all__ = ["main"]
