"""Container images that run as processes of this machine, with what their containers are given.

There is no container engine and no registry: a pod whose image has a program here gets one process for each container,
which sees what a container would see of its pod. Environment variables take their values from the pod's own fields;
of a Secret's volume the files lie in a folder, and a value that names a file below the mount path names it there. The
variable `LISTEN_ADDRESS` says on which address to listen, since all pods share this machine's network.

A container is running when its process listens at the pod's address. What is missing, such as a Secret, keeps a pod
waiting, as a kubelet would. The processes end with their pod, or with us, however we end.
"""

import base64
import ipaddress
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import anyio
import anyio.abc
import anyio.to_thread

from sandbox.workloads.client import KubeError, Resource
from sandbox.workloads.objects import Json, uid_of

SECRETS = Resource("v1", "Secret", "secrets")

ENDS_WITH_US = 'exec 3<&0; "$@" 3<&- & child=$!; (cat <&3 >/dev/null; kill -9 $child 2>/dev/null) & wait $child'
"""A shell's script that runs a command until it ends or our end of the standard input does, however we end."""

_PATIENCE = 20.0
"""Seconds until a process that does not listen has failed."""

_LOOK = 0.02
_LISTENING = "0A"
"""The state of a listening socket in `/proc/net/tcp` (proc_net_tcp documentation of Linux: TCP_LISTEN)."""

Read = Callable[[Resource, str, str], Awaitable[Json]]
"""Reads an object of a namespace and name. Raises KubeError."""


class ContainerError(Exception):
    """A container cannot run for now; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Programs:
    """`images` says which executable an image runs, by the image's name without registry and tag; volumes and logs of
    the containers lie below `directory`.
    """

    images: Mapping[str, Path]
    directory: Path

    def of(self, container: Json) -> Path:
        """The program of a container. Raises LookupError if its image has none."""
        return self.images[_repository(container.get("image", ""))]

    def have(self, pod: Json) -> bool:
        """Whether all containers of a pod have a program."""
        return all(_repository(container.get("image", "")) in self.images for container in pod["spec"]["containers"])


class PodProcesses:
    """The processes of one pod; made by `start`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._processes: list[anyio.abc.Process] = []

    @classmethod
    async def start(cls, pod: Json, address: str, programs: Programs, read: Read) -> Self:
        """Run all containers of a pod, to listen at a socket address; returns when they do.

        Raises ContainerError, with nothing left running, and LookupError for an image without a program.
        """
        made = cls(programs.directory / uid_of(pod))
        try:
            for container in pod["spec"]["containers"]:
                await made._run(pod, container, programs.of(container), address, read)
        except BaseException:
            await made.stop()
            raise
        return made

    async def stop(self) -> None:
        """End the processes at once, and remove what they were given."""
        with anyio.CancelScope(shield=True):
            for process in self._processes:
                await process.aclose()  # the shell kills the program when its input ends
            self._processes.clear()
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(self._directory, ignore_errors=True))

    async def _run(self, pod: Json, container: Json, program: Path, address: str, read: Read) -> None:
        mounts = await self._mount(pod, container, read)
        variables = environment(pod, container, mounts)
        self._directory.mkdir(parents=True, exist_ok=True)
        log = self._directory / f"{container['name']}.log"
        with log.open("wb") as lines:
            process = await anyio.open_process(
                ["sh", "-c", ENDS_WITH_US, "sh", str(program), *container.get("args", ())],
                env={"PATH": "/usr/bin:/bin", **variables, "LISTEN_ADDRESS": address},
                stdin=subprocess.PIPE,
                stdout=lines,
                stderr=lines,
                cwd=self._directory,
                start_new_session=True,
            )
        self._processes.append(process)
        with anyio.move_on_after(_PATIENCE):
            while process.returncode is None:
                if listens(await anyio.Path("/proc/net/tcp").read_text(), address):
                    return
                await anyio.sleep(_LOOK)
        told = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise ContainerError(f"container {container['name']} does not listen: {' '.join(told)}")

    async def _mount(self, pod: Json, container: Json, read: Read) -> dict[str, Path]:
        """The folders of the container's volumes, by mount path."""
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
        mounts = {}
        for mount in container.get("volumeMounts") or ():
            volume = volumes[mount["name"]]
            if "secret" not in volume:
                raise ContainerError(f"volume {mount['name']} is not a Secret's")
            name = volume["secret"]["secretName"]
            try:
                secret = await read(SECRETS, pod["metadata"]["namespace"], name)
            except KubeError as error:
                if error.code != 404:
                    raise
                raise ContainerError(f"Secret {name} does not exist") from error
            folder = self._directory / "volumes" / mount["name"]
            for path, content in files(volume["secret"], secret).items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
            mounts[mount["mountPath"]] = folder
        return mounts


def environment(pod: Json, container: Json, mounts: Mapping[str, Path]) -> dict[str, str]:
    """The variables of a container. Raises ContainerError for one whose source is not known here."""
    found = {}
    for variable in container.get("env") or ():
        value: str = variable.get("value", "")
        if "valueFrom" in variable:
            path = (variable["valueFrom"].get("fieldRef") or {}).get("fieldPath", "")
            group, _, field = path.partition(".")
            if group != "metadata" or not isinstance(value := pod["metadata"].get(field), str):
                raise ContainerError(f"the source of variable {variable['name']} is not known here")
        for mount_path, folder in mounts.items():
            if value.startswith(f"{mount_path}/"):
                value = str(folder) + value.removeprefix(mount_path)
        found[variable["name"]] = value
    return found


def files(volume: Json, secret: Json) -> dict[str, bytes]:
    """Path → content of a Secret's volume (core/v1, `SecretVolumeSource`). Raises ContainerError for a missing key."""
    data = secret.get("data") or {}
    items = volume.get("items") or [{"key": key, "path": key} for key in data]
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing:
        raise ContainerError(f"Secret {volume['secretName']} has no key {', '.join(missing)}")
    return {item["path"]: base64.b64decode(data[item["key"]]) for item in items}


def listens(table: str, address: str) -> bool:
    """Whether a socket listens at an IPv4 address, by the content of `/proc/net/tcp`."""
    number = int.from_bytes(ipaddress.IPv4Address(address).packed, "little")
    here = f"{number:08X}:"
    entries = (line.split() for line in table.splitlines()[1:])
    return any(entry[1].startswith(here) and entry[3] == _LISTENING for entry in entries)


def _repository(image: str) -> str:
    """What is left of an image's name without registry, tag and digest."""
    first, slash, rest = image.partition("@")[0].partition("/")
    path = rest if slash and (first == "localhost" or "." in first or ":" in first) else first + slash + rest
    head, slash, last = path.rpartition("/")
    return head + slash + last.partition(":")[0]
