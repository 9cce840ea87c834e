"""Who and where we are in the cluster."""

from pathlib import Path

from controller.kube.config import DEFAULT_NAMESPACE, own_identity, own_namespace


def test_the_namespace_is_told_by_the_environment_then_the_service_account_then_assumed(tmp_path: Path) -> None:
    file = tmp_path / "namespace"
    assert own_namespace({}, file) == DEFAULT_NAMESPACE
    file.write_text("system\n", encoding="utf-8")
    assert own_namespace({}, file) == "system"
    assert own_namespace({"POD_NAMESPACE": "named"}, file) == "named"


def test_an_identity_is_the_pods_name_made_unique() -> None:
    assert own_identity({"POD_NAME": "pod-1"}, "host", "abc") == "pod-1_abc"
    assert own_identity({}, "host", "abc") == "host_abc"
