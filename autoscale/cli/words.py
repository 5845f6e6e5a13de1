"""Numbers as people read them: money, shares, times, what a pod asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscale.demand.wording import amount
from autoscale.model.problem import WITHOUT_KERNEL
from autoscale.model.units import HOURS_PER_MONTH, MICRO

NO_KERNEL = f"{WITHOUT_KERNEL}: plans may be dearer and proofs weaker -> install a C compiler, then make clean install"

CENT = 10_000  # micro-US$; less is not worth a person's time
_ORDINARY = ("cpu", "memory", "ephemeral-storage", "pods")  # every node has these; the rest are devices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscale.model.explanation import Weight


def per_hour(microusd: int) -> str:
    """`$ 1,204.18/h`."""
    return f"$ {microusd / MICRO:,.2f}/h"


def money(microusd: int) -> str:
    """`$ 1,204.18`."""
    return f"$ {microusd / MICRO:,.2f}"


def per_month(microusd: int) -> str:
    """`$ 33,288 a month`, of 730 hours."""
    return f"$ {microusd * HOURS_PER_MONTH / MICRO:,.0f} a month"


def each(microusd: int) -> str:
    """A node's price per hour: `$ 0.526 each`."""
    return f"$ {microusd / MICRO:,.3f} each"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 node`, `2 nodes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def costs(cost: int, bound: int) -> str:
    """`$ 12.00/h more ($ 8,760 a month); proven: nothing cheaper does it`."""
    if cost <= 0:
        return "buys nothing"
    more = f"{per_hour(cost)} more ({per_month(cost)})"
    if bound >= cost:
        return f"{more}; proven: nothing cheaper does it"
    gap = (cost - bound) * 100 / cost
    return f"{more}; proven: nothing under {per_hour(bound)} does it (gap {gap:.2f} %)"


def weight(limit: Weight) -> str:
    """`limits: 8 nodes at most; costs $ 12.00/h, 1 more node would save $ 3.10/h`; empty when it is less than a cent."""
    source = "" if limit.source == "limit" or limit.text.startswith(limit.source) else f"{limit.source}: "
    said = list(filter(None, (_costs(limit.costs_microusd_per_hour, limit.runs), _saves(limit))))
    return f"{source}{limit.text.partition(', ')[0]}; {', '.join(said)}" if said else ""


def _costs(costs: int, runs: int) -> str:
    """What a limit costs: pods that stay pending for it, and money."""
    if runs > 0:
        more = f", whose nodes would cost {per_hour(-costs)}" if costs < 0 else ""
        return f"keeps {counted(runs, 'pod')} pending{more}"
    return f"costs {per_hour(costs)}" if costs >= CENT else ""


def _saves(limit: Weight) -> str:
    """What one more of it would do."""
    saves, runs = limit.saves_microusd_per_hour, limit.more_run
    if runs > 0:
        price = f" for {per_hour(-saves)}" if saves < 0 else f" and save {per_hour(saves)}" if saves > 0 else ""
        return f"{limit.one_more} would let {counted(runs, 'more pod')} run{price}"
    return f"{limit.one_more} would save {per_hour(saves)}" if saves >= CENT else ""


def percent(used: int, whole: int) -> str:
    """`96 %`, rounded down, so that 100 % means full."""
    return f"{used * 100 // whole} %" if whole else "0 %"


def device(resource: str) -> str:
    """A short name: `nvidia.com/gpu` is `GPU`, `nvidia.com/mig-1g.5gb` is `mig-1g.5gb`."""
    short = resource.rpartition("/")[2]
    return "GPU" if short == "gpu" else short


def asks(requests: Mapping[str, int]) -> str:
    """What a pod asks for that matters most: its devices, else cpu and memory."""
    devices = [f"{number} {device(name)}" for name, number in requests.items() if name not in _ORDINARY]
    if devices:
        return ", ".join(devices)
    return ", ".join(f"{amount(name, requests[name])} {name}" for name in ("cpu", "memory") if requests.get(name))


def is_device(resource: str) -> bool:
    """Whether it is an extended resource, not one that every node has."""
    return resource not in _ORDINARY and not resource.startswith("hugepages-")


def seconds(number: int) -> str:
    """`38 s`, `5 m`, `3 h`, `2 d`: two figures are enough."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if number >= 2 * size:
            return f"{number // size} {unit}"
    return f"{number} s"
