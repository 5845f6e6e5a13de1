"""SIGTERM and SIGINT, heard at once and obeyed where nothing is half-done.

A handler in Python runs in the main thread between any two of its steps: while it holds the lock that the handler wants,
or writes the line that the handler's own would cut. So the handler here does nothing, and what is to be done is done
by a thread that reads the numbers of signals as the interpreter writes them (`signal.set_wakeup_fd`).
"""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def heard(
    do: Callable[[signal.Signals], None], *, then: Callable[[int, FrameType | None], object] | signal.Handlers
) -> Iterator[None]:
    """Within: the first signal that asks for an end is given to `do` in a thread of its own; for others `then` is the handler.

    To be entered in the main thread.
    """

    def once(_number: int, _frame: FrameType | None) -> None:
        for each in ENDING:
            signal.signal(each, then)

    def listen() -> None:
        while number := hears.recv(1)[0]:
            if number in ENDING:
                do(signal.Signals(number))
                return

    hears, tells = socket.socketpair()
    with hears, tells:
        tells.setblocking(False)
        thread = threading.Thread(target=listen, name="signals", daemon=True)
        thread.start()
        woken = signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
        handlers = {number: signal.signal(number, once) for number in ENDING}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(woken)
            tells.send(b"\0")
            thread.join()
