"""The keys that we write onto pods and nodes, and one that we read (see ARCHITECTURE.md)."""

PREFIX = "gpu-autoscale.dev/"
SLOT = PREFIX + "slot"  # annotation on pods and nodes; key of the taint and of the toleration
GROUP = PREFIX + "group"
CLAIMED_AT = PREFIX + "claimed-at"
RESERVATION = PREFIX + "reservation"
RESERVED_AT = PREFIX + "reserved-at"

NEXT_SLOT = PREFIX + "next-slot"  # on pods that run on a node that goes: the slot bought for whoever takes their place
NEXT_GROUP = PREFIX + "next-group"
NEXT_CLAIMED_AT = PREFIX + "next-claimed-at"
DISRUPTED = PREFIX + "disrupted"  # taint and annotation of a node that goes: why
DISRUPTED_AT = PREFIX + "disrupted-at"
CHECKPOINTED_AT = PREFIX + "checkpointed-at"  # when a pod last wrote down how far it is, RFC 3339
START_UP = PREFIX + "start-up"  # how long a pod needs before it works, such as 10m
CHECKPOINTS = PREFIX + "checkpoints"  # a job's pod says with it that it goes on where it was stopped

FREEZES = "kube-system"  # the namespace that is annotated for the whole cluster: it is always there, and admins' alone
FREEZE = PREFIX + "freeze"  # ... with this, to freeze all removals, and why

GONE = PREFIX + "gone"  # ... and with this, how many nodes have gone in the last day, and when

STARTING = "starting"  # value of the taint that a group's machines may register with, so that nobody comes too early

PHASES = ("assigned", "held", "released")
