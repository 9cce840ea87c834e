"""Times in AWS's answers are those that botocore would read."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from controller.lattice.client import LatticeClient
from controller.lattice.times import timestamp

pytestmark = pytest.mark.anyio

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=offsets)  # noqa: DTZ001 - the zone is drawn


@given(times, st.sampled_from(["auto", "seconds", "milliseconds"]))
def test_a_time_in_iso_8601_is_what_botocore_reads(time: datetime, precision: str) -> None:
    text = time.isoformat(timespec=precision)
    assert timestamp(text) == parse_timestamp(text)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-22T09:07:03.123Z",
        "20261122T090703Z",
        "Sun, 22 Nov 2026 09:07:03 GMT",
        1_763_800_000,
        1_763_800_000.25,
        "1763800000",
        "2026-11-22T09:07:03",
    ],
)
def test_every_form_that_botocore_reads_is_read_alike(value: Any) -> None:
    found, expected = timestamp(value), parse_timestamp(value)
    assert found == expected
    assert (found.tzinfo is None) == (expected.tzinfo is None)


@pytest.mark.parametrize("value", ["yesterday", "", None, [1]])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        timestamp(value)


async def test_an_answers_times_are_read_by_it(client: LatticeClient) -> None:
    made = await client.call("CreateService", {"name": "rates"})
    [listed] = [item async for page in client.pages("ListServices", {}) for item in page["items"]]
    assert listed["createdAt"].tzinfo is UTC
    assert made["id"] == listed["id"]
