"""The sandbox's control address: `/_sandbox/…` on the endpoint itself, unsigned, for other processes.

It questions the log of calls, puts faults in force, sets limits, and makes what no emulated operation makes.
Everything is JSON. What can be asked is in `ROUTES`, and `GET /_sandbox/` lists it.
"""

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl

import orjson

from sandbox.lattice.dispatch import Dispatcher
from sandbox.lattice.faults import EFFECTS, Fault, fault_from_json
from sandbox.lattice.latency import distribution_to_json, distributions_from_json
from sandbox.lattice.model import service_model
from sandbox.lattice.protocols import Incoming, Reply
from sandbox.lattice.recording import quotas_from_json, recording_from_json, timings_from_json
from sandbox.lattice.routing import StateDirectory
from sandbox.lattice.throttle import Rate
from sandbox.lattice.timings import check_span

PREFIX = "/_sandbox/"

_DOMAIN = re.compile(r"(\*\.)?([a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63}", re.IGNORECASE)
"""ACM API reference, `DomainNameString`."""

Control = Callable[[Dispatcher, dict[str, str], Any], Any]


def _calls(dispatcher: Dispatcher, query: dict[str, str], _document: Any) -> Any:
    since, operation = int(query.get("since", "0")), query.get("operation")
    records = dispatcher.calls.of(operation, since) if operation else dispatcher.calls.since(since)
    if query.get("writes") == "true":
        records = [record for record in records if record.write]
    return {"mark": dispatcher.calls.mark(), "calls": [asdict(record) for record in records]}


def _count(dispatcher: Dispatcher, query: dict[str, str], _document: Any) -> Any:
    return {
        "mark": dispatcher.calls.mark(),
        "operations": dispatcher.calls.by_operation(int(query.get("since", "0"))),
    }


def _clear_calls(dispatcher: Dispatcher, _query: dict[str, str], _document: Any) -> Any:
    dispatcher.calls.clear()
    return {}


def _show_fault(fault: Fault) -> dict[str, Any]:
    kind = next(name for name, effect in EFFECTS.items() if isinstance(fault.effect, effect))
    return {
        "operation": fault.operation,
        "effect": {"kind": kind, **asdict(fault.effect)},
        "first": fault.first,
        "times": fault.times,
        "share": fault.share,
        "matched": fault.matched,
        "happened": fault.happened,
    }


def _faults(dispatcher: Dispatcher, _query: dict[str, str], _document: Any) -> Any:
    return {"faults": [_show_fault(fault) for fault in dispatcher.faults]}


def _add_fault(dispatcher: Dispatcher, _query: dict[str, str], document: Any) -> Any:
    fault = fault_from_json(document)
    dispatcher.faults.put(fault)
    return _show_fault(fault)


def _clear_faults(dispatcher: Dispatcher, _query: dict[str, str], _document: Any) -> Any:
    dispatcher.faults.clear()
    return {}


def _limits(dispatcher: Dispatcher, _query: dict[str, str], _document: Any) -> Any:
    return {operation: asdict(rate) for operation, rate in dispatcher.throttles.rates.items()}


def _set_limits(dispatcher: Dispatcher, _query: dict[str, str], document: Any) -> Any:
    rates = {operation: Rate(**rate) for operation, rate in document.items()}
    dispatcher.throttles.rates = rates
    return document


def _latencies(dispatcher: Dispatcher, _query: dict[str, str], _document: Any) -> Any:
    distributions = dispatcher.latencies.distributions
    return {operation: distribution_to_json(distribution) for operation, distribution in distributions.items()}


def _set_latencies(dispatcher: Dispatcher, _query: dict[str, str], document: Any) -> Any:
    dispatcher.latencies.distributions = distributions_from_json(document)
    return document


def _timings(dispatcher: Dispatcher, _query: dict[str, str], _document: Any) -> Any:
    return asdict(dispatcher.state.timings)


def _set_timings(dispatcher: Dispatcher, query: dict[str, str], document: Any) -> Any:
    dispatcher.state.timings = timings_from_json(document, dispatcher.state.timings)
    return _timings(dispatcher, query, document)


def _quotas(dispatcher: Dispatcher, _query: dict[str, str], _document: Any) -> Any:
    return asdict(dispatcher.state.quotas)


def _set_quotas(dispatcher: Dispatcher, query: dict[str, str], document: Any) -> Any:
    dispatcher.state.quotas = quotas_from_json(document, dispatcher.state.quotas)
    return _quotas(dispatcher, query, document)


def _consistency(dispatcher: Dispatcher, _query: dict[str, str], _document: Any) -> Any:
    return {"seconds": dispatcher.state.visibility.span}


def _set_consistency(dispatcher: Dispatcher, query: dict[str, str], document: Any) -> Any:
    span = document["seconds"]
    if span is not None:
        low, high = span
        span = (float(low), float(high))
        check_span("seconds", span)
    dispatcher.state.visibility.span = span
    return _consistency(dispatcher, query, document)


def _set_recording(dispatcher: Dispatcher, query: dict[str, str], document: Any) -> Any:
    recording = recording_from_json(document)
    dispatcher.latencies.distributions = recording.latencies
    state = dispatcher.state
    state.timings, state.quotas = recording.timings, recording.quotas
    state.visibility.span = recording.consistency
    return {
        "timings": asdict(state.timings),
        "quotas": asdict(state.quotas),
        "consistency": state.visibility.span,
        "latencies": _latencies(dispatcher, query, document),
    }


def _require_modelled(service: str, operation: str, **params: Any) -> None:
    """Raise `ValueError` for what this operation would not take."""
    problems = service_model(service).operations[operation].problems(params)
    if found := [problem for problem in problems if problem.message != "is required"]:
        raise ValueError("; ".join(f"{problem.name}: {problem.message}" for problem in found))


