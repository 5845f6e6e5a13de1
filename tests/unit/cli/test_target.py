"""Who is meant by a name."""

import pytest

from autoscale.cli.target import Found, Target, find, parse
from autoscale.errors import BadInput
from autoscale.model.admission import Admission, Workload
from tests.builders import pod

WEB = (pod("web-1-a", owner="ReplicaSet/web-1"), pod("web-1-b", owner="ReplicaSet/web-1"))
TRAIN = pod("train-0", namespace="ml", owner="StatefulSet/train")
DEPLOYMENT = Workload("Deployment", "default", "web")
REPLICA_SET = Workload("ReplicaSet", "default", "web-1", owner="Deployment/web")
STATEFUL_SET = Workload("StatefulSet", "ml", "train")
ADMISSION = Admission((DEPLOYMENT, REPLICA_SET, STATEFUL_SET))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", Target("default", "", "web")),
        ("ml/web", Target("ml", "", "web")),
        ("ml/deploy/web", Target("ml", "Deployment", "web")),
        ("ml/Pods/web", Target("ml", "Pod", "web")),
        ("sts/web", Target("default", "StatefulSet", "web")),
    ],
)
def test_a_name_is_read(text: str, expected: Target) -> None:
    """With or without namespace and kind."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a/b/c/d", "a/b/c/d: no name of a pod, expected NAMESPACE/NAME or NAMESPACE/KIND/NAME"),
        ("ml/", "ml/: no name of a pod, expected NAMESPACE/NAME or NAMESPACE/KIND/NAME"),
        ("ml/deploymnt/a", "ml/deploymnt/a: unknown kind 'deploymnt', expected deployment"),
    ],
)
def test_no_name(text: str, sentence: str) -> None:
    """One sentence with what was expected."""
    with pytest.raises(BadInput) as said:
        parse(text)
    assert str(said.value) == sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("default/web-1-a", Found(None, WEB[:1])),
        ("default/web", Found(DEPLOYMENT, WEB)),
        ("default/rs/web-1", Found(REPLICA_SET, WEB)),
        ("default/web-1", Found(REPLICA_SET, WEB)),
        ("default/web-1-", Found(None, WEB)),
        ("ml/train", Found(STATEFUL_SET, (TRAIN,))),
        ("ml/pod/train", Found(None, (TRAIN,))),
    ],
)
def test_who_is_meant(text: str, expected: Found) -> None:
    """A pod of that name, else what makes pods, else what names begin with."""
    assert find(parse(text), (*WEB, TRAIN), ADMISSION) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "ml/trian-0",
            (
                "ml/trian-0: there is no pod, nor anything that makes pods, of that name that has not finished, "
                "expected ml/train-0"
            ),
        ),
        ("ml/job/train", "ml/job/train: there is no Job of that name"),
        ("default/sts/web", "default/statefulset/web: there is no StatefulSet of that name, expected ml/train"),
        (
            "x/y",
            (
                "x/y: there is no pod, nor anything that makes pods, of that name that has not finished, expected one of "
                "default/web, default/web-1, default/web-1-a, default/web-1-b, ml/train ..."
            ),
        ),
    ],
)
def test_nobody_is_meant(text: str, sentence: str) -> None:
    """The nearest name that there is, else some."""
    with pytest.raises(BadInput) as said:
        find(parse(text), (*WEB, TRAIN), ADMISSION)
    assert str(said.value) == sentence
