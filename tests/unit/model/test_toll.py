"""How many nodes have gone lately, as it is written down."""

from autoscale.model.toll import added, read, since, told
from tests.builders import NOW


def test_what_is_told_is_read() -> None:
    """And whatever somebody else wrote there is left out."""
    toll = ((NOW - 60, 3), (NOW, 1))
    assert read(told(toll)) == toll
    assert read("") == ()
    assert read(f"x,1=,=2,{NOW}=2,9=-1,\u0661=1") == ((NOW, 2),)


def test_hours_that_are_over_become_one_number_each_and_days_none() -> None:
    """So the text stays short, and what counts within an hour and a day stays right."""
    toll = ((NOW - 86_400, 7), *((NOW - 4000 - i, 1) for i in range(50)), (NOW - 100, 2))
    kept = added(tuple(sorted(toll)), 4, NOW)
    assert len(kept) <= 4
    assert (since(kept, NOW, 3600), since(kept, NOW, 86_400)) == (6, 56)
    assert added((), 2, NOW) == ((NOW, 2),)
