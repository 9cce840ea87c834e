"""What answers in the place of AWS is not believed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from controller.lattice.errors import RetryError
from tests.lattice_client.conftest import Connect
from tests.lattice_client.observing import SERVICE

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def answering(status: int, body: str, kind: str) -> AsyncIterator[tuple[str, list[web.BaseRequest]]]:
    """Something at a URL that gives every request this answer."""
    requests: list[web.BaseRequest] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        requests.append(request)
        return web.Response(status=status, text=body, content_type=kind)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", requests
    await runner.cleanup()


async def test_requests_bear_our_own_user_agent(connect: Connect) -> None:
    async with (
        answering(200, '{"items": []}', "application/json") as (url, requests),
        connect(endpoint_url=url) as client,
    ):
        await client.call("ListServices", {})
    assert "lattice-controller/" in requests[0].headers["User-Agent"]


@pytest.mark.parametrize(
    ("operation", "params", "kind", "body"),
    [
        ("ListServices", {}, "text/html", "<html>please log in</html>"),
        ("ListServices", {}, "text/plain", ""),
        ("GetService", {"serviceIdentifier": SERVICE}, "application/json", "{}"),
    ],
)
async def test_a_page_of_a_proxy_is_never_taken_for_an_empty_answer(
    connect: Connect, operation: str, params: dict[str, str], kind: str, body: str
) -> None:
    async with answering(200, body, kind) as (url, _), connect(endpoint_url=url) as client:
        with pytest.raises(RetryError, match="not one of AWS's"):
            await client.call(operation, params)


async def test_an_error_page_of_a_proxy_is_tried_again(connect: Connect) -> None:
    async with answering(502, "<html>oops</html>", "text/html") as (url, requests), connect(endpoint_url=url) as client:
        with pytest.raises(RetryError, match="Bad Gateway"):
            await client.call("ListServices", {})
    assert len(requests) == 4


async def test_another_server_in_place_of_sts_is_told(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(200, "<html>please log in", "text/html") as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        async with connect() as client:
            with pytest.raises(RetryError, match="not one of AWS's"):
                await client.account()
