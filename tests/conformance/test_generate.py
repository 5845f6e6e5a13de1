"""Cases depend on the seed alone."""

from .generate import cases


def test_a_seed_makes_the_same_cases() -> None:
    """The same seed gives the same cases, another seed gives others."""
    assert list(cases(1, 40)) == list(cases(1, 40))
    assert list(cases(1, 40)) != list(cases(2, 40))
