"""What Gateway API takes for a hostname (RFC 1123 in lower case), exact or with a wildcard for its first label."""

import re

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
EXACT = re.compile(SUBDOMAIN)
ANY = re.compile(rf"(\*\.)?{SUBDOMAIN}")
SHOWN = rf"^(\*\.)?{SUBDOMAIN}$"
"""The pattern of both, as messages show it."""
