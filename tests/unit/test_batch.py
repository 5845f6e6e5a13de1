"""Bursts of pods."""

from autoscale.batch import Batch


def test_whoever_waits_at_the_first_look_is_planned_at_once() -> None:
    """An engine that starts does not wait for pods that were there before it."""
    assert Batch(1.0, 10.0).hold_back(frozenset({"a", "b"}), 0.0) == frozenset()


def test_a_burst_is_held_until_it_is_quiet() -> None:
    """New pods wait until nobody new has come for a second; those planned before are never held."""
    batch = Batch(1.0, 10.0)
    batch.hold_back(frozenset({"a"}), 0.0)
    assert batch.hold_back(frozenset({"a", "b"}), 5.0) == {"b"}
    assert batch.hold_back(frozenset({"a", "b", "c"}), 5.9) == {"b", "c"}
    assert batch.left_s(6.4) == 0.5
    assert batch.hold_back(frozenset({"a", "b", "c"}), 6.8) == {"b", "c"}
    assert batch.hold_back(frozenset({"a", "b", "c"}), 6.9) == frozenset()
    assert batch.left_s(6.9) == float("inf")


def test_a_burst_that_never_ends_is_cut_off() -> None:
    """Pods that keep coming are planned ten seconds after the first of them, at the latest."""
    batch = Batch(1.0, 10.0)
    batch.hold_back(frozenset(), 0.0)
    held = [len(batch.hold_back(frozenset(map(str, range(step + 1))), 0.5 * step)) for step in range(22)]
    assert held == [*range(1, 21), 0, 1]


def test_a_pod_that_went_away_is_forgotten() -> None:
    """A pod that comes back under the same uid counts as new."""
    batch = Batch(1.0, 10.0)
    batch.hold_back(frozenset({"a"}), 0.0)
    batch.hold_back(frozenset(), 1.0)
    assert batch.hold_back(frozenset({"a"}), 2.0) == {"a"}


def test_a_burst_known_to_be_over_is_not_held() -> None:
    """Whoever waited for quiet already does not wait again."""
    batch = Batch(1.0, 10.0)
    batch.hold_back(frozenset(), 0.0)
    assert batch.hold_back(frozenset({"a"}), 1.0, over=True) == frozenset()
