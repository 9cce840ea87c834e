"""The features of the Gateway API that the GatewayClass claims: those that are proven, and where.

The core features of the profiles GATEWAY-HTTP, GATEWAY-GRPC and GATEWAY-TLS go by themselves: which of their tests VPC
Lattice rules out, and by which page of AWS's, is told in `docs/conformance/`. A further feature is named here only when
every test that the conformance suite has for it is passed (`make conformance`).

Source: Gateway API v1.6, `GatewayClassStatus.supportedFeatures`, and the names in its `pkg/features`.
"""

from typing import Final

CORE: Final = ("GRPCRoute", "Gateway", "HTTPRoute", "ReferenceGrant", "TLSRoute")

EXTENDED: Final = (
    # Listeners on any port: tests/lattice/test_convergence.py runs several; the suite's Gateways on 8080 have one.
    "GatewayPort8080",
    # A rule's method is Lattice's: tests/translate/test_precedence.py, and answered so in tests/sandbox/dataplane.
    "HTTPRouteMethodMatching",
    # A parentRef's port selects listeners, or none: tests/gateway/test_attachment.py.
    "HTTPRouteDestinationPortMatching",
    "HTTPRouteParentRefPort",
    # A name of a rule changes nothing: it is not read. (That of a GRPCRoute's has a test that needs gRPC without TLS.)
    "HTTPRouteNamedRouteRule",
)

SUPPORTED: Final = tuple(sorted((*CORE, *EXTENDED)))
"""In the order that the API demands."""
