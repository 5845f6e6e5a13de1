"""The edge that reads: the API server, manifests and problem files become model types here, once.

Quantities are rounded here and nowhere else. `wire` says what is read of an object, `requests` sums as the scheduler
sums, `decode` makes model types; `kube` talks to the API server, `manifests` and `problem_file` read what people write.
"""
