"""The example of docs/providers.md, as a package of its own would have it."""

import importlib
import sys
from pathlib import Path
from typing import Any

from autoscale.testing import Stage

_FOLDER = Path(__file__).parents[2] / "examples" / "provider"


def example(name: str = "racks") -> Any:
    """A module of the example."""
    if str(_FOLDER) not in sys.path:
        sys.path.append(str(_FOLDER))
    return importlib.import_module(name)


def racks_stage() -> Stage:
    """The stage that its tests have."""
    stage: Stage = example("test_racks").RacksStage()
    return stage
