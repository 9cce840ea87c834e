"""What kustomize and Helm print, as lists of objects, and where their programs are found.

kubectl is taken from PATH. Helm is `$HELM`, or `helm` in PATH, or what `make helm` has put into `.tools`. Nothing is
downloaded here: where a program is missing, the tests that need it are skipped and say so.
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox.kube.bodies import load_yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "kustomize" / "base"
EXAMPLE = DEPLOY / "kustomize" / "example"
MONITORING = DEPLOY / "monitoring"
CHART = DEPLOY / "chart"
NAMESPACE = "aws-application-networking-system"
RELEASE = "gateway-api-controller"

KUBECTL = shutil.which("kubectl")
HELM = os.environ.get("HELM") or shutil.which("helm") or shutil.which("helm", path=ROOT / ".tools")

needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
needs_helm = pytest.mark.skipif(HELM is None, reason="Helm is neither in $HELM nor in PATH; `make helm` fetches it")

Json = dict[str, Any]


@cache
def _kustomized(folder: Path) -> bytes:
    assert KUBECTL is not None
    return subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, check=True).stdout


def kustomized(folder: Path) -> list[Json]:
    """The objects that `kubectl kustomize` prints."""
    return list(load_yaml(_kustomized(folder)))


def helm(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    assert HELM is not None
    done = subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def templated(*settings: str, release: str = RELEASE) -> list[Json]:
    """The objects that `helm template` prints with these values, given as `--set`, definitions included."""
    given = [word for setting in settings for word in ("--set-string" if "=s:" in setting else "--set", setting)]
    words = [word.replace("=s:", "=") for word in given]
    printed = helm("template", release, str(CHART), "--namespace", NAMESPACE, "--include-crds", *words).stdout
    return [obj for obj in load_yaml(printed.encode()) if obj]


def name_of(obj: Json) -> str:
    return f"{obj['kind']}/{obj['metadata']['name']}"


def find(objects: list[Json], name: str) -> Json:
    """The object of this `Kind/name`."""
    (found,) = (obj for obj in objects if name_of(obj) == name)
    return found
