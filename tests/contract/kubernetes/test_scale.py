"""The scale subresource of Deployments and of custom resources that say where they have their replicas."""

import pytest

from tests.contract.kubernetes.definitions import definition_of, install
from tests.contract.kubernetes.servers import connect

pytestmark = pytest.mark.anyio

GROUP = "scale.example.com"
PATHS = {
    "specReplicasPath": ".spec.size",
    "statusReplicasPath": ".status.size",
    "labelSelectorPath": ".status.selector",
}
SIZES = {"type": "object", "properties": {"size": {"type": "integer"}, "selector": {"type": "string"}}}


@pytest.fixture(scope="module")
async def scalable(server):
    definition = definition_of(GROUP)
    (version,) = definition["spec"]["versions"]
    version["subresources"] = {"status": {}, "scale": PATHS}
    version["schema"] = {"openAPIV3Schema": {"type": "object", "properties": {"spec": SIZES, "status": SIZES}}}
    del version["selectableFields"]
    async with connect(server) as cluster:
        await install(cluster, definition)


@pytest.fixture(params=["deployments", "things"])
async def one(request, cluster, paths, new, scalable):
    """The path of an object with two replicas."""
    if request.param == "deployments":
        path, obj = paths.deployments(), new.deployment("a", replicas=2)
    else:
        path = paths.group(f"{GROUP}/v1", "things")
        obj = {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"size": 2}}
    assert (await cluster.post(path, obj)).code == 201
    return f"{path}/a"


@pytest.fixture
async def thing(cluster, paths, scalable):
    """The path of an object that does not say how many replicas it wants."""
    path = paths.group(f"{GROUP}/v1", "things")
    obj = {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {}}
    assert (await cluster.post(path, obj)).code == 201
    return f"{path}/a"


def replicas(obj):
    return obj["spec"].get("replicas", obj["spec"].get("size"))


def scale(count, **meta):
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "a", **meta},
        "spec": {"replicas": count},
    }


async def test_it_shows_how_many_there_should_be(cluster, one):
    shown = (await cluster.get(f"{one}/scale")).body
    there = (await cluster.get(one)).body["metadata"]
    assert (shown["apiVersion"], shown["kind"], shown["spec"]) == ("autoscaling/v1", "Scale", {"replicas": 2})
    assert {part: there[part] for part in ("name", "namespace", "uid", "resourceVersion")}.items() <= shown[
        "metadata"
    ].items()


async def test_an_update_of_it_sets_the_number(cluster, one):
    reply = await cluster.put(f"{one}/scale", scale(5))
    assert (reply.code, reply.body["spec"]) == (200, {"replicas": 5})
    assert replicas((await cluster.get(one)).body) == 5


@pytest.mark.parametrize(
    ("kind", "patch"),
    [("merge", {"spec": {"replicas": 7}}), ("json", [{"op": "replace", "path": "/spec/replicas", "value": 7}])],
)
async def test_a_patch_of_it_sets_the_number(cluster, one, kind, patch):
    assert (await cluster.patch(f"{one}/scale", patch, kind)).code == 200
    assert replicas((await cluster.get(one)).body) == 7


async def test_who_scales_is_the_manager_of_the_number(cluster, one):
    await cluster.put(f"{one}/scale", scale(5), fieldManager="scaler")
    managed = (await cluster.get(one)).body["metadata"]["managedFields"]
    (held,) = [entry for entry in managed if entry["manager"] == "scaler"]
    assert (held["subresource"], list(held["fieldsV1"])) == ("scale", ["f:spec"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({**scale(5), "metadata": {}}, 400),
        (scale(5, name="b"), 400),
        (scale(5, namespace="elsewhere"), 400),
        ({**scale(5), "apiVersion": "v1"}, 400),
        ({**scale(5), "kind": "Gauge"}, 400),
        (scale("five"), 400),
        (scale(5, resourceVersion="1"), 409),
        (scale(-1), 422),
    ],
)
async def test_what_is_no_scale_of_it_is_refused(cluster, one, body, code):
    assert (await cluster.put(f"{one}/scale", body)).code == code
    assert replicas((await cluster.get(one)).body) == 2


async def test_unknown_fields_of_it_are_warned_of_or_refused(cluster, one):
    body = scale(2)
    body["spec"]["more"] = 1
    assert 'unknown field \\"spec.more\\"' in (await cluster.put(f"{one}/scale", body)).headers["Warning"]
    assert (await cluster.put(f"{one}/scale", body, fieldValidation="Strict")).code == 400


async def test_it_cannot_be_deleted(cluster, one):
    assert (await cluster.delete(f"{one}/scale")).code == 405


async def test_what_is_not_there_has_none(cluster, one):
    assert (await cluster.get(f"{one}-not/scale")).code == 404


async def test_a_custom_resource_says_how_many_there_are_and_by_which_labels(cluster, thing):
    await cluster.patch(f"{thing}/status", {"status": {"size": 3, "selector": "app=a"}})
    await cluster.patch(f"{thing}/scale", {"spec": {"replicas": 4}})
    shown = (await cluster.get(f"{thing}/scale")).body
    assert (shown["spec"], shown["status"]) == ({"replicas": 4}, {"replicas": 3, "selector": "app=a"})


async def test_a_custom_resource_without_a_number_has_no_scale_to_show(cluster, thing):
    reply = await cluster.get(f"{thing}/scale")
    assert (reply.code, reply.reason) == (500, "InternalError")
    assert reply.message == 'Internal error occurred: the spec replicas field ".spec.size" does not exist'


async def test_a_custom_resource_takes_no_strategic_merge_patch_of_it(cluster, thing):
    assert (await cluster.patch(f"{thing}/scale", {"spec": {"replicas": 4}}, "strategic")).code == 415
