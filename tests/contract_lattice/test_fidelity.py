"""`make fidelity` as a command, against a sandbox that plays another account in another region."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.lattice import Hang, LatticeServer, Refuse, Reset, Timings, load_recording
from tests.contract_lattice.sandboxed import serving

ACCOUNT, REGION, VPC = "999988887777", "eu-central-1", "vpc-0aaaaaaaaaaaaaaa1"
ROOT = Path(__file__).parents[2]
SPAN = (0.01, 0.05)


@pytest.fixture
def server() -> Iterator[LatticeServer]:
    timings = Timings(**dict.fromkeys(Timings.__dataclass_fields__, SPAN))
    secrets = {"AKIDEXAMPLE": "secret"}
    with serving(account=ACCOUNT, region=REGION, timings=timings, secrets=secrets) as running:
        yield running


class Command:
    """The command, run in a directory of its own, with credentials and nothing else of this user's."""

    def __init__(self, server: LatticeServer, directory: Path) -> None:
        self.server = server
        self.record = directory / "recording.json"
        self._started: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        """End what a failed test has left running, so that it fails alone."""
        for process in self._started:
            process.kill()
            with process:
                pass

    def start(self, *more: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "tests.contract_lattice.fidelity", "--region", REGION, "--vpc", VPC]
        words += ["--endpoint-url", self.server.url, "--record", str(self.record), "--poll", "0.01", "--pause", "0.05"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "NO_PROXY": "127.0.0.1"}
        process = subprocess.Popen(
            [*words, *more], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._started.append(process)
        return process

    def run(self, *more: str) -> tuple[int, str]:
        running = self.start(*more)
        printed, _ = running.communicate(timeout=120)
        return running.returncode, printed


@pytest.fixture
def command(server: LatticeServer, tmp_path: Path) -> Iterator[Command]:
    made = Command(server, tmp_path)
    yield made
    made.close()


def when(condition: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    """Wait until it is so, while the command runs."""
    while not condition():
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.005)


def left(server: LatticeServer) -> list[str]:
    return sorted(record.kind for record in server.state.tagged.values())


def test_without_yes_it_says_what_it_would_do_and_does_nothing(command: Command):
    code, printed = command.run()
    assert code == 2
    assert f"account {ACCOUNT}, region {REGION}" in printed
    assert "CreateService 9" in printed
    assert "nothing was done" in printed
    assert command.server.calls.by_operation().keys() == {"GetCallerIdentity"}


@pytest.mark.parametrize("wrong", [("--only", "tea"), ("--record", "nowhere/recording.json")], ids=str)
def test_what_makes_no_sense_is_told_before_anything_is_done(command: Command, wrong):
    code, printed = command.run("--yes", *wrong)
    assert (code, wrong[1] in printed) == (2, True)
    assert command.server.calls.count() == 0


def test_the_credentials_of_another_account_are_not_used(command: Command):
    code, printed = command.run("--account", "111122223333", "--yes")
    assert (code, f"account {ACCOUNT}, not of 111122223333" in printed) == (2, True)
    assert command.server.calls.writes() == []


def test_a_run_keeps_all_contracts_leaves_nothing_and_records_what_the_sandbox_can_load(command: Command):
    server = command.server
    code, printed = command.run("--account", ACCOUNT, "--associate-vpc", "--yes")
    assert code == 0, printed
    assert "the sandbox answers the same" in printed
    assert left(server) == []
    recording = load_recording(command.record)
    assert recording.region == REGION
    assert recording.quotas == server.state.quotas
    low, high = recording.timings.service_create
    assert 0 < low <= high < 30
    assert recording.errors["a service name that is taken"].code == "ConflictException"
    assert {"GetService", "*"} <= recording.latencies.keys()
    twin = LatticeServer(
        timings=recording.timings,
        quotas=recording.quotas,
        consistency=recording.consistency,
        latency=recording.latencies,
    )
    assert 0 < twin.latencies.draw("GetService") < 30
    assert twin.state.timings.service_create == (low, high)


def test_a_difference_from_the_sandbox_and_a_broken_contract_are_told(command: Command):
    taken = Refuse(code="ValidationException", status=400, message="no")
    command.server.faults.add("BatchUpdateRule", taken)
    code, printed = command.run("--yes", "--only", "rules have priorities")
    assert code == 1
    assert "BROKEN rules have priorities and names of their own" in printed
    assert "different from the sandbox:" in printed
    assert left(command.server) == []


def test_an_interruption_before_anything_is_made_has_nothing_to_take_away(command: Command):
    command.server.faults.add("GetCallerIdentity", Hang())
    running = command.start("--yes")
    when(lambda: command.server.calls.count("GetCallerIdentity") > 0, running)
    running.send_signal(signal.SIGINT)
    printed, _ = running.communicate(timeout=120)
    assert (running.returncode, printed) == (130, "interrupted before anything was made\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_takes_away_what_it_made(command: Command, number: signal.Signals):
    server = command.server
    server.state.timings = Timings(service_association_create=(0.2, 0.2))
    running = command.start("--yes", "--only", "associated once")
    when(lambda: bool(server.state.service_associations), running)
    running.send_signal(number)
    printed, _ = running.communicate(timeout=120)
    assert (running.returncode, "interrupted" in printed) == (130, True), printed
    assert left(server) == []
    assert command.record.exists()


def test_a_run_that_is_interrupted_while_a_request_is_under_way_takes_away_what_that_made(command: Command):
    server = command.server
    server.faults.add("CreateTargetGroup", Reset(after=True), times=5)
    running = command.start("--yes", "--only", "a target group is used")
    when(lambda: bool(server.state.target_groups), running)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=120)
    assert left(server) == []


def test_what_a_killed_run_left_is_taken_away_by_clean_up(command: Command):
    server = command.server
    running = command.start("--yes")
    when(lambda: bool(server.state.service_associations), running)
    running.kill()
    running.communicate()
    assert "SERVICE_NETWORK" in left(server)
    code, printed = command.run("--clean-up", "--yes")
    assert code == 0, printed
    assert left(server) == []


def test_what_cannot_be_taken_away_is_named_with_the_command_that_does_it(command: Command):
    server = command.server
    server.faults.add("DeleteService", Refuse(code="AccessDeniedException", status=403, message="no"))
    code, printed = command.run("--yes", "--only", "what is not there", "--deadline", "0.5")
    (service,) = server.state.services
    assert code == 3
    assert "--clean-up" in printed
    assert service.arn in printed


def test_a_second_interruption_ends_the_cleaning_up_too(command: Command):
    server = command.server
    server.faults.add("DeleteService", Refuse(code="ConflictException", status=409, message="no"))
    running = command.start("--yes", "--only", "associated once")
    when(lambda: bool(server.state.service_associations), running)
    for _ in range(2):
        running.send_signal(signal.SIGINT)
        refused = server.calls.count("DeleteService")
        # One request may have been on its way; the next is sent by a process that has heard the signal.
        when(lambda seen=refused: server.calls.count("DeleteService") > seen + 1, running)
    running.send_signal(signal.SIGINT)
    printed, _ = running.communicate(timeout=120)
    assert running.returncode == 3, printed
    assert "--clean-up --region" in printed
