"""Why a target could not be talked to, in words for people.

The libraries' messages name loopback addresses and TLS settings, which belong to the sandbox and not to what it shows.
"""

import os


def describe(error: Exception) -> str:
    """What happened: `connection refused`, or the error's own words, or its name."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
