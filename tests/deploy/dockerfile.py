"""The Dockerfile's own steps, run without a container engine.

A private mount namespace stands in for the image: empty file systems where the steps write, the interpreter of these
tests where the base image has its own (`/usr/local`). COPY becomes `cp`, RUN runs as it stands. Afterwards only what
the last stage copies is left, everything is mounted read-only, and the entry point runs as the image's user, without
capabilities, in an environment of nothing but the image's and its settings.

The steps that fetch from the package index can be replaced by copies of the same distributions from this environment.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple, Self

PROBE = """
import json, os, pathlib, tempfile
def writable(folder):
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            return True
    except OSError:
        return False
places = ["/", "/tmp", "/var/tmp", "/run", "/opt", "/opt/controller", "/srv", os.getcwd()]
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no new privileges": int(status["NoNewPrivs"]),
    "writable": [place for place in places if writable(place)],
}))
"""
"""Run by the image's interpreter as the image's user; prints what it is and where it could write."""


class Installed(NamedTuple):
    """Distributions of this environment: the folder that they lie in, and a file that lists their files."""

    root: Path
    files: Path


@dataclass
class Stage:
    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [arguments for word, arguments in self.steps if word == instruction]

    def copied(self) -> list[tuple[list[str], str]]:
        """COPY from the context: sources and destination."""
        found = [shlex.split(arguments) for arguments in self.all("COPY") if not arguments.startswith("--from")]
        return [(words[:-1], words[-1]) for words in found]


@dataclass
class Dockerfile:
    stages: list[Stage]

    @classmethod
    def read(cls, path: Path) -> Self:
        stages: list[Stage] = []
        text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
        for line in text.replace("\\\n", " ").splitlines():
            word, _, arguments = line.strip().partition(" ")
            if word == "FROM":
                base, _, name = arguments.partition(" AS ")
                stages.append(Stage(name, base))
            elif word and stages:
                stages[-1].steps.append((word, " ".join(arguments.split())))
        return cls(stages)

    @property
    def build(self) -> Stage:
        return self.stages[0]

    @property
    def image(self) -> Stage:
        return self.stages[-1]

    @property
    def user(self) -> tuple[str, str]:
        (user,) = self.image.all("USER")
        uid, _, gid = user.partition(":")
        return uid, gid

    @property
    def entrypoint(self) -> list[str]:
        (words,) = self.image.all("ENTRYPOINT")
        return list(json.loads(words))

    def script(
        self,
        context: Path,
        interpreter: Path,
        *,
        replaced: Mapping[str, Installed],
        settings: Mapping[str, str],
        files: Mapping[str, Path],
        arguments: Iterable[str],
    ) -> str:
        """A shell script for `unshare --mount`, run by root.

        `interpreter` is the prefix of a Python; `replaced` has, by requirements file, what to copy instead of
        fetching; `files` are put into `/srv` for the command to read. Prints the probe's line and the plan, then
        becomes the command.
        """
        lines = [
            "set -eu",
            "mount --make-rprivate /",
            "mount -t tmpfs none /opt",
            "mount -t tmpfs none /srv",
            f"mount --bind {interpreter} /usr/local",
            "export PATH=/usr/local/bin:/usr/bin:/bin",
        ]
        for word, rest in self.build.steps:
            if word == "WORKDIR":
                lines.append(f"mkdir -p {rest} && cd {rest}")
            elif word == "COPY":
                *sources, place = shlex.split(rest)
                if len(sources) == 1 and "/" in place:
                    lines.append(f"mkdir -p {Path(place).parent}")
                lines.append(f"cp -r {' '.join(str(context / source) for source in sources)} {place}")
            elif word == "RUN":
                lines.append(_replacement(rest, replaced) or rest)
        lines += ["cd /", "umount /srv", "mount -t tmpfs none /srv", "chmod 755 /srv"]
        lines += [f"cp {path} /srv/{name} && chmod 644 /srv/{name}" for name, path in files.items()]
        lines += [
            "awk '{print $5}' /proc/self/mountinfo | grep -Ev '^/(proc|sys|dev)(/|$)' | while read -r place; do",
            '  mount -o remount,bind,ro "$place"',
            "done",
        ]
        # Where the base image's loader finds what the interpreter is linked to.
        environment = ["LD_LIBRARY_PATH=/usr/local/lib"]
        environment += [shlex.quote(each) for each in self.image.all("ENV")]
        environment += [shlex.quote(f"{name}={value}") for name, value in settings.items()]
        uid, gid = self.user
        drop = f"setpriv --reuid={uid} --regid={gid} --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all"
        run = f"{drop} env -i {' '.join(environment)}"
        lines.append(f"{run} python -c {shlex.quote(PROBE)}")
        # What an operator asks for with `kubectl exec`; 2 is the exit code of a plan that has something to do.
        lines.append(f"{run} {self.entrypoint[0]} plan --output=json || test $? = 2")
        lines.append(f"exec {run} {shlex.join([*self.entrypoint, *arguments])}")
        return "\n".join(lines) + "\n"


def _replacement(command: str, replaced: Mapping[str, Installed]) -> str | None:
    for requirements, installed in replaced.items():
        if command.endswith(f"-r {requirements}"):
            place = "/opt/controller" if "--python /opt/controller" in command else "/srv/tools"
            read = f"tar -C {installed.root} --files-from {installed.files} -cf -"
            return f"{read} | tar -C {place}/lib/python3.* -xf - --one-top-level=site-packages"
    return None


def installed(requirements: Path, files: Path) -> Installed:
    """Where what a lock names lies in this environment, in the locked versions; `files` becomes the list of it."""
    found: list[str] = []
    for line in requirements.read_text().splitlines():
        name, pinned, version = line.split(" ")[0].partition("==")
        if not pinned:
            continue
        each = distribution(name)
        assert each.version == version, f"{name} is {each.version} here and {version} in {requirements.name}"
        found += [
            str(file) for file in each.files or () if file.parts[0] != ".." and Path(str(file.locate())).is_file()
        ]
        root = Path(str(each.locate_file("")))
    files.write_text("\n".join(found) + "\n")
    return Installed(root, files)
