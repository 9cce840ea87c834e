"""The specification of settings: what is read, what is refused, and how that is told."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

import pytest

from controller.kube.lease_times import LeaseTimes
from controller.settings import Bind, CallRate, Settings, SettingsError, add_flags, load

ENOUGH = {"CLUSTER_NAME": "dev", "CLUSTER_VPC_ID": "vpc-0123456789abcdef0"}


def flags(*arguments: str) -> Namespace:
    parser = ArgumentParser()
    add_flags(parser)
    return parser.parse_args(arguments)


def read(environ: Mapping[str, str], *arguments: str) -> Settings:
    return load({**ENOUGH, **environ}, flags(*arguments))


def problems(environ: Mapping[str, str], *arguments: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load(environ, flags(*arguments))
    return [str(problem) for problem in raised.value.problems]


def test_a_cluster_and_its_vpc_are_all_that_is_needed() -> None:
    settings = read({})
    assert settings.cluster_name == "dev"
    assert settings.vpc_id == "vpc-0123456789abcdef0"
    assert settings.account_id is None
    assert settings.region is None
    assert settings.lattice_endpoint is None
    assert settings.log_level == "info"
    assert settings.log_format is None
    assert settings.workers == 20
    assert settings.resync is None
    assert settings.metrics_bind == Bind("", 8080)
    assert settings.health_bind == Bind("", 8081)
    assert settings.leader_elect is False
    assert settings.kubeconfig is None
    assert settings.use_tagging_api is True
    assert settings.protect_from_deletion is False
    assert settings.import_certificates is False
    assert settings.take_over_release is False
    assert settings.read_only is False
    assert settings.ignored == ()


def test_everything_can_be_set() -> None:
    settings = read(
        {
            "AWS_ACCOUNT_ID": "123456789012",
            "REGION": "eu-central-1",
            "LATTICE_ENDPOINT": "http://127.0.0.1:4566",
            "LOG_LEVEL": "DEBUG",
            "LOG_FORMAT": "console",
            "ROUTE_MAX_CONCURRENT_RECONCILES": "3",
            "RECONCILE_DEFAULT_RESYNC_SECONDS": "600",
            "PROTECT_FROM_DELETION": "true",
            "IMPORT_CERTIFICATES": "true",
            "TAKE_OVER_RELEASE": "true",
        },
        "--metrics-bind-address=127.0.0.1:9090",
        "--health-probe-bind-address=[::1]:9091",
        "--leader-elect",
        "--read-only",
        "--kubeconfig=/tmp/config",
    )
    assert settings.account_id == "123456789012"
    assert settings.region == "eu-central-1"
    assert settings.lattice_endpoint == "http://127.0.0.1:4566"
    assert settings.log_level == "debug"
    assert settings.log_format == "console"
    assert settings.workers == 3
    assert settings.resync == 600
    assert settings.protect_from_deletion is True
    assert settings.import_certificates is True
    assert settings.take_over_release is True
    assert settings.read_only is True
    assert settings.metrics_bind == Bind("127.0.0.1", 9090)
    assert settings.health_bind == Bind("::1", 9091)
    assert settings.leader_elect is True
    assert settings.kubeconfig == "/tmp/config"


def test_all_that_is_wrong_is_told_at_once_with_name_value_and_what_is_expected() -> None:
    assert problems({"CLUSTER_VPC_ID": "my-vpc", "AWS_ACCOUNT_ID": "12", "LOG_LEVEL": "loud"}) == [
        "CLUSTER_NAME is not set: set it to the name of this cluster, as in the owner tag",
        "CLUSTER_VPC_ID is 'my-vpc': expected the id of the cluster's VPC, such as vpc-0123456789abcdef0",
        "AWS_ACCOUNT_ID is '12': expected 12 digits",
        "LOG_LEVEL is 'loud': expected debug, info or error",
    ]


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert read({"AWS_ACCOUNT_ID": "", "REGION": "  "}).account_id is None
    assert problems({**ENOUGH, "CLUSTER_NAME": " "})[0].startswith("CLUSTER_NAME is not set")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLUSTER_NAME", "a/b"),
        ("CLUSTER_VPC_ID", "vpc-xyz"),
        ("AWS_ACCOUNT_ID", "1234567890123"),
        ("REGION", "Oregon"),
        ("AWS_REGION", "us west"),
        ("LATTICE_ENDPOINT", "localhost:4566"),
        ("LATTICE_ENDPOINT", "ftp://host"),
        ("LATTICE_ENDPOINT", "http://"),
        ("LOG_FORMAT", "xml"),
        ("ROUTE_MAX_CONCURRENT_RECONCILES", "0"),
        ("ROUTE_MAX_CONCURRENT_RECONCILES", "many"),
        ("RECONCILE_DEFAULT_RESYNC_SECONDS", "59"),
        ("RECONCILE_DEFAULT_RESYNC_SECONDS", "-1"),
        ("RECONCILE_DEFAULT_RESYNC_SECONDS", "nan"),
        ("DISABLE_TAGGING_SERVICE_API", "maybe"),
        ("PROTECT_FROM_DELETION", "perhaps"),
        ("IMPORT_CERTIFICATES", "perhaps"),
        ("TAKE_OVER_RELEASE", "perhaps"),
        ("LATTICE_API_RATES", "fast"),
        ("LATTICE_API_RATES", "0"),
        ("LATTICE_API_RATES", "5:0"),
        ("LATTICE_API_RATES", "inf"),
        ("LATTICE_API_RATES", "=5"),
        ("LATTICE_API_RATES", "5,"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(name: str, value: str) -> None:
    (problem,) = problems({**ENOUGH, name: value})
    assert problem.startswith(f"{name} is {value!r}: expected ")


def test_a_resync_of_zero_is_never() -> None:
    assert read({"RECONCILE_DEFAULT_RESYNC_SECONDS": "0"}).resync is None


@pytest.mark.parametrize(("value", "used"), [("true", False), ("1", False), ("False", True), ("0", True), ("", True)])
def test_the_tagging_api_can_be_left_out(value: str, used: bool) -> None:
    assert read({"DISABLE_TAGGING_SERVICE_API": value}).use_tagging_api is used


def test_the_region_is_aws_own_where_ours_is_not_set() -> None:
    assert read({"AWS_DEFAULT_REGION": "us-east-1"}).region == "us-east-1"
    assert read({"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-2"}).region == "us-east-2"
    assert read({"AWS_REGION": "us-east-2", "REGION": "us-gov-west-1"}).region == "us-gov-west-1"


def test_call_rates_are_for_all_operations_or_for_one() -> None:
    settings = read({"LATTICE_API_RATES": "20:40, CreateService=0.5,ListServices=5"})
    assert settings.call_rate == CallRate(20, 40)
    assert settings.call_rates == {"CreateService": CallRate(0.5, 1), "ListServices": CallRate(5, 5)}


@pytest.mark.parametrize("value", ["8080x", "host", "host:0", ":65536", "http://host:80"])
def test_an_address_that_cannot_be_listened_on_is_refused(value: str) -> None:
    (problem,) = problems(ENOUGH, f"--metrics-bind-address={value}")
    assert problem.startswith(f"--metrics-bind-address is {value!r}: expected host:port")


def test_an_address_of_zero_serves_nothing() -> None:
    assert read({}, "--metrics-bind-address=0").metrics_bind is None


def test_two_servers_on_one_address_are_refused() -> None:
    (problem,) = problems(ENOUGH, "--metrics-bind-address=:9000", "--health-probe-bind-address=:9000")
    assert problem == "--health-probe-bind-address is ':9000': another address than that of metrics"


def test_the_lease_has_the_usual_durations() -> None:
    assert read({}).lease_times == load(ENOUGH, Namespace()).lease_times == LeaseTimes(15, 10, 2)


def test_the_durations_of_the_lease_are_written_as_go_writes_them() -> None:
    names = ("lease-duration", "renew-deadline", "retry-period")
    values = ("1m1.5s", "30s", "250ms")
    told = [f"--leader-elect-{name}={value}" for name, value in zip(names, values, strict=True)]
    assert read({}, *told).lease_times == LeaseTimes(61.5, 30, 0.25)


@pytest.mark.parametrize("value", ["15", "", "s", "1.2.3s", "5s1m", "-1s"])
def test_a_duration_that_is_none_is_refused(value: str) -> None:
    (problem,) = problems(ENOUGH, f"--leader-elect-retry-period={value}")
    assert problem.startswith("--leader-elect-retry-period is ")


@pytest.mark.parametrize(
    ("duration", "deadline", "period", "expected"),
    [
        ("10s", "10s", "2s", "longer than the renew deadline"),
        ("15s", "2s", "2s", "1.2 retry periods"),
        ("15s", "10s", "0s", "longer than nothing"),
        ("10.4s", "10s", "2s", "what a write to Lattice may take"),
    ],
)
def test_durations_of_the_lease_that_do_not_fit_each_other_or_a_write_are_refused(
    duration: str, deadline: str, period: str, expected: str
) -> None:
    values = {"lease-duration": duration, "renew-deadline": deadline, "retry-period": period}
    (problem,) = problems(ENOUGH, *(f"--leader-elect-{name}={value}" for name, value in values.items()))
    assert expected in problem


def test_a_command_without_flags_serves_nothing_and_takes_no_lease() -> None:
    settings = load(ENOUGH, Namespace())
    assert (settings.metrics_bind, settings.health_bind, settings.leader_elect) == (None, None, False)


def test_what_the_old_controller_knew_and_this_one_does_not_is_named() -> None:
    settings = read({"DEFAULT_SERVICE_NETWORK": "my-hotel", "WEBHOOK_ENABLED": "false"})
    assert settings.ignored == ("DEFAULT_SERVICE_NETWORK",)


@pytest.mark.parametrize("value", ["true", " True "])
def test_that_all_routes_belong_into_the_default_network_is_refused_and_not_passed_over(value: str) -> None:
    (problem,) = problems({**ENOUGH, "ENABLE_SERVICE_NETWORK_OVERRIDE": value, "DEFAULT_SERVICE_NETWORK": "my-hotel"})
    assert "would move them to the networks that their Gateways name" in problem


@pytest.mark.parametrize("value", ["", "false", "1"])
def test_what_did_not_turn_the_override_on_in_the_old_controller_is_no_reason_to_refuse(value: str) -> None:
    assert read({"ENABLE_SERVICE_NETWORK_OVERRIDE": value}).ignored == ()
