"""The AWS CLI, as a person would use it against the sandbox: every emulated operation, and what is refused.

One call takes the CLI half a second, nearly all of it starting, so the stories are told side by side.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest
from botocore import xform_name

from sandbox.lattice import LatticeServer, Timings
from sandbox.lattice.dispatch import EMULATED
from tests.sandbox.lattice.harness import Account, forward, prefix
from tests.sandbox.lattice.stories import REFUSED, STORIES, Step

AT_ONCE = 3


def _find_cli() -> str | None:
    """The AWS CLI itself: a version manager's shim in front of it would cost a good part of each call again."""
    found = shutil.which("aws")
    if found is not None and Path(found).parent.name == "shims" and (manager := shutil.which("pyenv")):
        return subprocess.run([manager, "which", "aws"], capture_output=True, text=True, check=True).stdout.strip()
    return found


AWS = _find_cli()

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(AWS is None, reason="the AWS CLI (aws) is not on the path"),
]


async def aws(server: LatticeServer, *words: str, refused: bool = False, **options: Any) -> Any:
    """What the CLI prints: the answer, or, where it is to be refused, the text of the error."""
    arguments = [str(AWS), *words, "--endpoint-url", server.url, "--region", server.region, "--output", "json"]
    for name, value in options.items():
        option = "--" + xform_name(name, "-")
        if isinstance(value, bytes):
            arguments.append(f"{option}={value.decode()}")
        else:
            arguments += [option, value if isinstance(value, str) else json.dumps(value)]
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "127.0.0.1",
    }
    done = await anyio.run_process(arguments, env=environment, check=False)
    assert bool(done.returncode) is refused, (arguments, done.stderr.decode())
    return done.stderr.decode() if refused else json.loads(done.stdout or b"{}")


async def tell(server: LatticeServer, step: Step, kept: dict[str, Any]) -> None:
    words = (step.service, xform_name(step.operation, "-"))
    answer = await aws(server, *words, refused=step.fails is not None, **step.filled(kept))
    if step.fails is not None:
        assert f"({step.fails}) when calling the {step.operation} operation" in answer
        return
    assert {name: answer[name] for name in step.shows} == step.shows
    if step.keep is not None:
        kept[step.keep] = answer


async def test_the_cli_does_every_emulated_operation_and_is_told_of_every_refusal():
    async with LatticeServer(timings=Timings.instant(), validate_answers=True, secrets={"AKIDEXAMPLE": "secret"}) as up:
        kept = {"certificate": {"arn": up.state.add_certificate("example.com").arn}}
        limit = anyio.CapacityLimiter(AT_ONCE)

        async def story(steps: tuple[Step, ...]) -> None:
            async with limit:
                for step in steps:
                    await tell(up, step, kept)

        async with anyio.create_task_group() as tasks:
            for steps in STORIES:
                tasks.start_soon(story, steps)
        async with anyio.create_task_group() as tasks:
            for step in REFUSED:
                tasks.start_soon(story, (step,))
        succeeded = {record.operation for record in up.calls if record.error is None}
    assert succeeded == {operation for operations in EMULATED.values() for operation in operations}


async def test_structures_and_arns_arrive_as_they_were_given(account: Account):
    group, listener = await account.group(), await account.listener(await account.service())
    where = {"serviceIdentifier": listener["serviceArn"], "listenerIdentifier": listener["arn"]}
    rule = {"name": "one", "priority": "1", "match": prefix("/"), "action": forward(group)}
    created = await aws(account.server, "vpc-lattice", "create-rule", **where, **rule)
    shown = await aws(account.server, "vpc-lattice", "get-rule", **where, ruleIdentifier=created["arn"])
    assert (shown["match"], shown["action"], shown["priority"]) == (prefix("/"), forward(group), 1)


async def test_pages_are_put_together(account: Account):
    for number in range(3):
        await account.lattice.create_service(name=f"service{number}")
    listed = await aws(account.server, "vpc-lattice", "list-services", PageSize="2")
    assert [service["name"] for service in listed["items"]] == ["service0", "service1", "service2"]
