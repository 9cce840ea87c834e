"""`make kube-apiserver`: builds the control plane that the tests run against, and keeps it outside of the repository.

It is built once for each version. The Gateway API's CRDs are taken from its Go module and lie beside the programs.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.gomodule import GoModule

HERE = Path(__file__).parent

PROGRAMS = ("kube-apiserver", "etcd", "kube-controller-manager")

GATEWAY_API = "sigs.k8s.io/gateway-api"

MODULE = GoModule(HERE, name=PROGRAMS[0], made_of="k8s.io/kubernetes", sources=("go.mod", "go.sum", "main.go"))


def kept_in() -> Path:
    """The folder with the programs, whether they are built or not."""
    return MODULE.kept_in()


def is_built() -> bool:
    return (kept_in() / "crds").is_dir()


def build() -> None:
    """Raises CalledProcessError when Go fails; nothing is kept then."""
    with MODULE.making() as made:
        print("fetching the modules …", flush=True)
        MODULE.go("mod", "download", "k8s.io/kubernetes", GATEWAY_API)
        number = MODULE.version
        major, minor, _ = number.removeprefix("v").split(".")
        told = {"gitVersion": number, "gitMajor": major, "gitMinor": minor}
        version = [f"-X k8s.io/component-base/version.{key}={value}" for key, value in told.items()]
        packages = MODULE.go("list", "-deps", ".").split()
        MODULE.compile(
            made / PROGRAMS[0], "build", "-ldflags", " ".join(["-s", "-w", *version]), ".", packages=packages
        )
        for program in PROGRAMS[1:]:
            os.link(made / PROGRAMS[0], made / program)
        MODULE.copy(MODULE.where_is(GATEWAY_API) / "config" / "crd", made / "crds")


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
    print(f"Kubernetes {MODULE.version} is in {kept_in()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
