"""`lattice-controller sandbox`: starts one, says where it is and how to use it, and stops cleanly on Ctrl-C.

The sandbox is an extra (`pip install lattice-controller[sandbox]`), and not in the production image.
"""

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--directory", type=Path, default=Path(".sandbox"), help="where the clients' files go (default %(default)s)"
    )
    parser.add_argument(
        "--free-ports", action="store_true", help="take any free ports, so that several sandboxes can run side by side"
    )
    parser.add_argument("--seed", type=int, default=0, help="what every random choice is made from (default 0)")


def execute(flags: argparse.Namespace) -> int:
    try:
        from sandbox.command import serve
    except ModuleNotFoundError as error:
        print(f"lattice-controller: the sandbox is not installed ({error}); it is the extra [sandbox]", file=sys.stderr)
        return 1
    return serve(flags.directory, free_ports=flags.free_ports, seed=flags.seed)
