"""Handle SIGTERM: cancel the command, and end the process within two seconds."""

from __future__ import annotations

import _thread
import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeVar, cast

from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.stdio import erase_live_area

T = TypeVar("T")

_GRACE_PERIOD = 0.8
"""Seconds that a cancelled command has for its cleanup."""

_REPORT_PERIOD = 0.3
"""Seconds that a command has to print its results before the process exits without a cleanup."""


class Terminated(BaseException):
    """SIGTERM has ended the command."""


class SigtermHandler:
    """The handler of SIGTERM while a command runs.

    The first SIGTERM cancels the command, which then cleans up. After `_GRACE_PERIOD` seconds, or at a second
    SIGTERM, the process exits at once. No data is lost: the next run resumes partial files.
    """

    def __init__(self) -> None:
        self._received = False
        self._on_signal: Callable[[], object] = _do_nothing
        self._before_exit: Callable[[], object] = _do_nothing
        # Released when the command has ended.
        self._running = _thread.allocate_lock()

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of an interrupted command: `TERMINATED` after SIGTERM, otherwise `INTERRUPTED`."""
        return ExitCode.TERMINATED if self._received else ExitCode.INTERRUPTED

    @contextmanager
    def installed(self, *, process_exits: bool) -> Generator[None, None, None]:
        """Handle SIGTERM within the block.

        Args:
            process_exits: Whether the process exits after the block. If so, the grace period continues after
                the block, because the interpreter waits for threads when it exits.

        Raises:
            Terminated: SIGTERM was received.
        """
        self._received = False
        self._on_signal = _raise_terminated
        self._running = _thread.allocate_lock()
        self._running.acquire()
        previous = signal.signal(signal.SIGTERM, self._receive)
        try:
            yield
            if self._received:
                raise Terminated
        finally:
            signal.signal(signal.SIGTERM, previous)
            if not process_exits:
                self._running.release()

    def run(self, command: Coroutine[object, object, T]) -> T:
        """Run `command` on a new event loop, and return its result.

        Raises:
            Terminated: SIGTERM cancelled the command.
        """
        main = self._cancel_on_signal(command)
        try:
            return asyncio.run(main)
        except asyncio.CancelledError:
            if not self._received:
                raise
            raise Terminated from None
        finally:
            # A signal may arrive before they start, and Python warns about coroutines that were never run.
            main.close()
            command.close()

    @contextmanager
    def interrupting(self) -> Generator[None, None, None]:
        """Let SIGINT and SIGTERM interrupt a blocking call of a command within the block.

        Without it, a signal cancels the command, which has no effect before the blocking call returns.

        Raises:
            KeyboardInterrupt: SIGINT was received, and it is not ignored.
            Terminated: SIGTERM was received.
        """
        on_signal, self._on_signal = self._on_signal, _raise_terminated
        on_interrupt = signal.getsignal(signal.SIGINT)
        is_handled = callable(on_interrupt) and threading.current_thread() is threading.main_thread()
        if is_handled:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            if is_handled:
                signal.signal(signal.SIGINT, on_interrupt)
            self._on_signal = on_signal

    @contextmanager
    def before_exit(self, action: Callable[[], object]) -> Generator[None, None, None]:
        """Call `action` within the block if the process exits before the cleanup of the command has ended.

        Args:
            action: Called in a thread. The process exits after a short time, even if it has not returned.
        """
        self._before_exit = action
        try:
            yield
        finally:
            self._before_exit = _do_nothing

    async def _cancel_on_signal(self, command: Coroutine[object, object, T]) -> T:
        loop = asyncio.get_running_loop()
        cancel = cast("asyncio.Task[T]", asyncio.current_task()).cancel
        self._on_signal = lambda: loop.call_soon_threadsafe(cancel)
        try:
            with _wake_up_on_signal(loop):
                return await command
        finally:
            # From here on the task has finished, so there is nothing to cancel.
            self._on_signal = _do_nothing

    def _receive(self, *_: object) -> None:
        if self._received:
            self._exit()
        else:
            self._received = True
            # Starting a `threading.Thread` takes locks that the interrupted code may hold.
            _thread.start_new_thread(self._exit_after_grace_period, (self._running,))
            self._on_signal()

    def _exit_after_grace_period(self, running: _thread.LockType) -> None:
        # The thread may start late, while this handler already handles another command.
        if not running.acquire(timeout=_GRACE_PERIOD):
            self._exit()

    def _exit(self) -> None:
        erase_live_area()
        # The main thread may have locked stdout, and wait for its reader.
        is_done = _thread.allocate_lock()
        is_done.acquire()
        _thread.start_new_thread(_act_before_exit, (self._before_exit, is_done.release))
        is_done.acquire(timeout=_REPORT_PERIOD)
        os._exit(ExitCode.TERMINATED)


def _act_before_exit(action: Callable[[], object], on_end: Callable[[], object]) -> None:
    try:
        with suppress(Exception):
            action()
    finally:
        on_end()


def _raise_terminated() -> None:
    raise Terminated


def _do_nothing() -> None:
    pass


@contextmanager
def _wake_up_on_signal(loop: asyncio.AbstractEventLoop) -> Generator[None, None, None]:
    """Let a signal wake up `loop`, even if it arrives just before the loop starts to wait."""
    receiver, sender = socket.socketpair()
    with receiver, sender, ExitStack() as stack:
        receiver.setblocking(False)
        sender.setblocking(False)
        with suppress(NotImplementedError):  # On Windows, asyncio has no add_reader, and wakes up by itself.
            loop.add_reader(receiver, receiver.recv, 64)
            stack.callback(loop.remove_reader, receiver)
            previous = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
            stack.callback(signal.set_wakeup_fd, previous)
        yield


sigterm_handler: SigtermHandler = SigtermHandler()
"""The handler of this process."""
