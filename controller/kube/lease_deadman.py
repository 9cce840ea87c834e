"""The end of the process when its lease runs out: what no check within the process can do.

However late a process asks whether it still leads, it may be stopped between the answer and the system call that sends
a request: by SIGSTOP, by a frozen cgroup, by a machine that is suspended. Woken minutes later, it would send in the
name of a lease that somebody else holds by then. So the kernel is given the date: a POSIX timer on CLOCK_BOOTTIME,
which each renewal puts off. When it expires, a signal is pending for the thread that writes, and the kernel delivers a
pending signal before it lets a thread go on that was stopped. The signal's handler is the C library's `_exit` itself,
so nothing of Python runs between, and not one instruction of what was interrupted.

The signal goes to one thread, because with a signal for the whole process another thread may take it while the one
that writes goes on for some microseconds. It has a handler rather than its deadly default, because the kernel spares
process 1 of a container from defaults.

It also ends a process whose main thread is stuck so badly that it does not even notice the loss of the lease. The
process exits with code 14, and the next one finds and finishes what was begun, as after any crash.

Not covered: a virtual machine that is halted with all its clocks. And where the system has no such timers (not Linux),
the time between the question and the system call, some microseconds, stays open.

Source: timer_create(2), sigevent(7), signal(7), pid_namespaces(7).
"""

import ctypes
import logging
import math
import signal
import threading
import time
from typing import Final

log = logging.getLogger("controller.kube.lease")

EXIT_CODE: Final = 14
"""SIGALRM's number, which the handler, `_exit`, is called with."""

_SIGEV_THREAD_ID: Final = 4
_TIMER_ABSTIME: Final = 1


class _SigEvent(ctypes.Structure):
    """`struct sigevent`: 64 bytes on Linux."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("thread_id", ctypes.c_int),
        ("padding", ctypes.c_int * 11),
    )


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class Deadman:
    """Ends the process at a moment that can be put off, from any thread. Made in the thread that writes; once.

    Where the system has no such timers, it says so in the log and does nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._timer: ctypes.c_void_p | None = ctypes.c_void_p()
        try:
            self._libc = ctypes.CDLL(None, use_errno=True)
            event = _SigEvent(signo=signal.SIGALRM, notify=_SIGEV_THREAD_ID, thread_id=threading.get_native_id())
            self._libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
            self._libc.signal.restype = ctypes.c_void_p
            self._libc.timer_settime.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
            self._libc.timer_delete.argtypes = (ctypes.c_void_p,)
            made = self._libc.timer_create(time.CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(self._timer))
        except (OSError, AttributeError) as error:
            self._unavailable(str(error))
            return
        if made != 0:
            self._unavailable(f"timer_create: error {ctypes.get_errno()}")
            return
        end = self._libc._exit  # noqa: SLF001 -- a function of C by its name
        self._libc.signal(signal.SIGALRM, ctypes.cast(end, ctypes.c_void_p))

    def _unavailable(self, why: str) -> None:
        self._timer = None
        log.warning("the kernel cannot end this process when its lease runs out", extra={"error": why})

    def arm(self, moment: float) -> None:
        """End the process at this moment of CLOCK_BOOTTIME, in seconds, instead of the one given before."""
        with self._lock:
            if self._timer is not None:
                fraction, seconds = math.modf(moment)
                spec = _TimerSpec(value=_TimeSpec(int(seconds), int(fraction * 1e9)))
                if self._libc.timer_settime(self._timer, _TIMER_ABSTIME, ctypes.byref(spec), None) != 0:
                    raise OSError(ctypes.get_errno(), "timer_settime")

    def retire(self) -> None:
        """Never end the process any more. For the thread that writes, when none of its writes is under way."""
        with self._lock:
            if self._timer is not None:
                self._libc.timer_delete(self._timer)
                self._timer = None
