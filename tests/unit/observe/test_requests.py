"""How a pod's request is summed, against the rules of the scheduler."""

import json
from typing import Any

import pytest

from autoscale.model.resources import Resources
from autoscale.observe.requests import BadQuantity, Resize, pod_requests


def raw(requests: dict[str, Any] | None = None, limits: dict[str, Any] | None = None) -> bytes:
    """A container's resources as bytes."""
    return json.dumps({"requests": requests, "limits": limits}).encode()


def test_containers_add_up_with_one_pod() -> None:
    """A pod asks for the sum of its containers and for one of `pods`."""
    containers = [("a", raw({"cpu": "250m", "memory": "1Gi"})), ("b", raw({"cpu": "1", "nvidia.com/gpu": "2"}))]
    assert pod_requests(containers) == Resources({"cpu": 1250, "memory": 2**30, "nvidia.com/gpu": 2, "pods": 1})


def test_a_large_init_container_raises_the_request() -> None:
    """Init containers run one after the other: the largest counts where it exceeds the containers' sum."""
    inits = [("fetch", raw({"cpu": "4", "memory": "1Mi"}), False), ("warm", raw({"cpu": "3", "memory": "9Gi"}), False)]
    found = pod_requests([("main", raw({"cpu": "1", "memory": "2Gi"}))], inits)
    assert found == Resources({"cpu": 4000, "memory": 9 * 2**30, "pods": 1})


def test_a_sidecar_counts_with_containers_and_later_init_containers() -> None:
    """A sidecar runs beside all that start after it, and not beside init containers before it."""
    main = [("main", raw({"cpu": "1"}))]
    sidecar = ("proxy", raw({"cpu": "2"}), True)
    init = ("fetch", raw({"cpu": "5"}), False)
    assert pod_requests(main, [sidecar, init]) == Resources({"cpu": 7000, "pods": 1})
    assert pod_requests(main, [init, sidecar]) == Resources({"cpu": 5000, "pods": 1})


def test_two_sidecars_add_up() -> None:
    """Each sidecar adds to the containers' sum."""
    sidecars = [("a", raw({"cpu": "2"}), True), ("b", raw({"cpu": "3"}), True)]
    assert pod_requests([("main", raw({"cpu": "1"}))], sidecars) == Resources({"cpu": 6000, "pods": 1})


def test_overhead_is_added_last() -> None:
    """A runtime class's overhead comes on top of everything."""
    found = pod_requests(
        [("main", raw({"cpu": "1"}))], [("init", raw({"cpu": "3"}), False)], overhead=b'{"cpu":"250m","memory":"64Mi"}'
    )
    assert found == Resources({"cpu": 3250, "memory": 64 * 2**20, "pods": 1})


def test_a_limit_alone_is_the_request() -> None:
    """What has a limit and no request asks for its limit, resource by resource."""
    found = pod_requests([("main", raw({"cpu": "1"}, {"cpu": "2", "nvidia.com/gpu": "8"}))])
    assert found == Resources({"cpu": 1000, "nvidia.com/gpu": 8, "pods": 1})


