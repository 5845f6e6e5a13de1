"""Schedules find what is wrong with a provider, and say it in few steps."""

from dataclasses import replace

from autoscale.testing import Schedule, Step, drawn, failure, shrunk

from .cloud_fake import FakeCloud


class Forgetful(FakeCloud):
    """A fake that carries out an order a second time when it is asked for more while its answers are lost."""

    def __init__(self) -> None:
        super().__init__()
        resize = self._fake.resize
        self.lost = False

        def twice(group: str, *, target_nodes: int, request_id: str) -> None:
            resize(group, target_nodes=target_nodes + self.lost, request_id=request_id)

        self._fake.resize = twice  # type: ignore[method-assign]  # a defect for the test to find

    def lose(self, verb: str) -> None:
        """From now on it is forgetful."""
        super().lose(verb)
        self.lost = self.lost or verb == "resize"


def test_a_purchase_too_many_is_found_and_told_in_three_steps() -> None:
    """What does not matter is left out: an answer is lost, more is needed."""
    seeds = (drawn(seed, stock_outs=True) for seed in range(200))
    found = next(each for each in seeds if failure(Forgetful(), each))
    small = shrunk(found, lambda each: bool(failure(Forgetful(), each)))
    assert sorted({step.do for step in small.steps} - {"tick"}) == ["lose", "need"]
    assert len(small.steps) <= 3
    assert "at most were asked for" in failure(Forgetful(), small)
    assert failure(FakeCloud(), small) == ""


def test_a_schedule_is_its_text() -> None:
    """What was kept is what is played."""
    schedule = drawn(7, stock_outs=True)
    assert Schedule.of(schedule.text()) == schedule
    assert Schedule.of(replace(schedule, steps=(Step("refuse", 1, "resize", "denied"),)).text()).steps == (
        Step("refuse", 1, "resize", "denied"),
    )


def test_a_seed_is_one_schedule_with_stock_outs_where_there_can_be_any() -> None:
    """Whoever is told a seed can play it."""
    with_, without = (drawn(3, stock_outs=each) for each in (True, False))
    assert (drawn(3, stock_outs=True), drawn(3, stock_outs=False)) == (with_, without)
    every = {step.do for seed in range(100) for step in drawn(seed, stock_outs=False).steps}
    assert every == {"need", "tick", "refuse", "lose", "mend", "freeze", "thaw", "person"}
    assert {"starve", "feed"} <= {step.do for seed in range(100) for step in drawn(seed, stock_outs=True).steps}
