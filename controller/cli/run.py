"""`lattice-controller run`: the controller itself.

Exit code 0 after being told to stop, 1 for what a start cannot do without and for a lost lease, 2 for wrong settings.
"""

import argparse
import asyncio
import logging
import os
import sys

import uvloop

from controller import logs, settings
from controller.cli.errors import leaves
from controller.kube.errors import ConfigError
from controller.lattice.errors import TerminalError
from controller.manager import LeaseLostError, Manager

log = logging.getLogger("controller")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    settings.add_flags(parser)


def execute(flags: argparse.Namespace) -> int:
    try:
        chosen = settings.load(os.environ, flags)
    except settings.SettingsError as error:
        print(f"lattice-controller: {error}", file=sys.stderr)
        return 2
    logs.configure(chosen.log_level, chosen.log_format)
    for name in chosen.ignored:
        log.warning("%s is set, and this version does not act on it", name)
    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Manager(chosen).run())
    except* (ConfigError, TerminalError, LeaseLostError, OSError) as group:
        for each in leaves(group):
            log.error("%s", each)
        code = 1
    return code
