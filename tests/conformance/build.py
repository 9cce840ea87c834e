"""Builds the Gateway API's conformance suite and the program of its backends, and keeps them outside of the repository.

Both come from the suite's Go module, at the version in `go.mod`. The program, echo-basic, is written for a container
with a network of its own and listens on all addresses. Here all pods share one network, so it is built to listen on the
address in `LISTEN_ADDRESS`; nothing else of it is changed, and it fails to build where it no longer listens as known.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.kube_apiserver.build import GATEWAY_API
from tests.support.gomodule import GoModule

HERE = Path(__file__).parent

CONFORMANCE = f"{GATEWAY_API}/conformance"

ECHO = "echo-basic"

SUITE = "conformance.test"

MANIFESTS = ("base", "tests")
"""Folders of the suite's manifests; they lie beside the programs."""

CATALOGUE = "catalogue.json"
"""The file with all tests of the suite, beside the programs."""

MODULE = GoModule(
    HERE,
    name="conformance",
    made_of=CONFORMANCE,
    sources=("go.mod", "go.sum", "conformance_test.go", "build.py"),
)

_EVERYWHERE = re.compile(r'fmt\.Sprintf\("(?:0\.0\.0\.0)?(:%[sd])", ([\w.]+)\)')
"""How echo-basic spells an address of all interfaces."""

_LISTENERS = {"echo-basic.go": 3, "grpc/grpc.go": 2, "tcpserver/tcpserver.go": 2}
"""How often, in which of its files."""


def build() -> None:
    """Raises CalledProcessError when Go fails, ValueError where echo-basic is not as it was; nothing is kept then."""
    with MODULE.making() as made:
        print("fetching the modules of the conformance suite …", flush=True)
        MODULE.go("mod", "download")
        source = MODULE.where_is(CONFORMANCE)
        packages = MODULE.go("list", "-deps", "-test", ".").split()
        MODULE.compile(made / SUITE, "test", "-c", "-ldflags", "-s -w", ".", packages=packages)
        with tempfile.TemporaryDirectory() as name:
            modules = _moved(source, Path(name))
            package = f"{CONFORMANCE}/{ECHO}"
            MODULE.compile(made / ECHO, "build", "-modfile", str(modules), package, packages=packages)
        for name in MANIFESTS:
            MODULE.copy(source / name, made / name)
        written = {**os.environ, "CONFORMANCE_CATALOGUE": str(made / CATALOGUE)}
        subprocess.run([made / SUITE, "-test.run=^TestCatalogue$"], env=written, check=True, stdout=subprocess.DEVNULL)


def catalogue() -> dict[str, frozenset[str]]:
    """Every test of the suite that is built, by name, with the Gateway API's features that it needs."""
    written = json.loads((MODULE.kept_in() / CATALOGUE).read_text())
    return {name: frozenset(features) for name, features in written.items()}


def _moved(source: Path, folder: Path) -> Path:
    """A `go.mod` like ours in a folder, in which echo-basic listens at another address."""
    copied = folder / "conformance"
    MODULE.copy(source, copied)
    for name, count in _LISTENERS.items():
        program = copied / ECHO / name
        text, found = _EVERYWHERE.subn(r'os.Getenv("LISTEN_ADDRESS")+fmt.Sprintf("\1", \2)', program.read_text())
        if found != count:
            raise ValueError(f"{program.name} listens in {found} places, not {count}")
        program.write_text(text)
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / name, folder / name)
    with (folder / "go.mod").open("a") as modules:
        modules.write(f"\nreplace {CONFORMANCE} => {copied}\n")
    return folder / "go.mod"
