"""Ages as tables show them: `5s`, `3m20s`, `2d4h`, with fewer parts the longer they are (`duration.HumanDuration`)."""

from datetime import UTC, datetime

UNKNOWN = "<unknown>"


def human(seconds: float) -> str:
    """A duration in seconds, in at most two units."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return _pair(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    years = days // 365
    return _pair(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def parse(text: str) -> datetime | None:
    """An RFC 3339 time, or None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def age(text: object, now: datetime) -> str:
    """The time from a timestamp of an object to now."""
    moment = parse(text) if isinstance(text, str) else None
    return UNKNOWN if moment is None else human((now - moment).total_seconds())
