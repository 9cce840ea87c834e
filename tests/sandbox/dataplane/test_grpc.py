"""gRPC through the data plane: a grpcio client, and a grpcio server as the target."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import anyio
import grpc
import pytest
from anyio import to_thread

from sandbox.lattice.directory import FixedResponse, Forward, Match

from .conftest import FQDN

pytestmark = pytest.mark.anyio

ECHO = "/echo.Echo/"


def unary(request, context):
    context.set_trailing_metadata((("x-metadata", dict(context.invocation_metadata()).get("x-one", "")),))
    return request.upper()


def failing(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not so: 100 %")


def collect(requests, context):
    return b"+".join(requests)


def count(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def converse(requests, context):
    for request in requests:
        yield request.upper()


def early(requests, context):
    """Answers without waiting for the caller to end."""
    return next(requests)


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Failing": grpc.unary_unary_rpc_method_handler(failing),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Converse": grpc.stream_stream_rpc_method_handler(converse),
    "Early": grpc.stream_unary_rpc_method_handler(early),
}


@asynccontextmanager
async def grpc_target(network, handlers=HANDLERS):
    ip = network.allocate()
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", handlers),))
    port = server.add_insecure_port(f"{network.socket_address(ip)}:0")
    server.start()
    try:
        yield ip, port
    finally:
        await to_thread.run_sync(server.stop(None).wait)
        network.release(ip)


@pytest.fixture
async def target(network, anyio_backend):
    async with grpc_target(network) as target:
        yield target


@pytest.fixture
def channel(plane, directory, authority):
    """A channel to the service's generated domain name; the data plane is the proxy on the way."""
    directory.service(port=443, protocol="HTTPS")
    credentials = grpc.ssl_channel_credentials(authority.read_bytes())
    with grpc.secure_channel(f"{FQDN}:443", credentials, [("grpc.http_proxy", plane.url)]) as channel:
        yield channel


def forward_to(directory, *targets, version="GRPC", **fields):
    directory.group("tg-1", *targets, protocol_version=version, **fields)
    directory.listen(443, "HTTPS", Forward({"tg-1": 1}))


async def call(method, *arguments, **options):
    return await to_thread.run_sync(lambda: method(*arguments, timeout=20, **options))


async def failure(method, *arguments):
    with pytest.raises(grpc.RpcError) as failed:
        await call(method, *arguments)
    return failed.value.code(), failed.value.details()


@pytest.mark.parametrize("version", ["GRPC", "HTTP2"])
async def test_a_call_has_its_answer_and_its_metadata(plane, channel, directory, target, version):
    forward_to(directory, target, version=version)
    method = channel.unary_unary(ECHO + "Unary")
    answer, done = await call(method.with_call, b"hello", metadata=(("x-one", "1"),))
    assert answer == b"HELLO"
    assert dict(done.trailing_metadata())["x-metadata"] == "1"
    (access,) = [access for access in plane.log if access.method == "POST"]
    assert (access.protocol, access.status, access.grpc_status) == ("HTTP/2", 200, 0)
    assert (access.authority, access.server_name, access.path) == (f"{FQDN}:443", FQDN, ECHO + "Unary")


async def test_a_status_of_the_target_arrives_as_it_is(plane, channel, directory, target):
    forward_to(directory, target)
    found = await failure(channel.unary_unary(ECHO + "Failing"), b"")
    assert found == (grpc.StatusCode.FAILED_PRECONDITION, "not so: 100 %")


async def test_callers_stream(channel, directory, target):
    forward_to(directory, target)
    assert await call(channel.stream_unary(ECHO + "Collect"), iter([b"a", b"b", b"c"])) == b"a+b+c"


async def test_targets_stream(channel, directory, target):
    forward_to(directory, target)
    found = await to_thread.run_sync(lambda: list(channel.unary_stream(ECHO + "Count")(b"100", timeout=20)))
    assert found == [str(number).encode() for number in range(100)]


async def test_both_sides_stream_and_wait_for_each_other(channel, directory, target):
    """Each request but the first is sent when the answer to the one before has come."""
    forward_to(directory, target)
    heard = threading.Semaphore(0)

    def converse():
        said = []

        def requests():
            yield b"a"
            for _ in range(3):
                heard.acquire()
                yield said[-1].lower() + b"b"

        with ThreadPoolExecutor(1):
            for answer in channel.stream_stream(ECHO + "Converse")(requests(), timeout=20):
                said.append(answer)
                heard.release()
        return said

    assert await to_thread.run_sync(converse) == [b"A", b"AB", b"ABB", b"ABBB"]


