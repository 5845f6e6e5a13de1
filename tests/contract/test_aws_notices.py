"""Notices from a queue on moto: heard at once, laid over the view, and deleted when their machine is gone."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from autoscale.model.supply import Notice, NoticeKind
from providers.aws.events import KINDS

from .cloud_aws import SECRET, client
from .wire import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .cloud_aws import AwsCloud

DEPLOY = Path(__file__).parents[2] / "deploy" / "aws"


def spot(instance: str, **more: Any) -> str:
    """EventBridge's warning."""
    detail = {"instance-id": instance, "instance-action": "terminate"}
    usual = {"detail-type": "EC2 Spot Instance Interruption Warning", "source": "aws.ec2"}
    return json.dumps(usual | {"time": "2026-07-20T12:00:00Z", "detail": detail} | more)


SPOT = Notice(NoticeKind.INTERRUPTED, "Amazon takes the spot machine back (terminate)", 1_784_548_920)


class Post:
    """The queue, and who listens to it."""

    def __init__(self, aws: AwsCloud) -> None:
        self.aws = aws
        self.url = aws.queue()
        self.rings: list[float] = []

    def listen(self) -> None:
        """The provider begins to."""
        self.aws.aws.listen(lambda: self.rings.append(time.monotonic()))

    def send(self, *bodies: str) -> None:
        """As EventBridge does."""
        for body in bodies:
            client("sqs", self.aws.wire.moto.url).send_message(QueueUrl=self.url, MessageBody=body)

    def left(self) -> int:
        """Messages in the queue, in sight or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = client("sqs", self.aws.wire.moto.url).get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(asked["Attributes"][name]) for name in names)

    def notices(self, group: str) -> dict[str, Notice | None]:
        """As the view has them, group for group."""
        (found,) = [each for each in self.aws.provider.observe().groups if each.id == group]
        return {each.id: each.notice for each in found.instances}

    def notes(self) -> list[str]:
        """Of the view."""
        view = self.aws.provider.observe()
        assert view.faults == ()
        return [note.text for note in view.notes]


@pytest.fixture
def post(aws: AwsCloud) -> Iterator[Post]:
    """Who listens is deaf in the end."""
    found = Post(aws)
    yield found
    aws.aws.deafen()


def eventually(met: Callable[[], bool]) -> None:
    """Wait for another thread, long enough for any machine."""
    until = time.monotonic() + 60
    while not met():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.05)


def test_a_warning_rings_and_is_in_the_next_view(post: Post) -> None:
    """Once, though it was sent twice; the other machine has none."""
    group = post.aws.create("gpu", nodes=2)
    first, second = sorted(post.aws.truth(group)[1])
    post.listen()
    post.send(spot(first), spot(first))
    eventually(lambda: len(post.rings) > 0)
    assert post.notices(group) == {first: SPOT, second: None}
    eventually(lambda: post.aws.wire.actions.count("sqs:ReceiveMessage") > 3)
    assert len(post.rings) == 1


def test_a_message_is_kept_until_its_machine_is_gone_so_that_a_new_engine_hears_it_too(post: Post) -> None:
    """The first engine ends without a word; the second drains, removes, and deletes the message."""
    group = post.aws.create("gpu", nodes=1)
    (machine,) = post.aws.truth(group)[1]
    post.listen()
    post.send(spot(machine))
    eventually(lambda: post.notices(group) == {machine: SPOT})
    post.aws.aws.deafen()
    assert post.left() == 1
    post.aws.again()
    post.listen()
    eventually(lambda: post.notices(group) == {machine: SPOT})
    post.aws.provider.remove(group, [machine], request_id="plan-1")
    post.aws.provider.observe()
    eventually(lambda: post.left() == 0)


def test_what_is_none_of_ours_is_deleted(post: Post) -> None:
    """Malformed at once and noted, foreign kinds at once, foreign machines when they had their time to show; in one batch."""
    post.aws.create("gpu", nodes=1)
    post.listen()
    other = json.dumps({"detail-type": "Object Created", "source": "aws.s3", "detail": {}})
    post.send("hello", spot("no id"), other)
    eventually(lambda: post.left() == 0)
    expected = "2 messages of queue notices could not be read, the last one: ValueError: not the id of an instance"
    assert (post.notes(), post.rings) == ([expected], [])
    post.send(spot("i-0123456789abcdef0"))
    eventually(lambda: len(post.rings) == 1)
    post.aws.provider.observe()
    post.aws.clock.sleep(120)
    post.aws.provider.observe()
    eventually(lambda: post.left() == 0)


def test_trouble_with_the_queue_is_a_note_and_passes(post: Post) -> None:
    """No such queue, no right to read it: said in the view, without a fault, and tried again."""
    group = post.aws.create("gpu", nodes=1)
    no = (400, "AccessDeniedException", f"no access for {SECRET[:4]}")
    post.aws.wire.rules.append(Rule("GetQueueUrl", times=1, error=no))
    post.listen()
    eventually(lambda: post.notes() != [])
    assert post.notes()[0].startswith("interruptions are not heard of: sqs:GetQueueUrl: no access")
    post.send(spot(post.aws.truth(group)[1][0]))
    eventually(lambda: post.rings != [])
    eventually(lambda: post.notes() == [])


def test_no_secret_of_a_message_or_an_error_is_ever_shown(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever may write to the queue, and whatever Amazon answers: not in a view, a note or a log line of any level.

    But for what botocore itself would log of its wire for whoever asks it to, which nothing of ours does.
    """
    caplog.set_level(logging.DEBUG)
    group = post.aws.create("gpu", nodes=1)
    (machine,) = post.aws.truth(group)[1]
    planted = {"instance-action": f"x {SECRET}", "note": SECRET}
    post.aws.wire.rules.append(
        Rule("ReceiveMessage", times=1, error=(403, "InvalidClientTokenId", "The token is invalid."))
    )
    post.listen()
    eventually(lambda: post.notes() != [])
    shown = [*post.notes()]
    post.send(f"hello {SECRET}", spot(SECRET), spot(machine, detail={"instance-id": machine, **planted}))
    eventually(lambda: post.rings != [] and post.left() == 1)
    shown.append(repr(post.aws.provider.observe()))
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("botocore", "urllib3"))]
    text = "\n".join((*shown, *ours))
    assert "Amazon takes the spot machine back (terminate)" in text
    assert SECRET not in text


