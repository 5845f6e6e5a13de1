"""Claims, volumes, classes and limits as the API server writes them; and volumes in files."""

import json
from pathlib import Path
from typing import Any

from autoscale.model.rules import Requirement
from autoscale.model.storage import (
    AttachLimits,
    Attachment,
    Driver,
    StorageCapacity,
    StorageClass,
    Volume,
    VolumeClaim,
)
from autoscale.model.workload import ClaimUse, NodeSelectorTerm
from autoscale.observe import storage
from autoscale.observe.manifests import load_manifests

ZONE = "topology.kubernetes.io/zone"


def raw(name: str, spec: dict[str, Any] | None = None, /, **more: Any) -> bytes:
    """An object."""
    meta = {"name": name, **more.pop("meta", {})}
    return json.dumps({"metadata": meta, "spec": spec, **more}).encode()


def test_a_claim() -> None:
    """Bound is what the binding controller has completed."""
    done = {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}, "namespace": "ml"}
    spec = {"volumeName": "pv", "storageClassName": "ssd", "accessModes": ["ReadWriteOncePod"]}
    assert storage.claim(raw("data", spec, meta=done)) == VolumeClaim(
        "ml", "data", "pv", True, storage_class="ssd", one_pod=True
    )
    chosen = {"annotations": {"volume.kubernetes.io/selected-node": "n1"}}
    assert storage.claim(raw("data", {"volumeName": "pv"}, meta=chosen)) == VolumeClaim(
        "default", "data", "pv", selected_node="n1"
    )
    assert storage.claim(raw("data", status={"phase": "Lost"})).lost


def test_a_volume() -> None:
    """Node affinity, driver, and the labels of old zones under their new names."""
    terms = [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["z1"]}]}]
    spec = {"csi": {"driver": "ebs.csi.aws.com"}, "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}
    affinity = (NodeSelectorTerm((Requirement(ZONE, "In", ("z1",)),)),)
    assert storage.volume(raw("pv", spec)) == Volume("pv", affinity, (), "ebs.csi.aws.com")
    old = {"labels": {"failure-domain.beta.kubernetes.io/zone": "z2__z1"}}
    assert storage.volume(raw("pv", {}, meta=old)) == Volume("pv", zones=((ZONE, ("z1", "z2")),))


def test_a_storage_class_and_limits() -> None:
    """Topologies as terms; a driver without a number has no limit."""
    topologies = [{"matchLabelExpressions": [{"key": ZONE, "values": ["z2", "z1"]}]}]
    meta = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    found = storage.storage_class(
        raw("ssd", provisioner="x", volumeBindingMode="WaitForFirstConsumer", allowedTopologies=topologies, meta=meta)
    )
    terms = (NodeSelectorTerm((Requirement(ZONE, "In", ("z1", "z2")),)),)
    assert found == StorageClass("ssd", "x", True, terms, True)
    drivers = [{"name": "a", "allocatable": {"count": 25}}, {"name": "b"}]
    assert storage.attach_limits(raw("n1", {"drivers": drivers})) == AttachLimits("n1", {"a": 25})


def _stateful_set() -> dict[str, Any]:
    containers = [{"name": "m", "image": "x"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "template": {"spec": {"containers": containers}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": "ssd"}}],
        },
    }


def test_files_with_storage_classes(tmp_path: Path) -> None:
    """A StatefulSet's pods each have the claim that is made for them."""
    class_ = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "ssd"},
        "provisioner": "x",
    }
    file = tmp_path / "all.json"
    file.write_text(json.dumps({"kind": "List", "items": [_stateful_set(), class_]}))
    view = load_manifests([str(file)]).view
    assert [p.shape.claims for p in view.pods] == [
        (ClaimUse(f"data-web-{i}", made=True, storage_class="ssd"),) for i in range(2)
    ]
    assert view.storage.classes == {"ssd": StorageClass("ssd", "x")}


def test_files_without_storage_classes(tmp_path: Path) -> None:
    """Nobody is kept anywhere by a volume that is in no file, and a note says so."""
    file = tmp_path / "all.json"
    file.write_text(json.dumps(_stateful_set()))
    found = load_manifests([str(file)])
    assert [p.shape.claims for p in found.view.pods] == [(), ()]
    assert found.notes == ("2 pods claim volumes that are in no file: taken to be made wherever they run",)


def test_what_is_attached_and_how_much_room_there_is() -> None:
    """VolumeAttachments, drivers that tell their capacity, and what they tell."""
    spec = {"attacher": "x", "nodeName": "n1", "source": {"persistentVolumeName": "pv"}}
    assert storage.attachment(raw("a", spec)) == Attachment("a", "n1", "x", "pv")
    assert storage.attachment(raw("a", {**spec, "source": {"inlineVolumeSpec": {}}})) == Attachment("a", "n1", "x", "")
    told = {"storageClassName": "ssd", "capacity": "10Gi", "nodeTopology": {"matchLabels": {ZONE: "z1"}}}
    selector = (Requirement(ZONE, "In", ("z1",)),)
    assert storage.capacity(raw("c", **told)) == StorageCapacity("default", "c", "ssd", selector, 10 * 2**30)
    assert storage.capacity(raw("c", **told, maximumVolumeSize="1Gi")).size_bytes == 2**30
    assert storage.capacity(raw("c", storageClassName="ssd")) == StorageCapacity("default", "c", "ssd")
    assert storage.csi_driver(raw("x", {"storageCapacity": True})) == Driver("x", tells_capacity=True)
    assert storage.csi_driver(raw("x", {})) == Driver("x")
    asks = storage.claim(raw("data", {"resources": {"requests": {"storage": "1Gi"}}}))
    assert asks.size_bytes == 2**30
