"""`make kube-apiserver`: builds the control plane that the tests run against, and keeps it outside of the repository.

It is fetched through the Go module proxy and built once for each version of it; nothing is downloaded ready-made, and
no container is needed. The Gateway API's CRDs are taken from its Go module and lie beside the programs.
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
from pathlib import Path

HERE = Path(__file__).parent

PROGRAMS = ("kube-apiserver", "etcd", "kube-controller-manager")


def version() -> str:
    """Kubernetes' version, from `go.mod`: `v1.36.1`."""
    found = re.search(r"k8s\.io/kubernetes (v\S+)", (HERE / "go.mod").read_text())
    assert found is not None
    return found[1]


def kept_in() -> Path:
    """Where the programs of just this version of the module are kept, below `XDG_CACHE_HOME`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    content = b"".join((HERE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    digest = hashlib.sha256(content).hexdigest()[:12]
    return cache / "lattice-controller" / f"kube-apiserver-{version()}-{platform.machine()}-{digest}"


def is_built() -> bool:
    return (kept_in() / "crds").is_dir()


def build() -> None:
    """Raises CalledProcessError when Go fails; nothing is kept then."""
    kept = kept_in()
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as name:
        made = Path(name, "made")
        made.mkdir()
        print("fetching the modules …", flush=True)
        _go("mod", "download", "k8s.io/kubernetes", "sigs.k8s.io/gateway-api")
        _compile(made / PROGRAMS[0])
        for program in PROGRAMS[1:]:
            os.link(made / PROGRAMS[0], made / program)
        shutil.copytree(_module("sigs.k8s.io/gateway-api") / "config" / "crd", made / "crds")
        _writable(made / "crds")
        made.rename(kept)


def _compile(program: Path) -> None:
    """Shows how many packages are done, of about how many."""
    number = version()
    major, minor, _ = number.removeprefix("v").split(".")
    told = {"gitVersion": number, "gitMajor": major, "gitMinor": minor}
    flags = " ".join(["-s", "-w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in told.items())])
    total = len(_go("list", "-deps", ".").split())
    command = ["go", "build", "-v", "-trimpath", "-ldflags", flags, "-o", str(program), "."]
    began = time.monotonic()
    other: list[str] = []
    with subprocess.Popen(command, cwd=HERE, stderr=subprocess.PIPE, text=True, env=_environment()) as process:
        assert process.stderr is not None
        for done, line in enumerate(process.stderr, start=1):
            other.append(line)
            if done % 50 == 0 or sys.stdout.isatty():
                end = "\r" if sys.stdout.isatty() else "\n"
                print(f"{done} of up to {total} packages, {time.monotonic() - began:.0f} s", end=end, flush=True)
    if process.returncode:
        sys.stderr.writelines(other[-30:])
        raise subprocess.CalledProcessError(process.returncode, command)
    print(f"built in {time.monotonic() - began:.0f} s                    ", flush=True)


def _module(path: str) -> Path:
    return Path(_go("list", "-m", "-f", "{{.Dir}}", path).strip())


def _go(*arguments: str) -> str:
    return subprocess.run(
        ["go", *arguments], cwd=HERE, stdout=subprocess.PIPE, text=True, check=True, env=_environment()
    ).stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off", "CGO_ENABLED": "0"}


def _writable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def main() -> int:
    if shutil.which("go") is None:
        print("kube-apiserver cannot be built: there is no go on the PATH; or set KUBEBUILDER_ASSETS", file=sys.stderr)
        return 1
    try:
        if not is_built():
            build()
    except subprocess.CalledProcessError as error:
        print(f"kube-apiserver cannot be built: {error}", file=sys.stderr)
        return 1
    print(f"Kubernetes {version()} is in {kept_in()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
