"""The AWS CLI, as a person would use it against the sandbox."""

import json
import os
import shutil
from typing import Any

import anyio
import pytest

from tests.sandbox.lattice.harness import Account, forward, prefix

AWS = shutil.which("aws")

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(AWS is None, reason="the AWS CLI (aws) is not on the path"),
]


async def aws(account: Account, *words: str, refused: bool = False, **options: Any) -> Any:
    """What the CLI prints: the answer, or, where it is to be refused, the text of the error."""
    server = account.server
    arguments = [str(AWS), *words, "--endpoint-url", server.url, "--region", server.region, "--output", "json"]
    for name, value in options.items():
        arguments += ["--" + name.replace("_", "-"), value if isinstance(value, str) else json.dumps(value)]
    environment = os.environ | {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    done = await anyio.run_process(arguments, env=environment, check=False)
    assert bool(done.returncode) is refused, done.stderr.decode()
    return done.stderr.decode() if refused else json.loads(done.stdout)


async def test_structures_and_arns_arrive_as_they_were_given(account: Account):
    group, listener = await account.group(), await account.listener(await account.service())
    where = {"service_identifier": listener["serviceArn"], "listener_identifier": listener["arn"]}
    rule = {"name": "one", "priority": "1", "match": prefix("/"), "action": forward(group)}
    created = await aws(account, "vpc-lattice", "create-rule", **where, **rule)
    shown = await aws(account, "vpc-lattice", "get-rule", **where, rule_identifier=created["arn"])
    assert (shown["match"], shown["action"], shown["priority"]) == (prefix("/"), forward(group), 1)


async def test_pages_are_put_together(account: Account):
    for number in range(3):
        await account.lattice.create_service(name=f"service{number}")
    listed = await aws(account, "vpc-lattice", "list-services", page_size="2")
    assert [service["name"] for service in listed["items"]] == ["service0", "service1", "service2"]


async def test_errors_are_named(account: Account):
    await account.service("rates")
    error = await aws(account, "vpc-lattice", "create-service", name="rates", refused=True)
    assert "(ConflictException) when calling the CreateService operation" in error


async def test_the_other_services_answer_too(account: Account):
    service = await account.service(tags={"a": "1"})
    found = await aws(account, "resourcegroupstaggingapi", "get-resources", tag_filters=[{"Key": "a"}])
    assert [entry["ResourceARN"] for entry in found["ResourceTagMappingList"]] == [service["arn"]]
    assert (await aws(account, "sts", "get-caller-identity"))["Account"] == account.server.account
