"""Programs that the tests have Go build, once for each version of their module, and keep outside of the repository.

All is fetched through the Go module proxy; nothing is downloaded ready-made, and no container is needed.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class GoModule:
    """A module in `folder`. What is built of it is called `name` and its `sources`, files of the folder, decide when it
    has to be built again; `made_of` is the module whose version is that of the whole.
    """

    def __init__(self, folder: Path, *, name: str, made_of: str, sources: Sequence[str]) -> None:
        self.folder = folder
        self._name = name
        self._made_of = made_of
        self._sources = sources

    @property
    def version(self) -> str:
        """As in `go.mod`: `v1.36.1`."""
        return self.version_of(self._made_of)

    def version_of(self, module: str) -> str:
        """The version of a module that is required: `v1.36.1`."""
        found = re.search(rf"{re.escape(module)} (v\S+)", (self.folder / "go.mod").read_text())
        assert found is not None
        return found[1]

    def kept_in(self) -> Path:
        """Where the programs of just this version of the module are kept, below `XDG_CACHE_HOME`."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        content = b"".join((self.folder / name).read_bytes() for name in self._sources)
        digest = hashlib.sha256(content).hexdigest()[:12]
        return cache / "lattice-controller" / f"{self._name}-{self.version}-{platform.machine()}-{digest}"

    @property
    def is_built(self) -> bool:
        return self.kept_in().is_dir()

    @contextmanager
    def making(self) -> Iterator[Path]:
        """A folder to build in; left without an exception, it is what `kept_in` says."""
        kept = self.kept_in()
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as name:
            made = Path(name, "made")
            made.mkdir()
            yield made
            made.rename(kept)

    def go(self, *arguments: str) -> str:
        """What a Go command prints. Raises CalledProcessError."""
        command = ["go", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, stdout=subprocess.PIPE, text=True, check=True, env=_environment()
        )
        return done.stdout

    def where_is(self, module: str) -> Path:
        """The folder in which a required module was unpacked; files in it are read-only."""
        return Path(self.go("list", "-m", "-f", "{{.Dir}}", module).strip())

    def copy(self, source: Path, target: Path) -> None:
        """Copy a folder of a module, so that it can be removed again."""
        shutil.copytree(source, target)
        for path in (target, *target.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

    def compile(self, program: Path, *arguments: str, packages: Sequence[str]) -> None:
        """Run `go` with arguments that end in the package, to write `program`; tells how many packages are done, of up
        to how many. Raises CalledProcessError.
        """
        command = ["go", arguments[0], "-v", "-trimpath", "-o", str(program), *arguments[1:]]
        began = time.monotonic()
        other: list[str] = []
        with subprocess.Popen(
            command, cwd=self.folder, stderr=subprocess.PIPE, text=True, env=_environment()
        ) as process:
            assert process.stderr is not None
            for done, line in enumerate(process.stderr, start=1):
                other.append(line)
                if done % 50 == 0 or sys.stdout.isatty():
                    end = "\r" if sys.stdout.isatty() else "\n"
                    told = f"{done} of up to {len(packages)} packages, {time.monotonic() - began:.0f} s"
                    print(told, end=end, flush=True)
        if process.returncode:
            sys.stderr.writelines(other[-30:])
            raise subprocess.CalledProcessError(process.returncode, command)
        print(f"{program.name} built in {time.monotonic() - began:.0f} s                    ", flush=True)


def _environment() -> dict[str, str]:
    return {**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off", "CGO_ENABLED": "0"}
