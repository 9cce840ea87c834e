"""How the tests hold an emulated account: a clock that the test owns, and clients that are not ours."""

from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from sandbox.lattice import LatticeServer, Timings

VPC = "vpc-0123456789abcdef0"
SPAN = (2.0, 2.0)
SESSION = get_session()
"""One for all tests, because it keeps the service models that it has read."""

TIMINGS = Timings(**dict.fromkeys(Timings.__dataclass_fields__, SPAN))


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float = SPAN[1]) -> None:
        self.now += seconds


class Account:
    """The server, its clock, and a client for each service, as a test uses them."""

    def __init__(self, server: LatticeServer, clock: Clock, clients: dict[str, Any]) -> None:
        self.server = server
        self.clock = clock
        self.lattice = clients["vpc-lattice"]
        self.tagging = clients["resourcegroupstaggingapi"]
        self.sts = clients["sts"]
        self.acm = clients["acm"]

    def client(self, service: str, **more: Any) -> Any:
        """A client, to be entered, of another service on the same endpoint."""
        return client_of(self.server, service, **more)

    def settle(self) -> None:
        """Let all asynchronous changes of this moment come to their end."""
        self.clock.advance()

    async def network(self, name: str = "my-hotel", **more: Any) -> dict[str, Any]:
        return await self.lattice.create_service_network(name=name, **more)

    async def service(self, name: str = "rates", **more: Any) -> dict[str, Any]:
        service = await self.lattice.create_service(name=name, **more)
        self.settle()
        return service

    async def group(self, name: str = "parking", **config: Any) -> dict[str, Any]:
        config = {"protocol": "HTTP", "port": 80, "vpcIdentifier": VPC} | config
        group = await self.lattice.create_target_group(name=name, type="IP", config=config)
        self.settle()
        return group

    async def listener(self, service: dict[str, Any], name: str = "http", **more: Any) -> dict[str, Any]:
        more = {"protocol": "HTTP", "defaultAction": {"fixedResponse": {"statusCode": 404}}} | more
        return await self.lattice.create_listener(serviceIdentifier=service["id"], name=name, **more)

    async def rule(self, listener: dict[str, Any], name: str, priority: int, **more: Any) -> dict[str, Any]:
        more = {"match": prefix("/"), "action": {"fixedResponse": {"statusCode": 500}}} | more
        return await self.lattice.create_rule(
            serviceIdentifier=listener["serviceId"],
            listenerIdentifier=listener["id"],
            name=name,
            priority=priority,
            **more,
        )

    async def associate(self, service: dict[str, Any], network: dict[str, Any]) -> dict[str, Any]:
        association = await self.lattice.create_service_network_service_association(
            serviceIdentifier=service["id"], serviceNetworkIdentifier=network["id"]
        )
        self.settle()
        return association

    async def all_of(self, paginator: str, key: str = "items", **params: Any) -> list[dict[str, Any]]:
        pages = self.lattice.get_paginator(paginator).paginate(**params)
        return [item async for page in pages for item in page[key]]


def prefix(path: str) -> dict[str, Any]:
    return {"httpMatch": {"pathMatch": {"match": {"prefix": path}, "caseSensitive": True}}}


def forward(*groups: dict[str, Any], weights: tuple[int, ...] = ()) -> dict[str, Any]:
    weighted = weights or (1,) * len(groups)
    targets = [
        {"targetGroupIdentifier": group["id"], "weight": weight} for group, weight in zip(groups, weighted, strict=True)
    ]
    return {"forward": {"targetGroups": targets}}


def client_of(server: LatticeServer, service: str, secret: str = "secret", **config: Any) -> Any:
    """A client, to be entered; it neither retries nor checks, so that the server must."""
    return SESSION.create_client(
        service,
        endpoint_url=server.url,
        region_name=server.region,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=secret,
        config=AioConfig(retries={"total_max_attempts": 1, "mode": "standard"}, parameter_validation=False, **config),
    )


async def connect(stack: AsyncExitStack, server: LatticeServer, clock: Clock, **more: Any) -> Account:
    """Clients of the server for as long as the stack is open."""
    services = ("vpc-lattice", "resourcegroupstaggingapi", "sts", "acm")
    return Account(
        server, clock, {name: await stack.enter_async_context(client_of(server, name, **more)) for name in services}
    )
