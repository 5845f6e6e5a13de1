"""The keys that we write onto pods and nodes (see ARCHITECTURE.md, reservation)."""

PREFIX = "gpu-autoscale.dev/"
SLOT = PREFIX + "slot"  # annotation on pods and nodes; key of the taint and of the toleration
GROUP = PREFIX + "group"
CLAIMED_AT = PREFIX + "claimed-at"
RESERVATION = PREFIX + "reservation"
RESERVED_AT = PREFIX + "reserved-at"

STARTING = "starting"  # value of the taint that a group's machines may register with, so that nobody comes too early

PHASES = ("assigned", "held", "released")