def test_pod_level_resources_take_the_place_of_sums() -> None:
    """Pod-level requests override cpu and memory, and leave devices to the containers."""
    found = pod_requests(
        [("main", raw({"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}))],
        pod_level=raw({"cpu": "3", "nvidia.com/gpu": "7"}),
        overhead=b'{"cpu":"1"}',
    )
    assert found == Resources({"cpu": 4000, "memory": 2**30, "nvidia.com/gpu": 1, "pods": 1})


def test_a_pod_level_limit_counts_where_no_container_asks() -> None:
    """A pod-level limit is the request only of a resource that no container asks for."""
    found = pod_requests([("main", raw({"cpu": "1"}))], pod_level=raw(None, {"cpu": "3", "memory": "2Gi"}))
    assert found == Resources({"cpu": 1000, "memory": 2 * 2**30, "pods": 1})


def test_a_pod_level_limit_of_huge_pages_counts_always() -> None:
    """Huge pages can't be overcommitted: a pod-level limit is the request whatever containers ask for."""
    pages = {"cpu": "1", "hugepages-2Mi": "2Mi"}
    found = pod_requests([("main", raw(pages, pages))], pod_level=raw(None, {"hugepages-2Mi": "64Mi"}))
    assert found == Resources({"cpu": 1000, "hugepages-2Mi": 64 * 2**20, "pods": 1})


def test_rounding_is_up_and_once() -> None:
    """Fractions of bytes are summed exactly and rounded up at the end, as the scheduler does."""
    assert pod_requests([("a", raw({"memory": "100m"})), ("b", raw({"memory": "100m"}))]) == Resources(
        {"memory": 1, "pods": 1}
    )
    assert pod_requests([("a", raw({"cpu": "0.0001"}))]) == Resources({"cpu": 1, "pods": 1})


def test_numbers_are_quantities() -> None:
    """YAML's bare numbers read like their text."""
    assert pod_requests([("a", raw({"cpu": 0.5, "memory": 1e9}))]) == Resources(
        {"cpu": 500, "memory": 10**9, "pods": 1}
    )


@pytest.mark.parametrize("bad", ["-1", "1x", "", "1 Gi", "Gi", True, None, [1]])
def test_a_bad_quantity_names_container_and_key(bad: Any) -> None:
    """What is no quantity, or is negative, is told with its container, key and text."""
    with pytest.raises(BadQuantity) as caught:
        pod_requests([("ok", raw({"cpu": "1"})), ("main", raw({"memory": bad}))])
    assert (caught.value.where, caught.value.key, caught.value.found) == (
        "container main, requests",
        "memory",
        bad if isinstance(bad, str) and bad else json.dumps(bad),
    )


@pytest.mark.parametrize("nothing", [b"", b"null", b"{}", b'{"requests":null}'])
def test_absent_and_null_resources_are_nothing(nothing: bytes) -> None:
    """Absent, null and empty resources ask for nothing but a place."""
    assert pod_requests([("main", nothing)]) == Resources({"pods": 1})


@pytest.mark.parametrize(
    ("allocated", "actuated", "infeasible", "cpu"),
    [
        ("1", "1", False, 3000),  # asked for more: it counts at once
        ("4", "1", False, 4000),  # the kubelet has set more aside
        ("1", "5", False, 5000),  # it has more still
        ("1", "2", True, 2000),  # no node could ever give it: what it has
        ("2", "1", True, 2000),
    ],
)
def test_while_a_pod_is_resized_the_larger_counts(allocated: str, actuated: str, infeasible: bool, cpu: int) -> None:  # noqa: FBT001 - a case
    """Of what is asked for, allocated and there; what is infeasible is not counted."""
    resize = Resize((("m", raw({"cpu": actuated}), json.dumps({"cpu": allocated}).encode()),), infeasible=infeasible)
    assert pod_requests([("m", raw({"cpu": "3"}))], resize=resize) == Resources({"cpu": cpu, "pods": 1})


def test_a_status_without_resources_says_nothing() -> None:
    """The API's null is not an empty list of resources."""
    resize = Resize((("m", b"null", b'{"cpu": "9"}'), ("gone", raw({"cpu": "9"}), b"")))
    assert pod_requests([("m", raw({"cpu": "3"}))], resize=resize) == Resources({"cpu": 3000, "pods": 1})


def test_sidecars_are_resized_and_plain_init_containers_are_not() -> None:
    """As the scheduler looks at them."""
    resize = Resize((("s", raw({"cpu": "4"}), b""), ("i", raw({"cpu": "9"}), b"")))
    found = pod_requests([], [("s", raw({"cpu": "1"}), True), ("i", raw({"cpu": "1"}), False)], resize=resize)
    assert found == Resources({"cpu": 5000, "pods": 1})


def test_a_pod_as_a_whole_is_resized() -> None:
    """Only what is asked for at the level of the pod is read at that level."""
    resize = Resize(pod=(raw({"cpu": "4", "memory": "8Gi"}), b'{"cpu": "3"}'))
    found = pod_requests([("m", raw({"memory": "1Gi"}))], pod_level=raw({"cpu": "2"}), resize=resize)
    assert found == Resources({"cpu": 4000, "memory": 2**30, "pods": 1})
