"""A real Kubernetes API: kube-apiserver on etcd, on loopback, with TLS, RBAC and bearer tokens.

`make kube-apiserver` builds the programs; others can be given in `KUBEBUILDER_ASSETS`, the folder of that name that
Kubebuilder's tools use. Of the controllers of a cluster only those are there that end namespaces and collect garbage,
so nothing makes endpoints, pods or default service accounts.
"""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import trustme
import yaml

from sandbox.workloads.programs import ENDS_WITH_US
from tests.kube_apiserver import build

PATIENCE = 180.0
"""Seconds for a program to start; a few are usual."""

ADMIN = "admin"

_PORTS = range(20_000, 32_768)
"""Below the ports that Linux gives to whoever binds to none (`ip_local_port_range`)."""


def assets() -> Path | None:
    """The folder with the programs; None if nobody gave or built them."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        return Path(given)
    return build.kept_in() if build.is_built() else None


def crds(channel: str = "standard") -> Path | None:
    """The folder with the Gateway API's CRDs of a channel, from its Go module: beside the built programs, or else
    fetched by Go; None if there is none.
    """
    if build.is_built():
        return build.kept_in() / "crds" / channel
    if shutil.which("go") is None:
        return None
    command = ["go", "mod", "download", "-json", "sigs.k8s.io/gateway-api"]
    answer = subprocess.run(command, cwd=build.HERE, stdout=subprocess.PIPE, check=True)
    return Path(json.loads(answer.stdout)["Dir"], "config", "crd", channel)


class KubeApiserver:
    """etcd and kube-apiserver in `directory`; a context manager that ends them.

    Args:
        programs: folder with `etcd`, `kube-apiserver` and, if they are to be there, `kube-controller-manager`.
        flags: further flags of kube-apiserver, without dashes.

    Raises AssertionError, with the end of the program's log, when one does not start.
    """

    def __init__(self, programs: Path, directory: Path, flags: Mapping[str, str] | None = None) -> None:
        self._programs = programs
        self._directory = directory
        self._flags = dict(flags or {})
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._etcd, self._peer, self._port = free_ports(3)
        self.token = secrets.token_urlsafe(24)
        """The bearer token of a member of system:masters."""
        self.certificate = directory / "ca.crt"
        """The authority to trust."""
        self.url = f"https://127.0.0.1:{self._port}"

    def __enter__(self) -> "KubeApiserver":
        try:
            self._make_secrets()
            self.start_etcd()
            self.start()
            if (self._programs / "kube-controller-manager").exists():
                self._start_controllers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self._end(name)

    @property
    def has_controllers(self) -> bool:
        """Whether namespaces end and garbage is collected."""
        return "kube-controller-manager" in self._running

    def _make_secrets(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        leaf = authority.issue_cert("127.0.0.1", "localhost")
        authority.cert_pem.write_to_path(self.certificate)
        leaf.private_key_pem.write_to_path(self._directory / "tls.key")
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(self._directory / "tls.crt", append=True)
        (self._directory / "tokens.csv").write_text(f"{self.token},{ADMIN},{ADMIN},system:masters\n")

    def start_etcd(self) -> None:
        clients, peers = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{self._peer}"
        self._begin(
            "etcd",
            {
                "data-dir": str(self._directory / "etcd"),
                "listen-client-urls": clients,
                "advertise-client-urls": clients,
                "listen-peer-urls": peers,
                "initial-advertise-peer-urls": peers,
                "initial-cluster": f"default={peers}",
                "unsafe-no-fsync": "true",
                "log-level": "error",
            },
        )
        self._until("etcd", f"{clients}/health")

    def start(self) -> None:
        """Start kube-apiserver, on the same port each time, and wait until it is ready."""
        key, certificate = str(self._directory / "tls.key"), str(self._directory / "tls.crt")
        self._begin(
            "kube-apiserver",
            {
                "etcd-servers": f"http://127.0.0.1:{self._etcd}",
                "bind-address": "127.0.0.1",
                "secure-port": str(self._port),
                "tls-cert-file": certificate,
                "tls-private-key-file": key,
                "token-auth-file": str(self._directory / "tokens.csv"),
                "authorization-mode": "RBAC",
                "disable-admission-plugins": "ServiceAccount",
                "service-account-issuer": "https://kubernetes.default.svc",
                "service-account-key-file": key,
                "service-account-signing-key-file": key,
                "service-cluster-ip-range": "10.96.0.0/16",
                **self._flags,
            },
        )
        self._until("kube-apiserver", f"{self.url}/readyz")

    def stop(self) -> None:
        """Kill kube-apiserver, and return when nobody listens in its place any more; what it stored stays."""
        self._end("kube-apiserver")
        deadline = time.monotonic() + PATIENCE
        while True:
            # The killed process is not our child, so nobody tells when the last of it is gone.
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) != 0:
                    return
            assert time.monotonic() < deadline, "the killed kube-apiserver still listens"
            time.sleep(0.01)

    def _start_controllers(self) -> None:
        config = str(self.kubeconfig(self._directory / "controllers.kubeconfig"))
        self._begin(
            "kube-controller-manager",
            {
                "kubeconfig": config,
                "authentication-kubeconfig": config,
                "authorization-kubeconfig": config,
                "controllers": "namespace-controller,garbage-collector-controller",
                "leader-elect": "false",
                "bind-address": "127.0.0.1",
                "secure-port": str(*free_ports(1)),
                "cert-dir": str(self._directory / "controllers"),
            },
        )

    def compact(self) -> None:
        """Make etcd forget every version before the present one, so that older watches and pages are gone.

        It is done as the API server does it every five minutes, so its caches forget it too, but that takes up to 15 s
        for pages, and until a restart for watches. Only Events have no cache: theirs are gone at once.
        """
        revision = json.loads(self._post_etcd("/v3/kv/range", {"key": "AA=="}))["header"]["revision"]
        mark = {"key": _encoded("compact_rev_key"), "value": _encoded(str(revision))}
        self._post_etcd("/v3/kv/put", mark)
        self._post_etcd("/v3/kv/compaction", {"revision": revision, "physical": True})

    def _post_etcd(self, path: str, body: Mapping[str, Any]) -> bytes:
        url = f"http://127.0.0.1:{self._etcd}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=10) as reply:
            content: bytes = reply.read()
            return content

    def kubeconfig(self, path: Path, *, token: str | None = None, url: str | None = None) -> Path:
        """Write a kubeconfig for a bearer token, by default the administrator's, and return its path."""
        cluster = {"server": url or self.url, "certificate-authority": str(self.certificate)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "tests", "user": {"token": token or self.token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
            "current-context": "tests",
        }
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def request(self, method: str, path: str, body: Any = None, *, media: str = "application/json") -> Any:
        """One request as the administrator; the decoded answer. Raises HTTPError for a status of 400 and above."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": media, "Accept": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30, context=self.tls) as reply:
            return json.loads(reply.read())

    def apply(self, *objects: Mapping[str, Any], path: str) -> None:
        """Server-side apply objects of one collection, as the administrator."""
        for obj in objects:
            target = f"{path}/{obj['metadata']['name']}?fieldManager=tests&force=true"
            self.request("PATCH", target, obj, media="application/apply-patch+yaml")

    def install_crds(self, folder: Path) -> None:
        """Apply every CustomResourceDefinition of a folder, and wait until all are served."""
        found = [doc for file in sorted(folder.glob("*.yaml")) for doc in yaml.safe_load_all(file.read_text()) if doc]
        found = [doc for doc in found if doc["kind"] == "CustomResourceDefinition"]
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self.apply(*found, path=path)
        deadline = time.monotonic() + PATIENCE
        for doc in found:
            while not _established(self.request("GET", f"{path}/{doc['metadata']['name']}")):
                assert time.monotonic() < deadline, f"{doc['metadata']['name']} is not established"
                time.sleep(0.05)

    def service_account_token(self, namespace: str, name: str) -> str:
        """A token of a service account that exists."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token: str = self.request("POST", path, body)["status"]["token"]
        return token

    def _begin(self, name: str, flags: Mapping[str, str]) -> None:
        log = self._directory / f"{name}.log"
        command = [str(self._programs / name), *(f"--{flag}={value}" for flag, value in flags.items())]
        with log.open("ab") as stream:
            self._running[name] = subprocess.Popen(
                ["sh", "-c", ENDS_WITH_US, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                cwd=self._directory,
                start_new_session=True,
            )

    def _end(self, name: str) -> None:
        """Kills it: kube-apiserver would wait a minute for its watches, and nothing here is needed afterwards."""
        process = self._running.pop(name, None)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def _until(self, name: str, url: str) -> None:
        deadline = time.monotonic() + PATIENCE
        headers = {"Authorization": f"Bearer {self.token}"} if url.startswith("https") else {}
        context = self.tls if url.startswith("https") else None
        while True:
            with contextlib.suppress(urllib.error.URLError, OSError):
                request = urllib.request.Request(url, headers=headers)
                with urllib.request.urlopen(request, timeout=5, context=context):
                    return
            ended = self._running[name].poll() is not None
            if ended or time.monotonic() > deadline:
                log = (self._directory / f"{name}.log").read_text(errors="replace")
                raise AssertionError(f"{name} {'ended' if ended else 'is not ready'}: {log[-2000:]}")
            time.sleep(0.05)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _established(definition: Mapping[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions", ())
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on, and that the system gives to nobody who asks for any.

    A server that is slow to start, or is down for a while, would find one of those taken.
    """
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found += [] if port in found else [port]
    return found


@contextmanager
def _alone() -> Iterator[None]:
    """One at a time over all processes: several that start together take much longer than one after the other."""
    with (Path(tempfile.gettempdir()) / "lattice-controller-kube-apiserver.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def running(directory: Path, flags: Mapping[str, str] | None = None) -> Iterator[KubeApiserver]:
    """One with the Gateway API's CRDs of the standard channel. Raises LookupError without programs or CRDs."""
    programs, definitions = assets(), crds()
    if programs is None:
        raise LookupError("no kube-apiserver: run make kube-apiserver, or set KUBEBUILDER_ASSETS")
    if definitions is None:
        raise LookupError("no CRDs of the Gateway API: run make kube-apiserver")
    with ExitStack() as stack:
        with _alone():
            server = stack.enter_context(KubeApiserver(programs, directory, flags))
            server.install_crds(definitions)
        yield server
