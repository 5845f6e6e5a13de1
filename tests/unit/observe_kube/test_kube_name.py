"""What the cluster is called when the configuration does not say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from autoscale.observe.kube_name import cluster_name

if TYPE_CHECKING:
    from pathlib import Path


def kubeconfig(path: Path, *clusters: str) -> str:
    """A kubeconfig with a context `at-N` for each cluster; the first is current."""
    contexts = [{"name": f"at-{n}", "context": {"cluster": name}} for n, name in enumerate(clusters)]
    path.write_text(json.dumps({"current-context": "at-0", "contexts": contexts}))
    return str(path)


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("arn:aws:eks:us-east-1:123456789012:cluster/prod", "prod"),
        ("prod.us-east-1.eksctl.io", "prod"),
        ("kind-dev", "kind-dev"),
        ("", "cluster"),
    ],
)
def test_the_current_contexts_cluster_gives_the_name(tmp_path: Path, full: str, short: str) -> None:
    """The way that the usual tools write it is taken apart."""
    assert cluster_name(kubeconfig(tmp_path / "config", full), None) == short


def test_another_context_is_another_cluster(tmp_path: Path) -> None:
    """`--context` decides."""
    assert cluster_name(kubeconfig(tmp_path / "config", "one", "two"), "at-1") == "two"


@pytest.mark.parametrize("text", ["", "[]", "{", "contexts: 3", "\x00"])
def test_what_is_no_kubeconfig_names_nothing(tmp_path: Path, text: str) -> None:
    """Whoever connects will tell what is wrong with it."""
    path = tmp_path / "config"
    path.write_text(text)
    assert cluster_name(str(path), None) == "cluster"
    assert cluster_name(str(tmp_path / "absent"), "x") == "cluster"
