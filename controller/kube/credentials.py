"""Where the API server is and how to be let in: what kubernetes-asyncio is good at, behind one small class.

kubernetes-asyncio reads kubeconfig files and the files of a pod's service account, runs exec plugins, talks to OIDC
issuers and sets up TLS. It leaves the keeping fresh to its caller, which is what this module adds: credentials with a
known expiry are looked at again before requests (at most once a minute, as client-go does with token files), and a 401
loads everything anew. What cannot be read at such a moment ends nothing: the old credentials stay until it can.

The order of sources is controller-runtime's: the path given, `$KUBECONFIG`, the pod's service account, and last
`~/.kube/config`. Asking for a context means a kubeconfig.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import yaml
from kubernetes_asyncio.client.configuration import Configuration
from kubernetes_asyncio.client.rest import RESTClientObject
from kubernetes_asyncio.config import ConfigException, load_incluster_config
from kubernetes_asyncio.config.incluster_config import SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME
from kubernetes_asyncio.config.kube_config import KubeConfigLoader, KubeConfigMerger

from controller.kube.errors import ConfigError

log = logging.getLogger("controller.kube.credentials")

_ACCIDENTS = (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, AssertionError)
"""What kubernetes-asyncio raises for a file of another shape, which it does not check. The texts may quote the file's
content, so only their kind is told."""

LOOK_AGAIN = 60.0
"""Seconds for which a token is used without looking whether there is a newer one."""


def kubeconfig_path(
    given: str | os.PathLike[str] | None,
    context: str | None,
    environ: Mapping[str, str],
    *,
    service_account: Path = Path(SERVICE_TOKEN_FILENAME),
) -> str | None:
    """The kubeconfig to use, or several joined by `os.pathsep`; None means the pod's service account.

    Raises ConfigError, saying where it looked, if there is neither.
    """
    if given is not None:
        if not Path(given).expanduser().is_file():
            raise ConfigError(f"kubeconfig {os.fspath(given)}: no such file")
        return os.fspath(given)
    named = environ.get("KUBECONFIG", "")
    if named:
        if not any(Path(part).expanduser().is_file() for part in named.split(os.pathsep) if part):
            raise ConfigError(f"kubeconfig {named} (named by $KUBECONFIG): no such file")
        return named
    in_pod = bool(environ.get(SERVICE_HOST_ENV_NAME)) and service_account.is_file()
    if in_pod and context is None:
        return None
    default = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    if default.is_file():
        return os.fspath(default)
    raise ConfigError(
        f"no way to a Kubernetes API server: no --kubeconfig, no $KUBECONFIG, not in a pod with a service account, "
        f"and no {default}"
    )


class Credentials:
    """Server address, TLS session and Authorization header, kept fresh. Used through `session` and `authorization`."""

    def __init__(
        self,
        kubeconfig: str | None,
        context: str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`kubeconfig` None means the pod's service account. Nothing is read before `load`."""
        self._kubeconfig = kubeconfig
        self._context = context
        self._clock = clock
        self._lock = anyio.Lock()
        self._configuration: Any = None
        self._loader: Any = None
        self._rest: Any = None
        self._tls: tuple[Any, ...] = ()
        self._looked = 0.0
        self.generation = 0
        """Grows with every load; tells a caller whether somebody else has loaded since."""

    @property
    def host(self) -> str:
        """The server's URL without a trailing slash."""
        return str(self._configuration.host).rstrip("/")

    @property
    def session(self) -> aiohttp.ClientSession:
        session: aiohttp.ClientSession = self._rest.pool_manager
        return session

    @property
    def request_options(self) -> dict[str, Any]:
        """What each request must be given beside its own parameters: proxy and TLS server name, where configured."""
        options: dict[str, Any] = {}
        if self._rest.proxy:
            options["proxy"] = self._rest.proxy
        if self._rest.server_hostname:
            options["server_hostname"] = self._rest.server_hostname
        return options

    async def load(self, seen: int | None = None) -> None:
        """Read everything anew, unless somebody did since generation `seen`. Raises ConfigError."""
        async with self._lock:
            if seen is not None and seen != self.generation:
                return
            configuration = Configuration()
            if self._kubeconfig is None:
                self._load_in_pod(configuration)
            else:
                await self._load_kubeconfig(self._kubeconfig, configuration)
            await self._adopt(configuration)
            self._looked = self._clock()
            self.generation += 1

    async def authorization(self) -> str | None:
        """The Authorization header's value; None where TLS or nothing identifies us. Raises ConfigError."""
        if self._clock() - self._looked >= LOOK_AGAIN:
            async with self._lock:
                if self._clock() - self._looked >= LOOK_AGAIN:
                    await self._look_again()
                    self._looked = self._clock()
        token = self._configuration.api_key.get("BearerToken")
        return None if token is None else str(token).strip()

    async def close(self) -> None:
        if self._rest is not None:
            await self._rest.close()

    def _load_in_pod(self, configuration: Any) -> None:
        try:
            load_incluster_config(client_configuration=configuration)
        except (ConfigException, OSError) as error:
            raise ConfigError(f"service account of this pod: {error}") from error

    async def _load_kubeconfig(self, path: str, configuration: Any) -> None:
        try:
            merged = KubeConfigMerger(path).config
            if merged is None:
                raise ConfigError(f"kubeconfig {path}: no such file")
            loader = KubeConfigLoader(config_dict=merged, active_context=self._context, config_base_path=None)
            await loader.load_and_set(configuration)
        except (ConfigException, OSError) as error:
            raise ConfigError(f"kubeconfig {path}: {error}") from error
        except _ACCIDENTS as error:
            raise ConfigError(f"kubeconfig {path}: cannot be read ({type(error).__name__})") from None
        self._loader = loader

    async def _look_again(self) -> None:
        """Pick up what was renewed behind our back: the pod's token and CA, or a kubeconfig's token.

        A failure, such as a file that is being written, leaves what we had, which may still be good.
        """
        configuration = Configuration()
        try:
            if self._kubeconfig is None:
                self._load_in_pod(configuration)
            elif self._renewable():
                await self._loader.load_and_set(configuration)
            else:
                return
            await self._adopt(configuration)
        except (ConfigError, ConfigException, OSError, *_ACCIDENTS) as error:
            log.warning("credentials could not be renewed", extra={"error": type(error).__name__})

    def _renewable(self) -> bool:
        """Whether looking again costs little: exec plugins that do not tell an expiry are run after a 401 only."""
        if self._loader is None:
            return False
        user = self._loader._user  # noqa: SLF001 -- the loader has no public word for it
        if user is None:
            return False
        return "tokenFile" in user or "auth-provider" in user or hasattr(self._loader, "exec_plugin_expiry")

    async def _adopt(self, configuration: Any) -> None:
        """Use this configuration; the session is replaced only if address or TLS changed, for that ends its watches.

        Raises ConfigError, and leaves everything as it was, if TLS cannot be set up.
        """
        try:
            tls = (
                configuration.host,
                configuration.proxy,
                configuration.verify_ssl,
                configuration.tls_server_name,
                _content(configuration.ssl_ca_cert),
                _content(configuration.cert_file),
                _content(configuration.key_file),
            )
            rest = self._rest if tls == self._tls else RESTClientObject(configuration)
        except (OSError, ValueError) as error:
            raise ConfigError(f"TLS for {configuration.host} cannot be set up: {error}") from error
        old = self._rest
        self._configuration, self._rest, self._tls = configuration, rest, tls
        if old is not None and old is not rest:
            await old.close()


def _content(path: str | None) -> bytes | None:
    return Path(path).read_bytes() if path else None
