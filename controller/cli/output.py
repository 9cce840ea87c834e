"""How a command prints what it found: for people, as wide as their terminal, or as JSON for programs."""

import argparse
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import orjson
from rich.console import Console

PRINTED_WIDTH = 180
"""Columns where there is no terminal to fit it to."""


class Printable(Protocol):
    def to_json(self) -> Any:
        """As what orjson takes."""


P = TypeVar("P", bound=Printable)


def add_output(parser: argparse.ArgumentParser, form: str) -> None:
    """The flag that chooses between `form`, which is for people, and JSON."""
    parser.add_argument("-o", "--output", choices=(form, "json"), default=form, help=f"default: {form}")


def add_kubeconfig(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kubeconfig", metavar="FILE", help="how to reach the cluster, when not from inside of it")


def printed(found: P, flags: argparse.Namespace, show: Callable[[P, Console], None]) -> None:
    """Print on standard output, in the form that the flags ask for; `show` is the one for people."""
    if flags.output == "json":
        print(orjson.dumps(found.to_json(), option=orjson.OPT_INDENT_2).decode())
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PRINTED_WIDTH
    show(found, console)
