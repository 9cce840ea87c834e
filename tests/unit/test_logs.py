"""The specification of log lines: their form, the key on each, and what keeps out of them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from controller import logs
from controller.api.keys import ObjectKey

KEY = ObjectKey("HTTPRoute", "shop", "rates")


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """All logging of the process, captured, and put back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_time_level_logger_message_and_facts(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    logging.getLogger("controller.x").info("did %s", "it", extra={"count": 3, "ref": KEY})
    (line,) = lines(out)
    assert line["level"] == "info"
    assert line["logger"] == "controller.x"
    assert line["msg"] == "did it"
    assert line["count"] == 3
    assert line["ref"] == "HTTPRoute/shop/rates"
    assert line["time"].endswith("Z")
    assert "key" not in line


def test_the_time_is_rfc_3339_to_the_microsecond() -> None:
    record = logging.makeLogRecord({"created": 1_700_000_000.25, "levelname": "INFO", "msg": "x"})
    assert json.loads(logs.JsonFormatter().format(record))["time"] == "2023-11-14T22:13:20.250000Z"


def test_the_key_is_on_every_line_inside_and_on_none_outside(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    log = logging.getLogger("controller.x")
    with logs.key(KEY):
        log.info("inside")
    log.info("outside")
    inside, outside = lines(out)
    assert inside["key"] == "HTTPRoute/shop/rates"
    assert "key" not in outside


@pytest.mark.anyio
async def test_tasks_started_inside_inherit_the_key_and_others_do_not(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    log = logging.getLogger("controller.x")

    async def say(what: str) -> None:
        log.info(what)

    async with anyio.create_task_group() as group:
        with logs.key(KEY):
            group.start_soon(say, "inside")
        group.start_soon(say, "outside")
    assert {line["msg"]: line.get("key") for line in lines(out)} == {"inside": "HTTPRoute/shop/rates", "outside": None}


def test_an_exception_is_one_field(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("controller.x").exception("failed")
    (line,) = lines(out)
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: boom")


def test_facts_without_a_form_in_json_are_written_as_text(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    logging.getLogger("controller.x").info("odd", extra={"a": {1: b"x"}, "b": {KEY}})
    (line,) = lines(out)
    assert line["a"] == {"1": "b'x'"}
    assert "rates" in line["b"]


def test_no_fact_is_so_odd_that_its_line_is_lost(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    logging.getLogger("controller.x").info("odd", extra={"a": "\ud800", "b": {KEY: 1}})
    (line,) = lines(out)
    assert line["msg"] == "odd"
    assert line["a"] == "\\ud800"


def test_the_console_form_is_for_people(out: io.StringIO) -> None:
    logs.configure("info", "console", out)
    with logs.key(KEY):
        logging.getLogger("controller.x").warning("slow", extra={"count": 3, "nothing": None})
    line = out.getvalue()
    assert line.split("  ", 1)[1] == "key=HTTPRoute/shop/rates  count=3\n"
    assert "WARNING slow" in line


def test_what_is_no_terminal_gets_json(out: io.StringIO) -> None:
    logs.configure("info", None, out)
    logging.getLogger("controller.x").info("x")
    assert lines(out)[0]["msg"] == "x"


def test_a_terminal_gets_the_console_form(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out, "isatty", lambda: True)
    logs.configure("info", None, out)
    logging.getLogger("controller.x").info("x")
    assert out.getvalue().endswith("INFO    x\n")


def test_the_level_holds_for_everything_but_the_audit(out: io.StringIO) -> None:
    logs.configure("error", "json", out)
    logging.getLogger("controller.x").info("quiet")
    logs.audit("CreateService", outcome="ok", identifiers={"id": "svc-1"}, request_id="r", attempts=1, seconds=0.12345)
    (line,) = lines(out)
    assert line["logger"] == "controller.audit"
    assert line["seconds"] == 0.123


def test_libraries_that_show_signed_requests_stay_quiet_at_debug(out: io.StringIO) -> None:
    logs.configure("debug", "json", out)
    logging.getLogger("botocore.auth").debug("Authorization: secret")
    logging.getLogger("controller.x").debug("heard")
    assert [line["msg"] for line in lines(out)] == ["heard"]


def test_an_audit_line_tells_key_object_generation_operation_and_request(out: io.StringIO) -> None:
    logs.configure("info", "json", out)
    with logs.key(KEY, object="HTTPRoute/shop/rates", generation=7):
        logs.audit("CreateRule", outcome="ok", identifiers={"name": "n"}, request_id="r-1", attempts=2, seconds=1.0)
    (line,) = lines(out)
    assert line | {"time": ""} == {
        "time": "",
        "level": "info",
        "logger": "controller.audit",
        "msg": "lattice write",
        "key": "HTTPRoute/shop/rates",
        "operation": "CreateRule",
        "outcome": "ok",
        "identifiers": {"name": "n"},
        "request_id": "r-1",
        "attempts": 2,
        "seconds": 1.0,
        "object": "HTTPRoute/shop/rates",
        "generation": 7,
    }


def test_configuring_again_replaces_what_was(out: io.StringIO) -> None:
    logs.configure("info", "json", io.StringIO())
    logs.configure("info", "json", out)
    logging.getLogger("controller.x").info("once")
    assert len(lines(out)) == 1
