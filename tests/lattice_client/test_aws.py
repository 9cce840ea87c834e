"""What AWS's answers mean, by code and status; the wire is in test_refusals and test_attempts."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from controller.lattice.aws import classify, iam_action
from controller.lattice.errors import FencedError, LatticeError, RetryError, SuspectError, TerminalError


def answer(code: str, status: int, message: str = "the message", **fields: Any) -> LatticeError:
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r-1", "HTTPHeaders": fields.pop("headers", {})},
        **fields,
    }
    return classify(ClientError(response, "CreateService"), "CreateService")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ThrottlingException", 429, RetryError),
        ("ThrottledException", 400, RetryError),
        ("InternalServerException", 500, RetryError),
        ("", 503, RetryError),
        ("ExpiredTokenException", 403, RetryError),
        ("PaginationTokenExpiredException", 400, RetryError),
        ("ValidationException", 400, TerminalError),
        ("AccessDeniedException", 403, TerminalError),
        ("ServiceQuotaExceededException", 402, TerminalError),
        ("SomethingNew", 400, TerminalError),
        ("ResourceNotFoundException", 404, SuspectError),
        ("ConflictException", 409, SuspectError),
    ],
)
def test_each_answer_has_one_meaning(code: str, status: int, error: type[LatticeError]) -> None:
    made = answer(code, status)
    assert type(made) is error
    assert made.operation == "CreateService"
    assert made.request_id == "r-1"


def test_only_throttles_count_as_throttled() -> None:
    throttled, failed = answer("TooManyRequestsException", 429), answer("InternalServerException", 500)
    assert isinstance(throttled, RetryError)
    assert throttled.throttled
    assert isinstance(failed, RetryError)
    assert not failed.throttled


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"retryAfterSeconds": 3}, 3.0),
        ({"headers": {"retry-after": "7"}}, 7.0),
        ({"headers": {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}}, None),
        ({}, None),
    ],
)
def test_the_time_that_aws_asks_for_is_kept(fields: dict[str, Any], after: float | None) -> None:
    made = answer("ThrottlingException", 429, **fields)
    assert isinstance(made, RetryError)
    assert made.after == after


def test_a_denied_action_is_named_as_aws_names_it() -> None:
    said = (
        "User: arn:aws:sts::123456789012:assumed-role/x/y is not authorized to perform: ec2:DescribeVpcs "
        "because no identity-based policy allows the ec2:DescribeVpcs action"
    )
    assert "may not do ec2:DescribeVpcs: allow it" in answer("AccessDeniedException", 403, said).message


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("CreateService", "vpc-lattice:CreateService"),
        ("BatchUpdateRule", "vpc-lattice:UpdateRule"),
        ("GetResources", "tag:GetResources"),
        ("GetCallerIdentity", "sts:GetCallerIdentity"),
    ],
)
def test_operations_are_permitted_by_these_actions(operation: str, action: str) -> None:
    assert iam_action(operation) == action


def test_a_validation_error_names_the_fields() -> None:
    made = answer("ValidationException", 400, "Invalid", fieldList=[{"name": "name", "message": "is too long"}])
    assert made.message == "AWS refuses the request: Invalid (name: is too long)"


def test_a_conflict_tells_with_what() -> None:
    made = answer("ConflictException", 409, resourceType="SERVICE", resourceId="svc-1")
    assert isinstance(made, SuspectError)
    assert (made.resource_type, made.resource_id, made.not_found) == ("SERVICE", "svc-1", False)


def test_no_answer_is_unreachable_or_too_late() -> None:
    url = "https://vpc-lattice.us-west-2.amazonaws.com/services"
    unreachable = classify(EndpointConnectionError(endpoint_url=url, error=OSError("no route")), "ListServices")
    late = classify(ReadTimeoutError(endpoint_url=url), "ListServices")
    assert (unreachable.code, late.code) == ("Unreachable", "Timeout")
    assert "cannot reach vpc-lattice.us-west-2.amazonaws.com (no route)" in unreachable.message


def test_what_is_classified_already_stays() -> None:
    fenced = FencedError("CreateService")
    assert classify(fenced, "CreateService") is fenced


def test_an_error_reads_as_operation_and_message() -> None:
    assert str(answer("ConflictException", 409, "in use")) == "CreateService: in use"
