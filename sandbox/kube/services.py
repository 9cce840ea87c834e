"""Services: which fields depend on which, and the addresses and node ports that they are given.

What a cluster would allocate is allocated here too, so that what is read back looks as it does there; nothing listens
on those addresses.
"""

import ipaddress

from sandbox.kube.addresses import check_address, check_port, port_name_problem
from sandbox.kube.errors import Json, Problems
from sandbox.kube.objects import check_labels, copy, label_1035_problem, label_1123_problem, qualified_name_problem
from sandbox.kube.resource import Environment, Strategy


class ServiceStrategy(Strategy):
    """Addresses come from 10.96.0.0/12 and fd00:10:96::/112, node ports from 30000–32767."""

    name_rule = staticmethod(label_1035_problem)
    created_by_update = True

    def __init__(self, env: Environment) -> None:
        self._random = env.random
        self._networks = {
            "IPv4": ipaddress.ip_network("10.96.0.0/12"),
            "IPv6": ipaddress.ip_network("fd00:10:96::/112"),
        }
        self._addresses: set[str] = set()
        self._ports: set[int] = set()

    def prepare_update(self, obj: Json, old: Json) -> None:
        spec, before = obj["spec"], old["spec"]
        if spec.get("type") != "ExternalName" and before.get("type") != "ExternalName":
            changed = spec.get("clusterIP") not in {None, "", before.get("clusterIP")}
            if changed and spec.get("clusterIPs") in (None, before.get("clusterIPs")):
                spec["clusterIPs"] = [spec["clusterIP"]]
            for part in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                if part not in spec and part in before:
                    spec[part] = copy(before[part])
            if spec.get("type") in {"NodePort", "LoadBalancer"}:
                self._keep_node_ports(spec, before)

    @staticmethod
    def _keep_node_ports(spec: Json, before: Json) -> None:
        old = {(port["port"], port["protocol"]): port.get("nodePort") for port in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            kept = old.get((port.get("port"), port.get("protocol")))
            if kept and "nodePort" not in port:
                port["nodePort"] = kept

    def complete(self, obj: Json) -> None:
        spec = obj["spec"]
        for port in spec.get("ports") or ():
            if port.get("targetPort") in {None, 0, ""} and "port" in port:
                port["targetPort"] = port["port"]
        if spec.get("type") == "ExternalName":
            for part in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
                spec.pop(part, None)
            return
        spec.setdefault("internalTrafficPolicy", "Cluster")
        if spec.get("type") in {"NodePort", "LoadBalancer"}:
            spec.setdefault("externalTrafficPolicy", "Cluster")
        if spec.get("type") == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)
        if spec.get("type") == "ClusterIP":
            for port in spec.get("ports") or ():
                port.pop("nodePort", None)
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if not spec.get("ipFamilies"):
            first = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0]
            spec["ipFamilies"] = ["IPv6" if ":" in first else "IPv4"]
        dual = spec["ipFamilyPolicy"] in {"PreferDualStack", "RequireDualStack"}
        if dual and len(spec["ipFamilies"]) == 1:
            spec["ipFamilies"].append("IPv4" if spec["ipFamilies"] == ["IPv6"] else "IPv6")

    def check(self, obj: Json, problems: Problems) -> None:
        spec = obj["spec"]
        external, headless = spec["type"] == "ExternalName", spec.get("clusterIP") == "None"
        ports = spec.get("ports") or []
        if external and not spec.get("externalName"):
            problems.required("spec.externalName")
        if not ports and not external and not headless:
            problems.required("spec.ports")
        if headless and spec["type"] in {"NodePort", "LoadBalancer"}:
            problems.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {spec['type']} services")
        check_labels(spec.get("selector") or {}, "spec.selector", problems)
        self._check_ports(ports, problems)
        if not external:
            self._check_addresses(spec, problems)

    @staticmethod
    def _check_ports(ports: list[Json], problems: Problems) -> None:
        names: set[str] = set()
        for index, port in enumerate(ports):
            path = f"spec.ports[{index}]"
            name = port.get("name", "")
            if not name and len(ports) > 1:
                problems.required(f"{path}.name")
            elif name and (wrong := label_1123_problem(name)):
                problems.invalid(f"{path}.name", name, wrong)
            elif name and name in names:
                problems.duplicate(f"{path}.name", name)
            names.add(name)
            check_port(port["port"], f"{path}.port", problems)
            target = port["targetPort"]
            if isinstance(target, int):
                check_port(target, f"{path}.targetPort", problems)
            elif wrong := port_name_problem(target):
                problems.invalid(f"{path}.targetPort", target, wrong)
            protocol = port.get("appProtocol")
            if protocol is not None and (wrong := qualified_name_problem(protocol)):
                problems.invalid(f"{path}.appProtocol", protocol, wrong)

    @staticmethod
    def _check_addresses(spec: Json, problems: Problems) -> None:
        families = spec["ipFamilies"]
        for index, family in enumerate(families):
            if family not in {"IPv4", "IPv6"}:
                problems.unsupported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6"))
        if spec["ipFamilyPolicy"] == "SingleStack" and len(families) > 1:
            problems.invalid(
                "spec.ipFamilyPolicy",
                "SingleStack",
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
            )
        address, addresses = spec.get("clusterIP"), spec.get("clusterIPs")
        if address and addresses and addresses[0] != address:
            problems.invalid("spec.clusterIP", address, "must be equal to clusterIPs[0]")
        for index, given in enumerate(addresses or ([address] if address else [])):
            if given not in {"None", ""}:
                check_address(given, f"spec.clusterIPs[{index}]", problems)

    def check_update(self, obj: Json, old: Json, problems: Problems) -> None:
        spec, before = obj["spec"], old["spec"]
        if "ExternalName" in {spec["type"], before["type"]} or not before.get("clusterIP"):
            return
        if spec.get("clusterIP") != before["clusterIP"]:
            problems.invalid("spec.clusterIPs[0]", [spec.get("clusterIP", "")], "may not change once set")

    def allocate(self, obj: Json) -> None:
        spec = obj["spec"]
        if spec["type"] == "ExternalName":
            return
        if spec.get("clusterIP") == "None" or spec.get("clusterIPs") == ["None"]:
            spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
        else:
            given = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
            missing = spec["ipFamilies"][len(given) :]
            spec["clusterIPs"] = [*given, *(self._free_address(family) for family in missing)]
            spec["clusterIP"] = spec["clusterIPs"][0]
            self._addresses.update(spec["clusterIPs"])
        if spec["type"] == "NodePort" or (spec["type"] == "LoadBalancer" and spec["allocateLoadBalancerNodePorts"]):
            for port in spec.get("ports") or ():
                if not port.get("nodePort"):
                    port["nodePort"] = self._free_port()
                self._ports.add(port["nodePort"])

    def _free_address(self, family: str) -> str:
        network = self._networks[family]
        while True:
            address = str(network[self._random.randrange(10, min(network.num_addresses, 2**20) - 1)])
            if address not in self._addresses:
                return address

    def _free_port(self) -> int:
        while True:
            port = self._random.randrange(30000, 32768)
            if port not in self._ports:
                return port

    def released(self, obj: Json) -> None:
        self._addresses.difference_update(obj["spec"].get("clusterIPs") or ())
        self._ports.difference_update(port.get("nodePort") or 0 for port in obj["spec"].get("ports") or ())
