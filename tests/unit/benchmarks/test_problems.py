"""The generators: deterministic, of the size asked for, and every pod fits something that is sold."""

import json
from pathlib import Path

import pytest

from benchmarks import catalogue, problems, reading

SMALL = [("mixed", 1000), ("real-1000", 150), ("wide", 6000), ("different", 200), ("spread", 200)]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("kind", "pods"), SMALL)
def test_problems_are_what_was_asked_for(kind: str, pods: int, seed: int) -> None:
    """Right number of pods, unique offerings, nobody without a home."""
    problem = problems.make(catalogue.load(), kind, pods, seed)
    sold = reading.offerings(problem)
    assert reading.pod_count(problem) == pods
    assert len({offering.key for offering in sold}) == len(sold)
    for shape in reading.shapes(problem):
        assert any(offering.holds_one(shape) for offering in sold), shape.name


@pytest.mark.parametrize(("kind", "pods"), SMALL)
def test_same_seed_same_problem(kind: str, pods: int) -> None:
    """A problem can be made again anywhere; another seed makes another one."""
    first, again, other = (problems.make(catalogue.load(), kind, pods, seed) for seed in (0, 0, 1))
    assert json.dumps(first) == json.dumps(again)
    assert json.dumps(first) != json.dumps(other)


@pytest.mark.parametrize("kind", ["different", "spread"])
def test_no_two_pods_are_equal_in_some_kinds(kind: str) -> None:
    """They are about problems without classes."""
    problem = problems.make(catalogue.load(), kind, 300)
    seen = {json.dumps([p["requests"], p["nodeSelector"], p.get("affinity")], sort_keys=True) for p in problem["pods"]}
    assert len(seen) == 300


def test_real_market_has_about_1000_offerings() -> None:
    """On-demand and spot in six zones, spot always below on-demand."""
    sold = problems.make(catalogue.load(), "real-1000", 150)["offerings"]
    on_demand = {(o["instance_type"], o["zone"]): o["price"] for o in sold if o["capacity_type"] == "on-demand"}
    assert 900 <= len(sold) <= 1100
    assert all(o["price"] < on_demand[o["instance_type"], o["zone"]] for o in sold if o["capacity_type"] == "spot")


@pytest.mark.parametrize("name", problems.VARIANTS)
def test_variants_leave_every_pod_a_home(name: str) -> None:
    """A variant changes the market and keeps the pods."""
    base = problems.make(catalogue.load(), "mixed", 100)
    changed = problems.variant(catalogue.load(), base, name)
    assert changed["pods"] == base["pods"]
    assert changed["offerings"] != base["offerings"]
    sold = reading.offerings(changed)
    assert all(any(o.holds_one(shape) for o in sold) for shape in reading.shapes(changed))


def test_apportioning_loses_nobody() -> None:
    """Whole numbers that add up, each within one of its share."""
    assert problems.apportion(10, [1, 1, 1]) == [4, 3, 3]
    assert sum(problems.apportion(999, [0.1, 5, 2.3, 0.01])) == 999


def test_openb_says_what_is_missing(tmp_path: Path) -> None:
    """The trace does not ship with the project."""
    with pytest.raises(problems.DataMissingError, match=r"openb_pod_list_default\.csv is missing"):
        problems.openb(catalogue.load(), tmp_path)


def test_openb_rounds_shares_of_gpus_up(tmp_path: Path) -> None:
    """A pod that shares a GPU gets a whole one; pods without GPU are left out."""
    (tmp_path / "openb").mkdir()
    (tmp_path / "openb" / problems.OPENB_FILE).write_text(
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1000,1024,1,460\nb,1000,1024,1,1000\nc,500,64,0,0\n"
    )
    [entry] = problems.openb(catalogue.load(), tmp_path)["pods"]
    assert (entry["count"], entry["requests"]["nvidia.com/gpu"]) == (2, "1")


def test_allocatable_of_a_known_type() -> None:
    """The figures that EKS shows for g4dn.xlarge."""
    [g4dn] = catalogue.load().named(["g4dn.xlarge"])
    assert g4dn.capacity() == {"cpu": "3920m", "memory": "14481Mi", "nvidia.com/gpu": "1", "pods": "29"}
