"""Cases depend on the seed alone."""

from .daemons import crews
from .generate import cases
from .nominees import nominees
from .rivals import rivals
from .scenes import scenes
from .unasked import pods


def test_a_seed_makes_the_same_cases() -> None:
    """The same seed gives the same cases, another seed gives others."""
    assert list(cases(1, 40)) == list(cases(1, 40))
    assert list(cases(1, 40)) != list(cases(2, 40))
    assert rivals(1, 3) == rivals(1, 3) != rivals(2, 3)
    assert crews(1, 3) == crews(1, 3) != crews(2, 3)
    assert nominees(1, 3) == nominees(1, 3) != nominees(2, 3)
    assert list(pods(1, 3)) == list(pods(1, 3)) != list(pods(2, 3))
    assert list(scenes(1, 10)) == list(scenes(1, 10))
    assert list(scenes(1, 10)) != list(scenes(2, 10))
