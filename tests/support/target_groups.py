"""Target groups as VPC Lattice describes them."""

from typing import Any

HTTP1_CONFIG: dict[str, Any] = {
    "protocol": "HTTP",
    "protocolVersion": "HTTP1",
    "port": 80,
    "ipAddressType": "IPV4",
    "healthCheck": {
        "enabled": True,
        "protocol": "HTTP",
        "protocolVersion": "HTTP1",
        "path": "/",
        "healthCheckIntervalSeconds": 30,
        "healthCheckTimeoutSeconds": 5,
        "healthyThresholdCount": 5,
        "unhealthyThresholdCount": 2,
        "matcher": {"httpCode": "200"},
    },
}
"""The configuration, but for its VPC, of a group of IP addresses for HTTP that names nothing else.

Source: the VPC Lattice API Reference, `TargetGroupConfig` and `HealthCheckConfig`.
"""
