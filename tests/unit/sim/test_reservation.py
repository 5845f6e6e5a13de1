"""The reservation protocol, carried out by hand through KubeCluster on the embedded cluster."""

import time

from autoscale.model.resources import Resources
from autoscale.observe.kube import KubeCluster
from autoscale.sim.boot import BootInstance, CloudBoot
from autoscale.sim.cluster import EmbeddedCluster

GPUS = "nvidia.com/gpu"
PLAN = [[3, 1], [2, 2], [3, 1], [1, 1, 1, 1]]  # GPUs of the pods of each slot: every node is full


def test_pods_run_on_the_very_nodes_that_they_were_claimed_for() -> None:
    """Claim, assign, hold, tolerate, release: the scheduler binds a tight packing as planned, and no taint stays."""
    machines: list[BootInstance] = []
    with (
        EmbeddedCluster() as embedded,
        KubeCluster.connect(embedded.kubeconfig_path) as cluster,
        CloudBoot(embedded, lambda: list(machines), boot_s=0.1, devices_s=1.5, poll_s=0.02),
    ):
        agent = {"template": {"metadata": {}, "spec": {"containers": [{"name": "main"}]}}}
        embedded.create({"kind": "DaemonSet", "metadata": {"name": "agent", "namespace": "kube-system"}, "spec": agent})
        slots: dict[str, list[tuple[str, str]]] = {}
        for number, sizes in enumerate(PLAN):
            for place, gpus in enumerate(sizes):
                name = f"p{number}-{place}"
                containers = [{"name": "main", "resources": {"requests": {"cpu": "1", GPUS: str(gpus)}}}]
                made = embedded.create({"kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers}})
                slots.setdefault(f"plan-{number}", []).append((made["metadata"]["uid"], f"default/{name}"))
        cluster.observe()
        for slot, pods in slots.items():
            for ref in pods:
                cluster.claim(ref, slot=slot, group="g", at_s=1)
        room = Resources({"cpu": 16_000, "memory": 64 << 30, "pods": 110, GPUS: 4})
        machines += [
            BootInstance(id=f"m{i}", provider_id=f"c:///m{i}", node_name=f"m{i}", allocatable=room, devices=(GPUS,))
            for i in range(len(PLAN))
        ]

        open_slots, released, end = list(slots), 0, time.monotonic() + 60
        while released < len(PLAN):
            assert time.monotonic() < end
            generation, view = cluster.generation, cluster.observe()
            bound = {pod.uid for pod in view.pods if pod.node_name}
            agents = {pod.node_name for pod in view.pods if pod.daemon}
            for node in view.nodes:
                if node.reservation is None:
                    cluster.assign(node.name, slot=open_slots.pop(0), at_s=2)
                elif node.reservation.phase == "assigned" and node.name in agents:
                    cluster.hold(node.name, slot=node.reservation.slot, at_s=3)
                    for ref in slots[node.reservation.slot]:
                        cluster.tolerate(ref, slot=node.reservation.slot)
                elif node.reservation.phase == "held" and all(uid in bound for uid, _ in slots[node.reservation.slot]):
                    cluster.release(node.name, slot=node.reservation.slot, at_s=4)
                    released += 1
            cluster.wait_for_change(generation, 0.05)

        view = cluster.observe()
        of_slot = {node.name: node.reservation.slot for node in view.nodes if node.reservation}
        placed = {pod.ref: of_slot[pod.node_name] for pod in view.pods if not pod.daemon}
        assert placed == {ref: slot for slot, pods in slots.items() for _, ref in pods}
        assert [node.taints for node in view.nodes] == [()] * len(PLAN)
