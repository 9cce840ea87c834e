"""Definitions in a real server: installed, and taken away with all objects of the kind."""

import time
from collections.abc import Mapping
from typing import Any

from tests.support.kube_apiserver import KubeApiserver

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def install(server: KubeApiserver, *definitions: Mapping[str, Any]) -> None:
    """Return when their objects are served."""
    server.apply(*definitions, path=PATH)
    for definition in definitions:
        for _ in range(600):
            found = server.request("GET", f"{PATH}/{definition['metadata']['name']}")
            told = found.get("status", {}).get("conditions") or ()
            conditions = {each["type"]: each["status"] for each in told}
            if conditions.get("Established") == "True":
                break
            time.sleep(0.05)
        else:
            raise AssertionError(f"{definition['metadata']['name']} is not established")


def remove(server: KubeApiserver, *suffixes: str) -> None:
    """Delete the definitions whose names end so, with their objects, and return when nothing of them is served."""
    names = [each["metadata"]["name"] for each in server.request("GET", PATH)["items"]]
    gone = [name for name in names if name.endswith(suffixes)]
    for name in gone:
        server.request("DELETE", f"{PATH}/{name}")
    for _ in range(2400):
        if not set(gone) & {each["metadata"]["name"] for each in server.request("GET", PATH)["items"]}:
            return
        time.sleep(0.05)
    raise AssertionError(f"{gone} do not go")
