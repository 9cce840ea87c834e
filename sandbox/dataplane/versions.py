"""Which requests a target group can serve, by the version of HTTP on either side; pure.

VPC Lattice documents the combinations in a table (User Guide, "Target groups in VPC Lattice", protocol version):

| request  | HTTP1   | HTTP2                       | GRPC                      |
|----------|---------|-----------------------------|---------------------------|
| HTTP/1.1 | success | error                       | error                     |
| HTTP/2   | success | success                     | success if a POST request |
| gRPC     | error   | success if targets speak it | success                   |

and below it that for groups of the versions HTTP2 and GRPC "the only supported listener protocol is HTTPS"; the target
group's own protocol may be HTTP or HTTPS. TCP groups are "supported only with TLS listeners" (the same page, routing
configuration). A gRPC request is one over HTTP/2 whose content type says so (gRPC over HTTP2, "Requests"): gRPC-Web
does not.
"""

import re

from sandbox.dataplane.messages import Request
from sandbox.lattice.directory import TargetGroup

_GRPC = re.compile(r"application/grpc(?![-\w.])", re.IGNORECASE)


def is_grpc(request: Request) -> bool:
    """Whether the request is a gRPC call."""
    return request.version == "HTTP/2" and _GRPC.match(request.field("content-type") or "") is not None


def obstacle(request: Request, group: TargetGroup) -> str | None:
    """Why the targets of a group cannot serve a request, in words for people; None if they can."""
    version = group.protocol_version or "HTTP1"
    if group.protocol not in ("HTTP", "HTTPS"):
        return f"target group {group.group_id} of {group.protocol} is for TLS listeners only"
    spoken = "gRPC" if is_grpc(request) else request.version
    if version == "HTTP1":
        unfit = spoken == "gRPC"
    elif request.caller.scheme != "https":
        return f"target group {group.group_id} of {version} is for HTTPS listeners only"
    else:
        unfit = spoken == "HTTP/1.1" or (version == "GRPC" and spoken == "HTTP/2" and request.method != "POST")
    return f"target group {group.group_id} of {version} takes no {request.method} over {spoken}" if unfit else None