def test_what_we_remove_ourselves_rings_nobody(post: Post) -> None:
    """Amazon tells of every machine that stops."""
    group = post.aws.create("gpu", nodes=2)
    first, second = sorted(post.aws.truth(group)[1])
    post.aws.provider.remove(group, [first], request_id="plan-1")
    post.listen()
    stops = {"detail-type": "EC2 Instance State-change Notification"}
    post.send(spot(first, **stops, detail={"instance-id": first, "state": "shutting-down"}))
    eventually(lambda: post.left() == 0)
    assert (post.rings, post.notices(group)[second]) == ([], None)


def test_the_shipped_policy_for_notices_grants_what_is_called(post: Post) -> None:
    """A batch of deletions is, to Amazon, deletions."""
    post.listen()
    post.send("hello")
    eventually(lambda: post.left() == 0)
    called = {each.replace("Batch", "") for each in post.aws.wire.actions if each.startswith("sqs:")}
    statements = json.loads((DEPLOY / "iam-policy-notices.json").read_text())["Statement"]
    assert called == {action for statement in statements for action in statement["Action"]}


def test_the_shipped_template_writes_every_event_that_is_read_to_the_queue() -> None:
    """Each rule has the queue as its target, and the queue lets EventBridge in."""
    found = yaml.load((DEPLOY / "notices.yaml").read_text(), Loader=CloudFormation)["Resources"]
    rules = [each["Properties"] for each in found.values() if each["Type"] == "AWS::Events::Rule"]
    told = {kind for rule in rules for kind in rule["EventPattern"]["detail-type"]}
    assert told == set(KINDS)
    assert {rule["Targets"][0]["Arn"] for rule in rules} == {"Queue.Arn"}
    assert found["Queue"]["Type"] == "AWS::SQS::Queue"
    (statement,) = found["Access"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")


class CloudFormation(yaml.SafeLoader):
    """CloudFormation's own tags as the text behind them."""


CloudFormation.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def test_without_a_queue_nobody_listens(aws: AwsCloud) -> None:
    """And nothing is called."""
    aws.aws.listen(lambda: None)
    aws.provider.observe()
    aws.aws.deafen()
    assert not any(action.startswith("sqs:") for action in aws.wire.actions)
