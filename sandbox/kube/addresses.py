"""The syntax of addresses and ports that several kinds share."""

import ipaddress
import re

from sandbox.kube.errors import Problems
from sandbox.kube.objects import label_1123_problem


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN = re.compile(rf"(?!127\.|169\.254\.|0\.0\.0\.0\Z){_OCTET}(?:\.{_OCTET}){{3}}\Z")
"""Nearly all endpoints: an IPv4 address with which nothing is wrong, told without `ipaddress`, which is slow."""
_NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def check_address(text: str, path: str, problems: Problems) -> None:
    if not is_address(text):
        problems.invalid(path, text, _NO_ADDRESS)


def check_endpoint(text: str, version: int, path: str, position: int, problems: Problems) -> None:
    """An address of an EndpointSlice: of its family, and one that other machines can reach."""
    if version == 4 and _PLAIN.match(text):
        return
    at = f"{path}[{position}]"
    if not is_address(text):
        problems.invalid(at, text, _NO_ADDRESS)
        return
    address = ipaddress.ip_address(text)
    if address.version != version:
        problems.invalid(path, text, f"must be an IPv{version} address")
    if address.is_unspecified:
        problems.invalid(at, text, f"may not be unspecified ({text})")
    if address.is_loopback:
        problems.invalid(at, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        problems.invalid(at, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")


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
