"""Which EndpointSlices a Service has."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.workloads.endpoints import MANAGED_BY, SERVICE_NAME, Changes, plan

from .builders import pod, service


def settle(service_, pods, slices=()):
    """The slices after the plan was carried out, as a server would hold them."""
    changes = plan(service_, pods, list(slices))
    gone = {one["metadata"]["name"] for one in (*changes.replace, *changes.delete)}
    kept = [one for one in slices if one["metadata"]["name"] not in gone]
    names = (f"parking-{number}" for number in range(1000))
    used = {one["metadata"]["name"] for one in slices}
    made = []
    for one in changes.create:
        name = next(name for name in names if name not in used)
        used.add(name)
        made.append({**one, "metadata": {**one["metadata"], "name": name}})
    return [*kept, *changes.replace, *made]


def addresses(slices):
    return sorted(endpoint["addresses"][0] for one in slices for endpoint in one["endpoints"])


def fleet(number):
    return [pod(f"p{n}", ip=f"10.244.{n // 200}.{n % 200 + 1}", uid=f"uid-p{n}") for n in range(number)]


def test_a_slice_says_whose_it_is_and_where_its_pods_are():
    (one,) = settle(service(), [pod("a", ip="10.244.0.1", uid="uid-a")])
    assert one["metadata"]["labels"][SERVICE_NAME] == "parking"
    assert one["metadata"]["labels"][MANAGED_BY] == "endpointslice-controller.k8s.io"
    assert one["metadata"]["labels"]["team"] == "hotel"
    assert one["metadata"]["ownerReferences"][0]["uid"] == "uid-service"
    assert one["addressType"] == "IPv4"
    assert one["ports"] == [{"name": "", "port": 8090, "protocol": "TCP"}]
    assert one["endpoints"] == [
        {
            "addresses": ["10.244.0.1"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": "a", "uid": "uid-a"},
            "nodeName": "sandbox",
        }
    ]


def conditions(pod_, **spec):
    (one,) = settle(service(**spec), [pod_])
    return one["endpoints"][0]["conditions"]


def test_ready_serving_and_terminating_are_told_apart():
    assert conditions(pod("a", ip="10.244.0.1", ready=False)) == {
        "ready": False,
        "serving": False,
        "terminating": False,
    }
    assert conditions(pod("a", ip="10.244.0.1", terminating=True)) == {
        "ready": False,
        "serving": True,
        "terminating": True,
    }


def test_a_service_may_publish_pods_that_are_not_ready():
    assert conditions(pod("a", ip="10.244.0.1", ready=False), publishNotReadyAddresses=True)["ready"]


def test_only_selected_pods_with_an_address_that_are_not_finished_are_endpoints():
    pods = [
        pod("other", ip="10.244.0.1", labels={"app": "review"}),
        pod("waiting"),
        pod("done", ip="10.244.0.2", phase="Succeeded"),
        pod("here", ip="10.244.0.3"),
    ]
    assert addresses(settle(service(), pods)) == ["10.244.0.3"]


def test_a_named_target_port_is_each_pods_own_and_splits_the_slices():
    named = service(ports=[{"name": "http", "port": 80, "targetPort": "web"}])
    pods = [
        pod("a", ip="10.244.0.1", ports=[{"name": "web", "containerPort": 8090}]),
        pod("b", ip="10.244.0.2", ports=[{"name": "web", "containerPort": 9090}]),
        pod("c", ip="10.244.0.3"),
    ]
    slices = settle(named, pods)
    assert {tuple(port["port"] for port in one["ports"]): addresses([one]) for one in slices} == {
        (8090,): ["10.244.0.1"],
        (9090,): ["10.244.0.2"],
        (): ["10.244.0.3"],
    }


def test_a_port_without_a_target_is_its_own_target():
    (one,) = settle(service(ports=[{"name": "http", "port": 80}]), fleet(1))
    assert one["ports"] == [{"name": "http", "port": 80, "protocol": "TCP"}]


def test_a_headless_service_has_marked_slices_also_without_ports():
    (one,) = settle(service(ports=(), clusterIP="None"), fleet(1))
    assert one["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert one["ports"] == []
    assert addresses([one]) == ["10.244.0.1"]


def test_a_service_that_finds_nobody_has_one_empty_slice():
    (one,) = settle(service(), [])
    assert one["endpoints"] == []
    assert plan(service(), [], [one]) == Changes()


def test_a_service_of_ipv6_alone_finds_nobody():
    (one,) = settle(service(ipFamilies=["IPv6"]), fleet(1))
    assert (one["addressType"], one["endpoints"]) == ("IPv6", [])
    (one,) = settle(service(ipFamilies=["IPv6", "IPv4"]), fleet(1))
    assert (one["addressType"], addresses([one])) == ("IPv4", ["10.244.0.1"])


def test_slices_of_a_service_without_a_selector_are_somebody_elses():
    assert plan(service(selector={}), fleet(1), []) == Changes()
    assert plan(service(type="ExternalName"), fleet(1), []) == Changes()


def test_a_service_that_loses_its_selector_loses_our_slices():
    slices = settle(service(), fleet(1))
    assert plan(service(selector={}), fleet(1), slices) == Changes(delete=tuple(slices))


def test_what_a_server_adds_changes_nothing():
    (one,) = settle(service(), fleet(1))
    one["endpoints"][0]["hints"] = {"forZones": []}
    assert plan(service(), fleet(1), [one]) == Changes()


def test_an_empty_slice_is_used_again_for_the_first_pod():
    slices = settle(service(), [])
    changes = plan(service(), fleet(1), slices)
    assert (len(changes.create), len(changes.replace), len(changes.delete)) == (0, 1, 0)
    assert changes.replace[0]["metadata"]["name"] == slices[0]["metadata"]["name"]
    assert changes.replace[0]["ports"][0]["port"] == 8090


def test_one_pod_more_changes_one_slice():
    slices = settle(service(), fleet(150))
    changes = plan(service(), fleet(151), slices)
    assert (len(changes.create), len(changes.replace), len(changes.delete)) == (0, 1, 0)


sizes = st.lists(st.sets(st.integers(0, 249)), min_size=1, max_size=4)


@given(sizes)
def test_whatever_comes_and_goes_each_endpoint_is_in_one_slice_and_no_slice_is_too_large(rounds):
    everybody, slices = fleet(250), []
    for present in rounds:
        pods = [one for number, one in enumerate(everybody) if number in present]
        slices = settle(service(), pods, slices)
        assert addresses(slices) == sorted(one["status"]["podIP"] for one in pods)
        assert all(len(one["endpoints"]) <= 100 for one in slices)
        assert len(slices) == 1 or all(one["endpoints"] for one in slices)
        assert plan(service(), pods, slices) == Changes()
