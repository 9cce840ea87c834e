"""What is asked for and sent in another form than the server knows is refused, and nothing is done."""

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["configmaps", "gateways"])
async def one(request, cluster, paths, new):
    """The path of an object of a built-in kind or of a custom one, and the like of it."""
    path, make = (paths.core("configmaps"), new.config_map)
    if request.param == "gateways":
        path, make = paths.gateways(), new.gateway
    assert (await cluster.post(path, make("a"))).code == 201
    return path, make


async def test_an_answer_in_a_form_that_nobody_knows(cluster, one):
    path, make = one
    for method, target, body in (
        ("GET", f"{path}/a", None),
        ("GET", path, None),
        ("GET", f"{path}?watch=true", None),
        ("POST", path, make("b")),
        ("DELETE", f"{path}/a", None),
    ):
        reply = await cluster.send(method, target, body, accept="application/unknown")
        assert (reply.code, reply.reason) == (406, "NotAcceptable")
    assert (await cluster.get(path)).names == ["a"]


async def test_a_patched_or_replaced_object_in_a_form_that_nobody_knows(cluster, one):
    path, make = one
    labels = {"metadata": {"labels": {"a": "b"}}}
    asked = {"accept": "application/unknown"}
    assert (await cluster.patch(f"{path}/a", labels, **asked)).code == 406
    assert (await cluster.put(f"{path}/a", make("a"), **asked)).code == 406
    assert "labels" not in (await cluster.get(f"{path}/a")).body["metadata"]


@pytest.mark.parametrize("path", ["/version", "/api", "/apis", "/apis/apps/v1"])
async def test_a_document_in_a_form_that_nobody_knows(cluster, path):
    assert (await cluster.get(path, accept="application/unknown")).code == 406
    assert (await cluster.get(path, accept="text/html, */*;q=0.1")).code == 200


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/unknown+json"])
async def test_an_object_in_a_form_that_nobody_knows(cluster, one, media):
    path, make = one
    for method, target, body in (
        ("POST", path, make("b")),
        ("PUT", f"{path}/a", make("a")),
        ("DELETE", f"{path}/a", {}),
        ("PATCH", f"{path}/a", {}),
    ):
        reply = await cluster.send(method, target, body, media=media)
        assert (reply.code, reply.reason) == (415, "UnsupportedMediaType")
    assert (await cluster.get(path)).names == ["a"]


async def test_a_patch_is_no_object(cluster, one):
    path, _ = one
    for media in ("application/json", "application/yaml"):
        assert (await cluster.send("PATCH", f"{path}/a", {}, media=media)).code == 415
