"""Service Quotas, as far as it tells the quotas of VPC Lattice that are in force in the account.

Source: Service Quotas API reference `ListServiceQuotas`; codes as in `sandbox.lattice.quotas`, which tell quotas
apart. What cannot be adjusted is not among them.
"""

from sandbox.lattice.errors import SERVICE_CODE, ApiError
from sandbox.lattice.quotas import CODES, NAMES
from sandbox.lattice.resources import Described
from sandbox.lattice.state import Call, Handler, State, make_token, token_position

PAGE_SIZE = 100


def list_service_quotas(state: State, call: Call) -> Described:
    params = call.params
    if params["ServiceCode"] != SERVICE_CODE:
        message = f"the sandbox knows quotas of {SERVICE_CODE} only, not of {params['ServiceCode']}"
        raise ApiError("NoSuchResourceException", 400, message)
    if params.get("QuotaAppliedAtLevel", "ACCOUNT") != "ACCOUNT":
        raise ApiError("IllegalArgumentException", 400, "the sandbox knows quotas of the account only")
    start = 0
    if "NextToken" in params:
        found = token_position(call.operation, params["NextToken"])
        if found is None:
            raise ApiError("InvalidPaginationTokenException", 400, "NextToken is not a token of this operation")
        start = found
    quotas = [_quota(state, name) for name, code in CODES.items() if params.get("QuotaCode", code) == code]
    end = start + params.get("MaxResults", PAGE_SIZE)
    answer: Described = {"Quotas": quotas[start:end]}
    if end < len(quotas):
        answer["NextToken"] = make_token(call.operation, end)
    return answer


def _quota(state: State, name: str) -> Described:
    code = CODES[name]
    return {
        "ServiceCode": SERVICE_CODE,
        "ServiceName": "Amazon VPC Lattice",
        "QuotaArn": f"arn:aws:servicequotas:{state.region}:{state.account}:{SERVICE_CODE}/{code}",
        "QuotaCode": code,
        "QuotaName": NAMES[name],
        "Value": float(getattr(state.quotas, name)),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }


OPERATIONS: dict[str, Handler] = {"ListServiceQuotas": list_service_quotas}
