"""The contracts of VPC Lattice, kept by the sandbox, whose account and region they have no say in."""

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.lattice import LatticeServer, Timings
from sandbox.lattice.recording import recording_from_json
from tests.contract_lattice import account as account_module
from tests.contract_lattice import contracts as contracts_module
from tests.contract_lattice.account import BOUNDS, Account, BudgetError
from tests.contract_lattice.contracts import CONTRACTS
from tests.contract_lattice.leftovers import clean_up
from tests.contract_lattice.run import recording, run
from tests.contract_lattice.sandboxed import serving, session
from tests.sandbox.lattice.harness import Clock

VPC = "vpc-0aaaaaaaaaaaaaaa1"


def account_of(server: LatticeServer, **more: object) -> Account:
    options = {"run": "0011aabb", "vpc": VPC, "region": server.region, "endpoint": server.url, "poll": 0.0}
    return Account(session(), **(options | more))  # type: ignore[arg-type]


def resources(server: LatticeServer) -> list[str]:
    return sorted(record.kind for record in server.state.tagged.values())


@pytest.mark.parametrize(("account", "region"), [("123456789012", "us-west-2"), ("999988887777", "eu-central-1")])
def test_every_contract_is_kept_within_the_bounds_and_nothing_stays(account, region):
    timings = Timings(**dict.fromkeys(Timings.__dataclass_fields__, (0.0, 0.02)))
    with serving(account=account, region=region, timings=timings, validate_answers=True) as server:
        here = account_of(server, associate_vpc=True)
        outcomes = run(here, lambda _: None)
        assert [(outcome.contract.name, outcome.problem) for outcome in outcomes if outcome.problem] == []
        assert len(outcomes) == len(CONTRACTS)
        assert all(here.made[name] <= most for name, most in BOUNDS.items())
        assert clean_up(here, here.run, pause=0.01, deadline=10, say=lambda _: None) == []
        assert resources(server) == []


def test_every_contract_is_kept_and_nothing_stays_where_lists_lag():
    with serving(timings=Timings.instant(), consistency=(0.02, 0.1)) as server:
        here = account_of(server, associate_vpc=True)
        assert [outcome.problem for outcome in run(here, lambda _: None) if outcome.problem] == []
        here.lattice.create_service(name=here.name("late"))
        assert clean_up(here, here.run, pause=0.06, deadline=10, say=lambda _: None) == []
        assert resources(server) == []


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_contract_stands_by_itself(contract):
    with serving(timings=Timings.instant()) as server:
        (outcome,) = run(account_of(server, associate_vpc=True), lambda _: None, [contract])
    assert outcome.problem is None


@pytest.mark.parametrize(
    "contract",
    [contract for contract in CONTRACTS if 'Exception"' in inspect.getsource(contract.check)],
    ids=lambda contract: contract.name,
)
def test_a_contract_is_broken_by_a_service_that_refuses_for_other_reasons(contract):
    def other(parsed: dict[str, Any], **_: Any) -> None:
        if "Error" in parsed:
            parsed["Error"]["Code"] = "AccessDeniedException"

    with serving(timings=Timings.instant()) as server:
        account = account_of(server, associate_vpc=True, patience=0.0)
        account.lattice.meta.events.register("after-call.vpc-lattice.*", other)
        (outcome,) = run(account, lambda _: None, [contract])
    assert outcome.problem is not None


def test_a_contract_is_broken_by_a_change_that_never_ends():
    never = Timings(service_create=(1e9, 1e9))
    with serving(timings=never) as server:
        (outcome,) = run(account_of(server, patience=0.0), lambda _: None, CONTRACTS[:1])
    assert outcome.problem is not None
    assert "service_create: not done" in outcome.problem


@pytest.mark.parametrize(
    ("lag", "seen"), [(None, [0.0, 0.0, 0.0, 0.0]), ((4.0, 4.0), [4.0, 4.0])], ids=["no lag", "a lag"]
)
def test_what_is_recorded_of_lags_is_what_they_were(monkeypatch, lag, seen):
    clock = Clock()
    ours = SimpleNamespace(monotonic=clock, sleep=clock.advance)
    monkeypatch.setattr(account_module, "time", ours)
    monkeypatch.setattr(contracts_module, "time", ours)
    changes = Timings(service_create=(3.0, 3.0), service_delete=(2.0, 2.0))
    with serving(timings=changes, consistency=lag, clock=clock) as server:
        here = account_of(server, poll=1.0)
        (listed,) = (contract for contract in CONTRACTS if "comes into lists" in contract.name)
        assert [outcome.problem for outcome in run(here, lambda _: None, [listed])] == [None]
        made = recording(here, {}, "2026-01-31T12:00:00Z")
    assert here.lags == seen
    assert made["consistency"] == [min(seen), max(seen)]
    assert made["timings"] == {"service_delete": [2.0, 2.0]}
    assert recording_from_json(made).consistency == (min(seen), max(seen))


def test_each_contract_has_its_page():
    assert all(contract.page.startswith("https://docs.aws.amazon.com/") for contract in CONTRACTS)


def test_no_more_is_made_than_the_bounds_allow():
    with serving(timings=Timings.instant()) as server:
        account = account_of(server)
        for number in range(BOUNDS["CreateServiceNetwork"]):
            account.lattice.create_service_network(name=account.name(str(number)))
        with pytest.raises(BudgetError):
            account.lattice.create_service_network(name=account.name("more"))
        assert len(server.state.networks) == BOUNDS["CreateServiceNetwork"]


def test_cleaning_up_leaves_alone_what_has_only_the_name_or_only_the_tag():
    with serving(timings=Timings.instant()) as server:
        account = account_of(server)
        account.lattice.create_service_network(name=account.name("ours"))
        other = account_of(server, run="2233ccdd")
        other.lattice.create_service_network(name=other.name("others"))
        plain = session().create_client("vpc-lattice", region_name=server.region, endpoint_url=server.url)
        plain.create_service_network(name=account.name("name-only"))
        plain.create_service(name="tag-only", tags={"lattice-controller/fidelity": account.run})
        said: list[str] = []
        assert clean_up(account, account.run, pause=0, deadline=10, say=said.append) == []
        assert len(said) == 1
        names = {network.name for network in server.state.networks}
        assert names == {other.name("others"), account.name("name-only")}
        clean_up(account, None, pause=0, deadline=10, say=said.append)
        assert {network.name for network in server.state.networks} == {account.name("name-only")}
        assert [service.name for service in server.state.services] == ["tag-only"]
