"""What becomes of a connection that begins with TLS: passed through, ended here, or refused; pure.

VPC Lattice documents (User Guide, "TLS listeners", "HTTPS listeners", "Bring your own certificate", "Configure a custom
domain name"):

- A TLS listener matches the server name exactly with the service's custom domain name; a certificate of the service is
  not used.
- An HTTPS listener shows the certificate that VPC Lattice provides for the generated domain name, and for the custom
  domain name the one of the service. There is no default certificate to fall back to: "if you don't provide an SSL/TLS
  certificate corresponding to your custom domain name, all HTTPS connections to your custom domain name will fail".
- Every client request over TLS has a server name.

Where one address stands for all ports, the port is not known before the request is. Then it is 443 if the service has a
listener there, else the one TLS listener that it has, else that of the request.
"""

from dataclasses import dataclass

from sandbox.dataplane.authority import covers
from sandbox.lattice.directory import Certificate, Directory, Listener, Service

_DEFAULT_PORT = 443


class NoEntryError(Exception):
    """There is nothing that could answer; the message says why."""


@dataclass(frozen=True, slots=True)
class PassThrough:
    """Hand the caller's bytes to the listener's targets."""

    service: Service
    listener: Listener


@dataclass(frozen=True, slots=True)
class Terminate:
    """End TLS here, with the certificate of the generated domain (None) or of ACM."""

    domain: str
    certificate: Certificate | None


def entry(directory: Directory, server_name: str | None, port: int | None) -> PassThrough | Terminate:
    """What to do with a connection for this name that was dialled on a listener's port, or on any (None).

    Raises NoEntryError.
    """
    if server_name is None:
        raise NoEntryError("the ClientHello has no server name")
    service = directory.service_by_domain(server_name)
    if service is None:
        raise NoEntryError(f"no service answers to {server_name}")
    listener = _listener(service, port)
    if listener is not None and listener.protocol == "TLS_PASSTHROUGH":
        if server_name != (service.custom_domain or "").lower():
            raise NoEntryError(f"a TLS listener matches the custom domain of service {service.name} only")
        return PassThrough(service, listener)
    if listener is None or listener.protocol != "HTTPS":
        where = "" if port is None else f" on port {port}"
        raise NoEntryError(f"service {service.name} has no listener for TLS{where}")
    return Terminate(server_name, _certificate(directory, service, server_name))


def _listener(service: Service, port: int | None) -> Listener | None:
    if port is not None:
        return service.listeners.get(port)
    encrypted = [listener for listener in service.listeners.values() if listener.protocol != "HTTP"]
    usual = [listener for listener in encrypted if listener.port == _DEFAULT_PORT]
    passing = [listener for listener in encrypted if listener.protocol == "TLS_PASSTHROUGH"]
    ending = [listener for listener in encrypted if listener.protocol == "HTTPS"]
    found = usual or (passing if len(passing) == 1 else []) or ending
    return found[0] if found else None


def _certificate(directory: Directory, service: Service, server_name: str) -> Certificate | None:
    if server_name == service.domain.lower():
        return None
    certificate = None if service.certificate_arn is None else directory.certificate(service.certificate_arn)
    if certificate is None:
        raise NoEntryError(f"service {service.name} has no certificate for its custom domain")
    if not covers(certificate.names, server_name):
        raise NoEntryError(f"certificate {certificate.arn} is not for {server_name}")
    return certificate
