"""SIGTERM ends a command in order, and within a second, whatever SIGINT does."""

from __future__ import annotations

import _thread
import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Generator
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeVar, cast

from packagex_async.cli.exit_codes import ExitCode

T = TypeVar("T")

_GRACE = 0.8
"""Seconds that a command has to end in order."""


class Terminated(BaseException):
    """SIGTERM has ended the command."""


class Termination:
    """What SIGTERM does to the command that runs: its cancellation, then, if need be, the end of the process.

    A first SIGTERM cancels the command, and lets it clean up. After `_GRACE` seconds, or at a second SIGTERM,
    the process ends at once. Nothing is lost by that: the next run resumes what any other end has left.
    """

    def __init__(self) -> None:
        self._received = False
        self._respond: Callable[[], object] = _nothing
        self._ended = _thread.allocate_lock()

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that was interrupted by this signal or by another."""
        return ExitCode.TERMINATED if self._received else ExitCode.INTERRUPTED

    @contextmanager
    def handled(self, *, ends_process: bool) -> Generator[None, None, None]:
        """Handle SIGTERM in the block.

        Args:
            ends_process: Whether the process ends after the block. If so, the grace period goes on behind it:
                the interpreter waits for threads at its end.

        Raises:
            Terminated: SIGTERM came.
        """
        self._received = False
        self._respond = _raise
        self._ended = _thread.allocate_lock()
        self._ended.acquire()
        before = signal.signal(signal.SIGTERM, self._receive)
        try:
            yield
            if self._received:
                raise Terminated
        finally:
            signal.signal(signal.SIGTERM, before)
            if not ends_process:
                self._ended.release()

    def run(self, command: Coroutine[object, object, T]) -> T:
        """Run `command` on an event loop of its own, and return its result.

        Raises:
            Terminated: SIGTERM has cancelled it.
        """
        main = self._cancellable(command)
        try:
            return asyncio.run(main)
        except asyncio.CancelledError:
            if not self._received:
                raise
            raise Terminated from None
        finally:
            # A signal may come before they start. Python warns of coroutines that are neither run nor closed.
            main.close()
            command.close()

    async def _cancellable(self, command: Coroutine[object, object, T]) -> T:
        loop = asyncio.get_running_loop()
        cancel = cast("asyncio.Task[T]", asyncio.current_task()).cancel
        self._respond = lambda: loop.call_soon_threadsafe(cancel)
        try:
            with _waking(loop):
                return await command
        finally:
            # What follows is short, and has nothing that could be cancelled.
            self._respond = _nothing

    def _receive(self, *_: object) -> None:
        if self._received:
            os._exit(ExitCode.TERMINATED)
        self._received = True
        # A `threading.Thread` takes locks to start, which the interrupted code may hold.
        _thread.start_new_thread(self._end_process, ())
        self._respond()

    def _end_process(self) -> None:
        if not self._ended.acquire(timeout=_GRACE):
            os._exit(ExitCode.TERMINATED)


def _raise() -> None:
    raise Terminated


def _nothing() -> None:
    pass


@contextmanager
def _waking(loop: asyncio.AbstractEventLoop) -> Generator[None, None, None]:
    """Have a signal wake `loop`, even one that arrives just before the loop begins to wait."""
    receiver, sender = socket.socketpair()
    with receiver, sender, ExitStack() as stack:
        receiver.setblocking(False)
        sender.setblocking(False)
        # On Windows, asyncio does it by itself.
        with suppress(NotImplementedError):
            loop.add_reader(receiver, receiver.recv, 64)
            stack.callback(loop.remove_reader, receiver)
            before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
            stack.callback(signal.set_wakeup_fd, before)
        yield


termination = Termination()
"""The handler of this process."""
