"""Makes volumes where the scheduler wants them, as a CSI driver's controller would: claims that wait for a pod get one."""

from contextlib import suppress

from tests.cluster.controlplane import Api, ApiError, Json

SELECTED = "volume.kubernetes.io/selected-node"
_CLAIMS = "/api/v1/persistentvolumeclaims"


def provision(api: Api) -> None:
    """Bind every claim that the scheduler has chosen a node for to a volume of its own."""
    for claim in api.items(_CLAIMS):
        if SELECTED in claim["metadata"].get("annotations", {}) and not claim["spec"].get("volumeName"):
            with suppress(ApiError):  # gone with its pod, or changed: the next look finds it again
                _bind(api, claim)


def _bind(api: Api, claim: Json) -> None:
    meta, spec = claim["metadata"], claim["spec"]
    name = f"pv-{meta['uid']}"
    about = {"kind": "PersistentVolumeClaim", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
    volume = {
        "accessModes": spec["accessModes"],
        "storageClassName": spec["storageClassName"],
        "capacity": spec["resources"]["requests"],
        "csi": {"driver": spec["storageClassName"], "volumeHandle": name},
        "claimRef": about,
    }
    api.create("/api/v1/persistentvolumes", {"metadata": {"name": name}, "spec": volume})
    done = {"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}, "spec": {"volumeName": name}}
    path = f"/api/v1/namespaces/{meta['namespace']}/persistentvolumeclaims/{meta['name']}"
    api.patch(path, done)
    api.patch(f"{path}/status", {"status": {"phase": "Bound"}})
