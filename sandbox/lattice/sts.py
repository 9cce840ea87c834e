"""AWS Security Token Service: who is asking. Source: its API reference, `GetCallerIdentity`."""

from sandbox.lattice.resources import Described
from sandbox.lattice.state import Call, Handler, State


def get_caller_identity(state: State, _call: Call) -> Described:
    return {
        "Arn": f"arn:aws:iam::{state.account}:user/sandbox",
        "UserId": "AIDASANDBOXSANDBOX000",
        "Account": state.account,
    }


OPERATIONS: dict[str, Handler] = {"GetCallerIdentity": get_caller_identity}
