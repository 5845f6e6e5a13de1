"""The example provider's own file and settings; the rest of it is held to the contract."""

import json
from pathlib import Path

import pytest

from autoscale.errors import BadInput

from .cloud_racks import example


def test_the_example_works_on_a_file(tmp_path: Path) -> None:
    """As the entry point makes it."""
    inventory = tmp_path / "racks.json"
    resources = {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}
    rack = {"machines": ["a", "b"], "on": [], "min": 0, "max": 2, "resources": resources}
    inventory.write_text(json.dumps({"rack-1": rack}))
    provider = example().provider_from_settings({"inventory": str(inventory)}, cluster="demo", now_s=lambda: 7)
    provider.resize("racks:rack-1", target_nodes=2, request_id="plan-1")
    provider.remove("racks:rack-1", ["a"], request_id="plan-2")
    assert json.loads(inventory.read_text()) == {"rack-1": {**rack, "on": ["b"]}}
    inventory.unlink()
    assert [(fault.code, fault.at_s) for fault in provider.observe().faults] == [("ENOENT", 7)]


def test_wrong_settings_are_one_sentence() -> None:
    """Before anything is touched."""
    with pytest.raises(BadInput, match="racks: wrong keys, expected inventory, found racks"):
        example().provider_from_settings({"racks": "x"}, cluster="demo", now_s=lambda: 0)
