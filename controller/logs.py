"""Logs: JSON lines for machines, a console form for people, the key in work on every line, and the audit trail.

Code logs through the standard library, with facts in `extra` rather than in the message:

    log = logging.getLogger(__name__)
    log.info("registered targets", extra={"group": group.id, "count": 3})

Which key a worker is at is not passed along but set once, around the work, in a context variable that tasks started
inside inherit:

    with logs.key(key, object="HTTPRoute/shop/rates", generation=4):
        ...

`audit` writes the one line that every Lattice write leaves, under the logger `controller.audit`. It tells what was
called and on what, by the identifiers of the request, never by its whole content.
"""

import logging
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal, TextIO

import msgspec
import orjson

LogFormat = Literal["json", "console"]

LEVELS: Final[Mapping[str, int]] = {"debug": logging.DEBUG, "info": logging.INFO, "error": logging.ERROR}

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_AUDIT: Final = logging.getLogger("controller.audit")
_QUIET: Final = ("aiobotocore", "aiohttp.access", "asyncio", "botocore", "kubernetes_asyncio", "urllib3")


class Work(msgspec.Struct, frozen=True):
    """What is being worked on: the queue's key, and the object and generation that the key was read from."""

    key: str
    object: str | None = None
    generation: int | None = None


current: ContextVar[Work | None] = ContextVar("lattice_controller_work", default=None)
"""The work of this task, None outside of any."""


@contextmanager
def key(
    key: object,
    *,
    object: str | None = None,  # noqa: A002 - the name of the fact in the line
    generation: int | None = None,
) -> Iterator[None]:
    """Put `key` on every line that is logged inside, and all three on every audit line."""
    token = current.set(Work(str(key), object, generation))
    try:
        yield
    finally:
        current.reset(token)


def audit(
    operation: str,
    *,
    outcome: str,
    identifiers: Mapping[str, str],
    request_id: str | None,
    attempts: int,
    seconds: float,
) -> None:
    """Leave the line of one Lattice write that was, or may have been, received by AWS.

    `outcome` is `ok`, an error's code, or `unknown` where the call was cancelled; `identifiers` are the names, ids and
    ARNs of the request and the answer; `seconds` is how long all attempts took together.
    """
    work = current.get()
    facts: dict[str, Any] = {
        "operation": operation,
        "outcome": outcome,
        "identifiers": identifiers,
        "request_id": request_id,
        "attempts": attempts,
        "seconds": round(seconds, 3),
    }
    if work is not None:
        facts |= {"object": work.object, "generation": work.generation}
    _AUDIT.info("lattice write", extra=facts)


def configure(level: str, form: LogFormat | None = None, stream: TextIO | None = None) -> None:
    """Send all logging of the process to `stream` (stderr), from `level` (a name in `LEVELS`) on.

    Without a form it is the console's on a terminal, and JSON elsewhere. The audit trail is written at every level, and
    libraries speak only from warnings on, because their debug lines hold signed requests.
    """
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    console = form == "console" or (form is None and out.isatty())
    handler.setFormatter(ConsoleFormatter() if console else JsonFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(LEVELS[level])
    _AUDIT.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, LEVELS[level]))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, msg, key, then the facts from `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Render `record`; facts that JSON has no form for are written as their `str`."""
        line: dict[str, Any] = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if (work := current.get()) is not None:
            line["key"] = work.key
        line |= _facts(record)
        if (error := _exception(record)) is not None:
            line["exception"] = error
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except orjson.JSONEncodeError:
            return orjson.dumps({name: _encodable(value) for name, value in line.items()}).decode()


class ConsoleFormatter(logging.Formatter):
    """For a person at a terminal: time of day, level, message, key and facts; a traceback on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Render `record`."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        parts = [f"{clock}.{int(record.msecs):03d} {record.levelname:<7} {record.getMessage()}"]
        if (work := current.get()) is not None:
            parts.append(f"key={work.key}")
        parts += [f"{name}={value}" for name, value in _facts(record).items() if value is not None]
        error = _exception(record)
        return "  ".join(parts) + (f"\n{error}" if error is not None else "")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN}


def _exception(record: logging.LogRecord) -> str | None:
    if not record.exc_info or record.exc_info[1] is None:
        return None
    return "".join(traceback.format_exception(record.exc_info[1])).rstrip()


def _encodable(value: object) -> str:
    """A value as text that UTF-8 has a form for, which lone surrogates have not."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def _timestamp(seconds: float) -> str:
    whole = int(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((seconds - whole) * 1e6):06d}Z"
