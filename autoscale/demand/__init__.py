"""Who waits for what, and would it run there. Pure: no input, no output, no clock.

`fit` decides whether a shape may run on a node and why not; `places` does that for many nodes at once; `pending` picks
the pods that are ours to plan; `classes` groups those that the scheduler can't tell apart; `daemons` says what
DaemonSets take of a node; `misses` tells a person what stood closest in the way.
"""
