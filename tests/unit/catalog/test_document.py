"""The catalogue on disk: what is written is read, and nothing else is."""

import json
from pathlib import Path
from typing import Any

import pytest

from autoscale.catalog.document import load, parse, write
from autoscale.catalog.refresh import judge
from autoscale.catalog.store import Store
from autoscale.errors import BadInput
from autoscale.model.catalog import Catalog, Machine, Offer, Quote, Reading, Refusal
from autoscale.model.supply import CapacityType
from providers.aws.specifications import shipped

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
L4 = Machine(name="l4", vcpus=4, memory_mib=16384, accelerator="L4", accelerators=1, accelerator_memory_mib=22888)
CATALOG = Catalog(
    provider="aws",
    region="us-east-1",
    source="a test",
    at_s=1_780_000_000,
    machines=(L4,),
    quotes=(Quote("l4", "a", ON_DEMAND, 700_000, 1_780_000_000), Quote("l4", "a", SPOT, 233_333, 1_770_000_000)),
    refusals=(Refusal("l4", "b", SPOT, "0 USD", "0 or less", 5),),
    zone_ids={"a": "az1"},
    scores={("L4", "a"): 7},
)


def changed(**keys: Any) -> bytes:
    """The document with other keys."""
    return json.dumps({**json.loads(write(CATALOG)), **keys}).encode()


def test_what_is_written_is_read() -> None:
    """All of it; the shipped one too."""
    for each in (CATALOG, shipped()):
        read = parse(write(each).encode(), "x")
        assert read == each
        assert (dict(read.zone_ids), dict(read.scores)) == (dict(each.zone_ids), dict(each.scores))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "x line 1: the JSON ends too early"),
        (changed(kind="Overlay"), "x kind: invalid enum value 'Overlay'"),
        (changed(colour=1), "x: unknown key, expected "),
        (changed(machines=[]), "x machines: the value is out of bounds, expected a list of a length of at least 1"),
        (
            changed(machines=[{"name": "l4", "vcpus": 0, "memoryMib": 1}]),
            "x machines[0].vcpus: the value is out of bounds, expected a whole number of at least 1",
        ),
        (
            changed(offerings=[{"type": "l5", "zone": "a", "capacityType": "spot", "usdPerHour": 1}]),
            "x offerings[0]: unknown machine 'l5', expected one that is listed under machines",
        ),
        (
            changed(offerings=[{"type": "l4", "zone": "a", "capacityType": "spot", "usdPerHour": 1}] * 2),
            "x offerings[1]: offering l4/a/spot is listed twice",
        ),
        (
            changed(offerings=[{"type": "l4", "zone": "a", "capacityType": "spot", "usdPerHour": "cheap"}]),
            "x offerings[0].usdPerHour: invalid decimal string",
        ),
    ],
)
def test_a_file_that_is_wrong_is_one_sentence(data: bytes, said: str) -> None:
    """What, where, and what was expected."""
    with pytest.raises(BadInput) as error:
        parse(data, "x")
    assert str(error.value).startswith(said)


def test_prices_of_a_file_are_judged_as_a_clouds_are() -> None:
    """A price by hand that can't be right is a refusal, not a price."""
    wrong = [
        {"type": "l4", "zone": "a", "capacityType": "spot", "usdPerHour": -1},
        {"type": "l4", "zone": "b", "capacityType": "spot", "usdPerHour": 2, "currency": "EUR"},
        {"type": "l4", "zone": "c", "capacityType": "spot", "usdPerHour": 0.5},
    ]
    found = parse(changed(offerings=wrong, refused=[]), "x")
    assert [each.key for each in found.quotes] == ["l4/c/spot"]
    assert [(each.zone, each.reason) for each in found.refusals] == [("a", "0 or less"), ("b", "in EUR, not in US$")]


def test_the_cache_gives_what_was_kept(tmp_path: Path) -> None:
    """In a folder that it makes itself; of another region it has nothing."""
    store = Store(str(tmp_path / "new" / "cache"))
    assert store.latest("aws", "us-east-1") == (None, "")
    path = store.keep(CATALOG)
    assert path.name == "aws-us-east-1.json"
    assert store.latest("aws", "us-east-1") == (CATALOG, "")
    assert store.latest("aws", "us-east-1").catalog is store.latest("aws", "us-east-1").catalog  # read once
    assert store.latest("aws", "eu-west-1") == (None, "")
    assert store.kept() == {"aws us-east-1"}
    assert (store.regions("aws"), store.regions("gcp")) == (["us-east-1"], [])


def test_a_broken_cache_says_so_and_is_no_catalogue(tmp_path: Path) -> None:
    """A tick goes on with what is shipped; a file of another region, renamed, is no use either."""
    store = Store(str(tmp_path))
    path = store.keep(CATALOG)
    path.rename(tmp_path / "aws-eu-west-1.json")
    (tmp_path / "gcp-x1.json").write_text('{"kind"')
    assert store.latest("aws", "eu-west-1") == (
        None,
        f"{tmp_path}/aws-eu-west-1.json: it is of aws us-east-1, expected aws eu-west-1",
    )
    assert store.latest("gcp", "x1").problem == f"{tmp_path}/gcp-x1.json line 1: the JSON ends too early"
    assert store.latest("gcp", "../etc") == (None, "")


def test_a_refresh_replaces_the_file_at_once(tmp_path: Path) -> None:
    """Whoever reads meanwhile has the old one or the new one, and no file is left beside it."""
    store = Store(str(tmp_path))
    store.keep(CATALOG)
    before = store.latest("aws", "us-east-1")
    store.keep(shipped())
    assert store.latest("aws", "us-east-1").catalog == shipped()
    assert before.catalog == CATALOG
    assert [each.name for each in tmp_path.iterdir()] == ["aws-us-east-1.json"]
    assert load(str(tmp_path / "aws-us-east-1.json")) == shipped()


def reading(machines: int, prices: int, kind: CapacityType = ON_DEMAND) -> Reading:
    """So many machines, of which so many have a price."""
    names = [f"m{n}" for n in range(machines)]
    return Reading(
        region="us-east-1",
        source="a test",
        at_s=2,
        machines=tuple(Machine(name=name, vcpus=1, memory_mib=1) for name in names),
        offers=tuple(Offer(name, "a", kind, "1") for name in names[:prices]),
    )


@pytest.mark.parametrize(
    ("fresh", "problem"),
    [
        (reading(0, 0), "no machine came back"),
        (reading(10, 0), "no price that can be right came back"),
        (reading(4, 4), "only 4 machines came back, there were 10"),
        (reading(10, 4), "only 4 on-demand prices came back, there were 10"),
        (reading(10, 10, SPOT), "only 0 on-demand prices came back, there were 10"),
        (reading(5, 5), ""),
    ],
)
def test_too_little_is_not_taken_for_all(fresh: Reading, problem: str) -> None:
    """Then the last good catalogue stays."""
    known = judge(reading(10, 10), provider="aws", known=None).catalog
    judged = judge(fresh, provider="aws", known=known)
    assert (judged.problem, judged.catalog is None) == (problem, bool(problem))
