"""`lattice-controller run`: the controller itself.

Exit code 0 after being told to stop by SIGTERM or SIGINT, at whatever moment; 1 for what a start cannot do without and
for a lost lease; 2 for wrong settings; 14 if the lease ran out while the process was stopped or stuck, so that the
kernel ended it (`controller.kube.lease_deadman`).

What takes long to import is imported when the signals are listened for.
"""

import argparse
import logging
import os
import sys

from controller import logs, settings
from controller.signals import Signals

log = logging.getLogger("controller")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    settings.add_flags(parser)


def execute(flags: argparse.Namespace) -> int:
    with Signals() as signals:
        try:
            chosen = settings.load(os.environ, flags)
        except settings.SettingsError as error:
            print(f"lattice-controller: {error}", file=sys.stderr)
            return 2
        logs.configure(chosen.log_level, chosen.log_format)
        for name in chosen.ignored:
            log.warning("%s is set, and this version does not act on it", name)
        return _run(chosen, signals)


def _run(chosen: settings.Settings, signals: Signals) -> int:
    import asyncio

    import uvloop

    from controller.cli.errors import leaves
    from controller.kube.errors import ConfigError
    from controller.lattice.errors import TerminalError
    from controller.manager import LeaseLostError, Manager

    async def run() -> None:
        await Manager(chosen).run(signals.event())

    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())
    except* (ConfigError, TerminalError, LeaseLostError, OSError) as group:
        for each in leaves(group):
            log.error("%s", each)
        code = 1
    return code