def _add_certificate(dispatcher: Dispatcher, _query: dict[str, str], document: Any) -> Any:
    names = document.get("alternativeNames", [])
    status = document.get("status", "ISSUED")
    _require_modelled("acm", "ListCertificates", CertificateStatuses=[status])
    for name in (document["domain"], *names):
        if not isinstance(name, str) or not _DOMAIN.fullmatch(name):
            raise ValueError(f"{name!r} is no domain name")
    return {"arn": dispatcher.state.add_certificate(document["domain"], *names, status=status).arn}


def _share_network(dispatcher: Dispatcher, _query: dict[str, str], document: Any) -> Any:
    name, account = document["name"], document["account"]
    _require_modelled("vpc-lattice", "CreateServiceNetwork", name=name)
    if not isinstance(account, str) or not re.fullmatch(r"[0-9]{12}", account):
        raise ValueError("account: must be twelve digits")
    network = dispatcher.state.share_network(name, account, listed=document.get("listed", True))
    return {"id": network.id, "arn": network.arn}


def _report_health(dispatcher: Dispatcher, _query: dict[str, str], document: Any) -> Any:
    group = dispatcher.state.target_groups.get(document["targetGroup"])
    target = None if group is None else group.targets.get((document["ip"], document["port"]))
    if group is None or target is None:
        raise ValueError("there is no such target")
    if not isinstance(document["healthy"], bool):
        raise TypeError("healthy: must be true or false")
    StateDirectory(dispatcher.state).report_health(
        document["targetGroup"],
        document["ip"],
        document["port"],
        healthy=document["healthy"],
        reason=document.get("reason", ""),
    )
    if (status := target.status(group)) not in {"HEALTHY", "UNHEALTHY"}:
        raise ValueError(f"the target is {status}: it is not checked")
    return {"status": status}


def _state(dispatcher: Dispatcher, _query: dict[str, str], _document: Any) -> Any:
    state = dispatcher.state
    return {
        "account": state.account,
        "region": state.region,
        "serviceNetworks": len(state.networks),
        "services": len(state.services),
        "targetGroups": len(state.target_groups),
        "serviceAssociations": len(state.service_associations),
        "vpcAssociations": len(state.vpc_associations),
        "accessLogSubscriptions": len(state.log_subscriptions),
        "changesUnderWay": len(state.transitions),
    }


def _index(_dispatcher: Dispatcher, _query: dict[str, str], _document: Any) -> Any:
    return {f"{method} {PREFIX}{path}": text for (method, path), (_, text) in ROUTES.items()}


ROUTES: dict[tuple[str, str], tuple[Control, str]] = {
    ("GET", ""): (_index, "this list"),
    ("GET", "calls"): (_calls, "the log of calls; ?since=MARK, ?operation=NAME, ?writes=true"),
    ("GET", "calls/count"): (_count, "calls by operation; ?since=MARK"),
    ("DELETE", "calls"): (_clear_calls, "forget the calls"),
    ("GET", "faults"): (_faults, "the faults in force"),
    ("POST", "faults"): (
        _add_fault,
        '{"operation", "effect": {"kind", …}, "match": {member: value}, "first", "times", "share"}',
    ),
    ("DELETE", "faults"): (_clear_faults, "no more faults"),
    ("GET", "limits"): (_limits, "rates by operation"),
    ("PUT", "limits"): (_set_limits, '{operation or "*": {"per_second", "burst"}}'),
    ("GET", "latencies"): (_latencies, "distributions by operation"),
    ("PUT", "latencies"): (
        _set_latencies,
        '{operation or "*": {"kind": "constant", "seconds"}}; uniform has "low", "high", lognormal "median", "p99"',
    ),
    ("GET", "timings"): (_timings, "durations of asynchronous changes"),
    ("PUT", "timings"): (_set_timings, "{change: [least, greatest]} in seconds; what is not named stays"),
    ("GET", "quotas"): (_quotas, "the account's quotas"),
    ("PUT", "quotas"): (_set_quotas, "{quota: number}; what is not named stays"),
    ("GET", "consistency"): (_consistency, "by how much lists lag"),
    ("PUT", "consistency"): (_set_consistency, '{"seconds": [least, greatest] or null}'),
    ("PUT", "recording"): (
        _set_recording,
        "what make fidelity wrote: its times, quotas, lag and latencies are in force",
    ),
    ("POST", "certificates"): (_add_certificate, '{"domain", "alternativeNames", "status"}'),
    ("POST", "shared-networks"): (
        _share_network,
        '{"name", "account", "listed"}: a service network shared by another account',
    ),
    ("POST", "health"): (_report_health, '{"targetGroup", "ip", "port", "healthy", "reason"}'),
    ("GET", "state"): (_state, "how many of each resource there are"),
}


def control(dispatcher: Dispatcher, request: Incoming) -> Reply:
    """Answer a request to the control address."""
    dispatcher.state.transitions.run_due()
    headers = {"Content-Type": "application/json"}
    found = ROUTES.get((request.method, request.path.removeprefix(PREFIX).strip("/")))
    if found is None:
        body = {"message": f"nothing at {request.method} {request.path}", "see": f"GET {PREFIX}"}
        return Reply(404, orjson.dumps(body), headers)
    try:
        document = orjson.loads(request.body) if request.body else {}
        answer = found[0](dispatcher, dict(parse_qsl(request.query)), document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{type(error).__name__}: {error}"
        return Reply(400, orjson.dumps({"message": message, "expected": found[1]}), headers)
    return Reply(200, orjson.dumps(answer), headers)
