"""The syntax of addresses and ports that several kinds share."""

import ipaddress

from sandbox.kube.errors import Problems
from sandbox.kube.objects import label_1123_problem


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_port(port: int, path: str, problems: Problems) -> None:
    if not 1 <= port <= 65535:
        problems.invalid(path, port, "must be between 1 and 65535, inclusive")


def port_name_problem(name: str) -> str | None:
    """IANA service names: at most 15 of a-z, 0-9 and '-', with a letter."""
    if not 1 <= len(name) <= 15:
        return "must be no more than 15 characters" if name else "must be non-empty"
    if label_1123_problem(name) or "--" in name:
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    return None if any(char.isalpha() for char in name) else "must contain at least one letter (a-z)"
