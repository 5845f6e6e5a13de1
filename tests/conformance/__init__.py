"""Whether the engine judges pods and nodes as the real kube-scheduler does: `make conformance`.

`generate` makes clusters from a seed, `judge` asks the scheduler, `engine` asks us, `compare` finds where they differ,
`scenes` and `among` do the same for pods among others, `shrink` makes a difference small and `scenario` keeps it in `found/`, where a fast test replays it for ever.
`plans` makes whole plans from a seed, `whole` carries them out on the scheduler while nodes join late or never.
"""
