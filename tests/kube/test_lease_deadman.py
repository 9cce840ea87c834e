"""The kernel's end of a process whose lease has run out: with a process that is stopped, and one that is stuck."""

import signal
import subprocess
import sys
import textwrap

import pytest

from controller.kube.lease_deadman import EXIT_CODE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="timers on CLOCK_BOOTTIME are Linux's")

PRELUDE = """
import os, signal, sys, threading, time
from controller.kube.lease_deadman import Deadman
from controller.kube.times import boottime

deadman = Deadman()
"""


def run(program: str, *, resume: bool = False) -> tuple[int, str]:
    """The exit code and the output of a program; with `resume`, it is woken a while after it has stopped itself."""
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if resume:
            assert process.stdout.readline() == "stops\n"
            # It is armed for less than a second.
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1.5)
            process.send_signal(signal.SIGCONT)
        output = process.stdout.read()
        return process.wait(30), output


def test_a_process_that_was_stopped_ends_before_its_next_instruction() -> None:
    program = """
        deadman.arm(boottime() + 0.5)
        threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
        os.write(1, b"stops\\n")
        os.kill(os.getpid(), signal.SIGSTOP)
        os.write(1, b"late")
    """
    assert run(program, resume=True) == (EXIT_CODE, "")


def test_a_main_thread_that_is_stuck_ends() -> None:
    assert run("deadman.arm(boottime() + 0.2)\ntime.sleep(60)") == (EXIT_CODE, "")


def test_a_moment_that_was_put_off_from_another_thread_is_the_later_one() -> None:
    program = """
        deadman.arm(boottime() + 0.2)
        thread = threading.Thread(target=lambda: deadman.arm(boottime() + 60))
        thread.start()
        thread.join()
        time.sleep(0.5)
        print("alive")
    """
    assert run(program) == (0, "alive\n")


def test_after_retiring_nothing_ends_the_process() -> None:
    program = """
        deadman.arm(boottime() + 0.2)
        deadman.retire()
        deadman.arm(boottime() + 0.1)
        deadman.retire()
        time.sleep(0.5)
        print("alive")
    """
    assert run(program) == (0, "alive\n")
