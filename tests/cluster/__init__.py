"""Tests against a real Kubernetes control plane, and the machinery that runs it: binaries, processes, machines, cloud.

Nothing here imports the engine. `controlplane/` builds and runs etcd, the API server, the scheduler and the
controller-manager; `aws.py` runs a moto server; `kubelet.py` turns moto's instances into nodes.
"""
