"""The engine: observes a cluster, decides which GPU nodes it should have, proves how good that is, and acts.

It knows no cloud and no rule by name: providers and policies are found through entry points and reach it only through
`autoscale.ports`.
"""

__version__ = "0.1.0"
