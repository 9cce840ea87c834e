"""The command line: `lattice-controller run`, `plan`, `explain`, `sandbox`, `demo`.

Each command is a module with `add_arguments` and `execute`; it is imported only when it is asked for, so that help is
quick and so that the sandbox, which a production image does not have, is needed by nobody else.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import version

COMMANDS = {
    "run": "turn Gateway API objects into VPC Lattice resources, until told to stop",
    "plan": "show the VPC Lattice operations that would be done, and do none",
    "explain": "show why a route, Gateway or Service is served as it is, or is not",
    "sandbox": "a Kubernetes API and VPC Lattice on this machine, to try things on",
    "demo": "the walk-through on the sandbox, from service network to answers",
}

INTERRUPTED = 130
"""128 and the number of SIGINT, by the convention of shells."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the process's exit code; argparse's own exits (help, usage) raise SystemExit.

    A command that Ctrl-C breaks off ends with 130, as a shell reports it; `run` and `sandbox` take Ctrl-C as the way to
    stop them once they have started, and end with 0.
    """
    try:
        return _run(argv)
    except KeyboardInterrupt:
        print("lattice-controller: interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="lattice-controller", description="Kubernetes Gateway API on Amazon VPC Lattice."
    )
    parser.add_argument("--version", action="version", version=version("lattice-controller"))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in arguments if word in COMMANDS), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == asked:
            importlib.import_module(f"controller.cli.{name}").add_arguments(command)
    flags = parser.parse_args(arguments)
    code: int = importlib.import_module(f"controller.cli.{flags.command}").execute(flags)
    return code
