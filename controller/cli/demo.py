"""`lattice-controller demo`: the walk-through on the sandbox. Exit code 0 only if every step held."""

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="what every random choice is made from (default 0)")
    parser.add_argument("--logs", action="store_true", help="show the controller's log lines as well")


def execute(flags: argparse.Namespace) -> int:
    try:
        from sandbox.demo import play
    except ModuleNotFoundError as error:
        print(f"lattice-controller: the sandbox is not installed ({error}); it is the extra [sandbox]", file=sys.stderr)
        return 1
    return play(seed=flags.seed, show_logs=flags.logs)
