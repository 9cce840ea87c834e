"""Requests to a target in the protocol and version of its group, whatever the caller speaks."""

from contextlib import AbstractAsyncContextManager

from sandbox.dataplane.http1target import Http1Targets
from sandbox.dataplane.http2target import Http2Targets
from sandbox.dataplane.messages import Answer, Fields, Request, TargetError
from sandbox.lattice.directory import Target, TargetGroup
from sandbox.network import Network


class Targets:
    """The clients for HTTP/1.1 and HTTP/2, on the sandbox's network."""

    def __init__(self, network: Network, http1: Http1Targets, http2: Http2Targets) -> None:
        self._network = network
        self._http1 = http1
        self._http2 = http2

    def address(self, target: Target) -> str:
        """The socket address of a target. Raises TargetError for one outside of the network."""
        try:
            return self._network.socket_address(target.ip)
        except ValueError as error:
            raise TargetError("TargetConnectionError", str(error)) from error

    def send(
        self, request: Request, fields: Fields, *, group: TargetGroup, target: Target, idle: float
    ) -> AbstractAsyncContextManager[Answer]:
        """The target's answer; `fields` are what it gets of the request's. Raises TargetError, also on entering.

        To a group of the version HTTP2 a request goes when all of it is there: "the service does not support streaming
        to the targets" (User Guide, "Target groups in VPC Lattice", considerations for the HTTP/2 protocol version).
        """
        address, tls = self.address(target), group.protocol == "HTTPS"
        if group.protocol_version in ("HTTP2", "GRPC"):
            hold = group.protocol_version == "HTTP2"
            return self._http2.send(request, fields, address=address, port=target.port, tls=tls, idle=idle, hold=hold)
        origin = f"{'https' if tls else 'http'}://{address}:{target.port}"
        return self._http1.send(request, fields, origin=origin, idle=idle)
