"""Rules, one a file, pure: each shapes the problem before it is solved, and reviews the plan after.

A rule is a frozen dataclass behind `autoscale.ports.Policy`, found through the entry point group
`gpu_autoscale.policies`. Its fields say in their metadata how they are written in the configuration (`option`), so that
the configuration can check them without knowing any rule. Nothing here reads a clock, a file or the network.
"""
