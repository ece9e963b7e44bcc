"""The launcher's only loop: descriptors, timers and signals, one thread, `poll`.

Owns when a handler is called, and that one handler's error costs that handler alone. Knows nothing
of what the handlers do. Times are `time.monotonic()` seconds. `main` runs it; everybody with a
descriptor or a deadline registers here.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import select
import signal
import time
from collections.abc import Callable

READ = select.POLLIN
WRITE = select.POLLOUT
#: Kept small: the interpreter turns every signal of a mask into an object at each fork.
HANDLED_SIGNALS = frozenset((signal.SIGHUP, signal.SIGURG, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD))


class Timer:
    """A call that is due at `when`; `cancel` makes it none."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Loop:
    """Calls handlers until `stop`. `complain` is told of a handler's error, at most once a second."""

    def __init__(self) -> None:
        self.complain: Callable[[str], None] = lambda _text: None
        self._complained_at = float("-inf")
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._made = 0
        self._running = True
        self._signals: set[int] = set()
        self._signal_handlers: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        """Call `handler(events that happened)` when `fd` is ready; replaces an earlier watch."""
        self._poll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """No longer watch `fd`. To be called before it is closed: the number will be used again."""
        if self._handlers.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `seconds` from now."""
        timer = Timer(time.monotonic() + seconds, callback)
        self._made += 1
        heapq.heappush(self._timers, (timer.when, self._made, timer))
        return timer

    def on_signals(self, handlers: dict[signal.Signals, Callable[[], None]]) -> None:
        """Call a handler, from the loop, when its signal arrived; must be of HANDLED_SIGNALS."""
        self._signal_handlers = {int(number): handler for number, handler in handlers.items()}
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.watch(self._wake, READ, self._drain_wake)
        # Only to interrupt: see `crond.link.briskly`.
        signal.signal(signal.SIGALRM, lambda _got, _frame: None)
        for number in handlers:
            # The byte in the pipe only wakes: what counts is this set, which no other process can fill.
            signal.signal(number, lambda got, _frame: self._signals.add(got))

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        """Turn until `stop`."""
        while self._running:
            self.turn()

    def run_until(self, done: Callable[[], bool], deadline: float) -> None:
        """Turn, stopped or not, until `done()` or `deadline` (monotonic)."""
        timer = self.after(deadline - time.monotonic(), lambda: None)
        while not done() and time.monotonic() < deadline:
            self.turn()
        timer.cancel()

    def turn(self) -> None:
        """Wait for something and handle it: descriptors, then signals, then timers."""
        # Descriptors first: after a stall, a heartbeat that waits in a socket must be seen before
        # the timer that would miss it.
        for fd, events in self._poll.poll(self._patience()):
            handler = self._handlers.get(fd)
            if handler is not None:
                self.guard(handler, events)
        while self._signals:
            self.guard(self._signal_handlers[self._signals.pop()])
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            callback, timer.callback = timer.callback, None
            if callback is not None:
                self.guard(callback)

    def guard(self, handler: Callable[..., None], *arguments: object) -> None:
        """Call `handler`; its error is told and goes no further."""
        try:
            handler(*arguments)
        except Exception as error:  # noqa: BLE001 - one handler must not end the daemon
            now = time.monotonic()
            if now - self._complained_at >= 1.0:
                self._complained_at = now
                self.complain(f"{type(error).__name__} at {_place(error)}: {error}")

    def _patience(self) -> int | None:
        """Milliseconds until the next timer, rounded up: rounding down would spin through the last one."""
        if self._signals:
            return 0
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0, int((self._timers[0][0] - time.monotonic()) * 1000) + 1)

    def _drain_wake(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)


def _place(error: BaseException) -> str:
    """`file:line` where `error` was raised: the traceback module would cost more than it tells here."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
