"""What Hypothesis draws for the solver: small problems with every feature of the model, awkward on purpose.

Prices are small and unequal, so that an answer called optimal has no room for a cheaper one within rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from autoscale.model.problem import Demand, Problem, Rule, Supply

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICES = (0, 3, 7, 10, 10, 23, 41)
PENALTIES = (100, 100, 250, 20)  # the last is cheaper than some nodes: leaving a pod pending may then be right


@st.composite
def supplies(draw: st.DrawFn, most: int = 3) -> tuple[Supply, ...]:
    """Up to `most` supplies of two resources; what costs nothing is always limited, as nodes that exist are."""
    made = []
    for o in range(draw(st.integers(0, most))):
        price = draw(st.sampled_from(PRICES))
        limits = (1, 2) if not price else (None, None, None, 0, 1, 2)
        capacity = (draw(st.integers(0, 12)), draw(st.integers(0, 5)))
        made.append(Supply(f"s{o}", capacity, price, draw(st.sampled_from(limits))))
    return tuple(made)


@st.composite
def demands(draw: st.DrawFn, offerings: int, *, most: int = 3, pods: int = 6) -> tuple[Demand, ...]:
    """Up to `most` classes with at most `pods` pods in all; some ask for nothing, some are admitted nowhere."""
    made, left = [], pods
    for c in range(draw(st.integers(0, most))):
        count = draw(st.integers(0, left))
        left -= count
        homes = draw(st.sets(st.sampled_from(range(offerings)))) if offerings else set()
        made.append(
            Demand(
                f"c{c}",
                (draw(st.integers(0, 6)), draw(st.integers(0, 3))),
                count,
                frozenset(homes),
                draw(st.sampled_from(PENALTIES)),
                draw(st.sampled_from((None, None, None, 1, 2))),
            )
        )
    return tuple(made)


def _weights(draw: st.DrawFn, keys: list[int] | list[tuple[int, int]], *, low: int) -> Mapping[object, int]:
    chosen = draw(st.dictionaries(st.sampled_from(keys), st.integers(low, 3), max_size=3)) if keys else {}
    return dict(chosen)


@st.composite
def rules(draw: st.DrawFn, classes: int, offerings: tuple[Supply, ...], *, low: int = -2) -> tuple[Rule, ...]:
    """One or two rules with weights of both signs on nodes and pods, which buying nothing always satisfies.

    Only limited supplies have negative weights on nodes: so few empty nodes make sense that they can be counted out.
    """
    made = []
    pairs = [(c, o) for c in range(classes) for o in range(len(offerings))]
    for k in range(draw(st.integers(1, 2))):
        per_node = {
            o: weight if weight > 0 or offerings[o].limit is not None else -weight  # type: ignore[call-overload]  # _weights gives the keys that it was given
            for o, weight in _weights(draw, list(range(len(offerings))), low=low).items()
        }
        per_pod = _weights(draw, pairs, low=low)
        made.append(Rule(f"r{k}", "law", draw(st.integers(0, 6)), per_node, per_pod))  # type: ignore[arg-type]  # the same
    return tuple(made)


@st.composite
def problems(
    draw: st.DrawFn, *, classes: int = 3, offerings: int = 3, pods: int = 6, ruled: bool = False, low: int = -2
) -> Problem:
    """A whole small problem; `ruled` adds rules, whose weights are at least `low`."""
    sold = draw(supplies(offerings))
    wanted = draw(demands(len(sold), most=classes, pods=pods))
    held = draw(rules(len(wanted), sold, low=low)) if ruled else ()
    return Problem(("cpu", "gpu"), wanted, sold, held, draw(st.sampled_from((0, 0, 2))))
