"""The queue that EventBridge writes to, read by a thread: what it says of machines rings the engine at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscale.model.workload import Code, Reason
from providers.aws.events import read
from providers.aws.faults import CLOUD_ERRORS, fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from providers.aws.clients import Clients
    from providers.aws.notices import Notices

_BATCH = 10  # Amazon's most
_LONGEST_PAUSE_S = 60.0
_RECEIVE, _DELETE, _FIND = "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueUrl"


@dataclass(frozen=True, slots=True)
class Patience:
    """`wait_s`: how long a read may wait for a message, 20 at most. `hidden_s`: after which one that is not done comes again."""

    wait_s: int = 20
    hidden_s: int = 20


class Queue:
    """Read from `listen` to `deafen`. Trouble is told in `notes` and tried again; it keeps nothing else from going on.

    `queue` is its name or address. A message is deleted once its instances are gone, or when it says nothing of any.
    """

    def __init__(
        self, clients: Clients, queue: str, notices: Notices, *, gone: Callable[[str], bool], patience: Patience
    ) -> None:
        self._clients = clients
        self._queue = queue
        self._notices = notices
        self._gone = gone
        self._patience = patience
        self._url = queue if "://" in queue else ""
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = ""
        self._unread = (0, "")

    def listen(self, ring: Callable[[], None]) -> None:
        """Begin; `ring` is called when something new was heard."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, args=(ring,), name="notices of aws", daemon=True)
        self._thread.start()

    def deafen(self, *, within_s: float = 1.0) -> None:
        """End, without waiting for an answer that is still to come."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(within_s)

    @property
    def notes(self) -> tuple[Reason, ...]:
        """What a person should mend."""
        count, last = self._unread
        texts = [
            f"interruptions are not heard of: {self._trouble}" if self._trouble else "",
            f"{count} messages of queue {self._queue} could not be read, the last one: {last}" if count else "",
        ]
        return tuple(Reason(Code.FAULT, text, source="aws") for text in texts if text)

    def _run(self, ring: Callable[[], None]) -> None:
        failures = 0
        while not self._stopped.is_set():
            doing = _RECEIVE
            try:
                if not self._url:
                    doing = _FIND
                    self._url = self._clients.sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]
                    doing = _RECEIVE
                over = self._received(ring)
                doing = _DELETE
                self._delete((*over, *self._notices.done()))
            except CLOUD_ERRORS as error:
                failures += 1
                self._trouble = fault_of(error, at_s=0, doing=doing).message
                self._stopped.wait(min(_LONGEST_PAUSE_S, 2.0**failures))
            else:
                failures, self._trouble = 0, ""

    def _received(self, ring: Callable[[], None]) -> list[tuple[str, str]]:
        """Wait for messages and take them down; those that say nothing of an instance are done with."""
        answer = self._clients.sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_BATCH,
            WaitTimeSeconds=self._patience.wait_s,
            VisibilityTimeout=self._patience.hidden_s,
        )
        fresh, over = False, []
        for message in answer.get("Messages", []):
            key, handle = message["MessageId"], message["ReceiptHandle"]
            news = read(message.get("Body", ""))
            if news.unread:
                self._unread = (self._unread[0] + 1, news.unread)
            if not news.instances:
                over.append((key, handle))
                fresh = fresh or news.look
                continue
            fresh = self._notices.hear(news, message=key, handle=handle, gone=self._gone) or fresh
        if fresh:
            ring()
        return over

    def _delete(self, messages: Sequence[tuple[str, str]]) -> None:
        """One that Amazon keeps all the same comes again, and is deleted then."""
        for some in _batches(messages):
            entries: list[Any] = [{"Id": str(n), "ReceiptHandle": handle} for n, (_, handle) in enumerate(some)]
            self._clients.sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)


def _batches(messages: Sequence[tuple[str, str]]) -> Iterator[Iterable[tuple[str, str]]]:
    for start in range(0, len(messages), _BATCH):
        yield messages[start : start + _BATCH]
