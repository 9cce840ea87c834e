"""What `docs/install.md` shows is what there is: files, objects, values, calls, and commands that a shell can read."""

import re
import shutil
import subprocess

import pytest
import yaml

from controller.settings import UNSUPPORTED
from tests.deploy.manifests import CHART, EXAMPLE, ROOT, kustomized, name_of, needs_kubectl

TEXT = (ROOT / "docs" / "install.md").read_text()
BLOCKS = re.findall(r"^ *```sh\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)


def test_every_file_that_it_names_is_there():
    named = set(re.findall(r"\bdeploy/[\w./-]*\w", TEXT))
    assert {"deploy/kustomize/example", "deploy/chart", "deploy/iam-policy.json"} <= named
    assert [name for name in named if not (ROOT / name).exists() and not name.startswith("deploy/gateway-api")] == []


def test_every_link_to_a_page_of_ours_leads_there():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@needs_kubectl
def test_the_table_of_objects_is_what_is_installed():
    shown = {f"{kind}/{name}" for kind, name in re.findall(r"^\| (\w+) `([^`]+)` \|", TEXT, re.MULTILINE)}
    installed = {name_of(obj) for obj in kustomized(EXAMPLE) if obj["kind"] != "CustomResourceDefinition"}
    assert shown == installed


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().split("\n")[0][:40])
def test_a_shell_can_read_the_commands(block):
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_values_that_it_sets_are_the_chart_s():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for setting in re.findall(r"--set(?:-string)? ([\w.]+)=", TEXT):
        found = values
        for part in setting.split("."):
            assert part in found, setting
            found = found[part]


def test_it_says_which_settings_are_not_acted_on():
    told = re.search(r"((?:`\w+`(?:, | and )?)+) are taken and not acted on", TEXT)
    assert told is not None
    names = re.findall(r"`(\w+)`", told.group(1))
    assert {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper() for name in names} == set(UNSUPPORTED)
