"""What a process uses, read from what Linux says of it in /proc. Pure."""

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """What a process has used so far."""

    cpu: float
    """Seconds, user and system."""
    rss: int
    """Bytes now."""
    rss_most: int
    """Bytes at most, ever."""


def parse_usage(stat: str, status: str, ticks: int) -> Usage:
    """Of the text of /proc/PID/stat and /proc/PID/status; `ticks` are those of a second (proc(5))."""
    fields = stat.rpartition(")")[2].split()  # What comes before may contain anything.
    memory = {
        name: int(value.split()[0]) * 1024
        for name, _, value in (line.partition(":") for line in status.splitlines())
        if name in {"VmRSS", "VmHWM"}
    }
    return Usage((int(fields[11]) + int(fields[12])) / ticks, memory.get("VmRSS", 0), memory.get("VmHWM", 0))