async def test_a_target_may_answer_before_the_caller_has_ended(channel, directory, target):
    forward_to(directory, target)
    answered = threading.Event()

    def requests():
        yield b"first"
        answered.wait(20)

    def ask():
        try:
            return channel.stream_unary(ECHO + "Early")(requests(), timeout=20)
        finally:
            answered.set()

    assert await to_thread.run_sync(ask) == b"first"


async def test_messages_larger_than_every_window_pass(channel, directory, target):
    forward_to(directory, target)
    message = b"x" * 2_000_000
    assert await call(channel.unary_unary(ECHO + "Unary"), message) == message.upper()


async def test_calls_are_routed_by_service_and_method(channel, directory, target):
    directory.group("tg-1", target, protocol_version="GRPC")
    directory.service(
        [(Match(method="POST", path_exact=ECHO + "Unary", path_case_sensitive=True), "tg-1")],
        port=443,
        protocol="HTTPS",
    )
    assert await call(channel.unary_unary(ECHO + "Unary"), b"a") == b"A"
    code, _ = await failure(channel.unary_unary(ECHO + "Other"), b"a")
    assert code == grpc.StatusCode.UNIMPLEMENTED


async def test_a_fixed_response_of_500_is_an_unknown_error(channel, directory):
    directory.service(port=443, protocol="HTTPS", default=FixedResponse(500))
    assert (await failure(channel.unary_unary(ECHO + "Unary"), b""))[0] == grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ([], "target group tg-1 has no target that may have a request"),
        ([("10.244.9.9", 1)], "target 10.244.9.9:1: connection refused"),
    ],
)
async def test_without_a_target_a_call_is_unavailable(plane, channel, directory, targets, why):
    forward_to(directory, *targets)
    assert await failure(channel.unary_unary(ECHO + "Unary"), b"") == (grpc.StatusCode.UNAVAILABLE, why)
    (access, *_) = [access for access in plane.log if access.method == "POST"]
    assert (access.status, access.grpc_status, access.reason) == (500, 14, "TargetConnectionError")


async def test_a_group_of_http1_takes_no_calls(channel, directory, target):
    forward_to(directory, target, version="HTTP1")
    code, why = await failure(channel.unary_unary(ECHO + "Unary"), b"")
    assert code == grpc.StatusCode.UNKNOWN
    assert "takes no POST over gRPC" in why


async def test_a_listener_in_clear_has_no_groups_of_grpc(plane, directory, target):
    directory.service(port=80)
    directory.group("tg-1", target, protocol_version="GRPC")
    directory.listen(80, "HTTP", Forward({"tg-1": 1}))
    with grpc.insecure_channel(f"{FQDN}:80", [("grpc.http_proxy", plane.url)]) as channel:
        code, why = await failure(channel.unary_unary(ECHO + "Unary"), b"")
    assert code == grpc.StatusCode.UNKNOWN
    assert "is for HTTPS listeners only" in why


async def test_a_caller_that_cancels_frees_the_target(channel, directory, network):
    left = threading.Event()

    def wait(requests, context):
        context.add_callback(left.set)
        yield b"begun"
        left.wait(20)

    handlers = {"Wait": grpc.stream_stream_rpc_method_handler(wait)}

    def cancel():
        answers = channel.stream_stream(ECHO + "Wait")(iter([b"a"]), timeout=20)
        assert next(answers) == b"begun"
        answers.cancel()

    async with grpc_target(network, handlers) as target:
        forward_to(directory, target)
        await to_thread.run_sync(cancel)
        assert await to_thread.run_sync(left.wait, 10)


async def test_a_target_that_shuts_down_gracefully_ends_its_calls_first(channel, directory, network):
    """It says GOAWAY while a call is under way, and the call goes on to its end."""
    begun, go = threading.Event(), threading.Event()

    def slow(request, context):
        begun.set()
        go.wait(20)
        return b"done"

    ip = network.allocate()
    server = grpc.server(ThreadPoolExecutor(2))
    handlers = {"Slow": grpc.unary_unary_rpc_method_handler(slow)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", handlers),))
    port = server.add_insecure_port(f"{network.socket_address(ip)}:0")
    server.start()
    forward_to(directory, (ip, port))
    answers = []

    async def ask():
        answers.append(await call(channel.unary_unary(ECHO + "Slow"), b""))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await to_thread.run_sync(begun.wait, 20)
        stopped = server.stop(20)
        go.set()
    await to_thread.run_sync(stopped.wait)
    assert answers == [b"done"]
