"""Tells a callback that stops the training from a person's Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class StopTraining(KeyboardInterrupt):
    """A callback stops the training; skorch's callbacks raise KeyboardInterrupt."""


@contextlib.contextmanager
def marked_signals() -> Iterator[None]:
    """Mark each KeyboardInterrupt that a signal handler raises within the context.

    skorch's callbacks stop a training by KeyboardInterrupt. So does a person by Ctrl-C,
    through a signal, and that must also stop the script around the training.
    """
    wrapped = {}
    # Python runs handlers in the main thread only, and only there can they be set.
    if threading.current_thread() is threading.main_thread():
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                wrapped[number] = _mark_interrupts(handler), handler
    try:
        for number, (wrapper, _) in wrapped.items():
            signal.signal(number, wrapper)
        yield
    finally:
        for number, (wrapper, handler) in wrapped.items():
            if signal.getsignal(number) is wrapper:
                signal.signal(number, handler)


def _mark_interrupts(handler):
    def handle(number, frame):
        try:
            return handler(number, frame)
        except KeyboardInterrupt as interrupt:
            # An attribute of our own, which the class does not declare.
            interrupt.is_from_signal = True  # type: ignore[attr-defined]
            raise

    return handle


def is_from_signal(interrupt: KeyboardInterrupt) -> bool:
    """Tell whether a signal handler raised it, under :func:`marked_signals`."""
    return getattr(interrupt, "is_from_signal", False)
