"""An emulated account without sockets: requests that botocore has serialised go straight to the dispatcher."""

import json
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel as BotocoreModel
from botocore.serialize import create_serializer

from sandbox.lattice import Quotas, Timings
from sandbox.lattice.dispatch import OPERATIONS, Dispatcher
from sandbox.lattice.metadata import Metadata
from sandbox.lattice.protocols import Incoming
from sandbox.lattice.state import State
from sandbox.lattice.throttle import Throttles
from tests.sandbox.lattice.harness import VPC, Clock

MODEL = BotocoreModel(Loader().load_service_model("vpc-lattice", "service-2"), "vpc-lattice")
SERIALIZER = create_serializer("rest-json", include_validation=False)
SIGNATURE = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20270115/us-west-2/vpc-lattice/aws4_request, Signature=0"
}


class Direct:
    """A dispatcher that holds its answers against the model, and the state behind it; its clock stands still."""

    def __init__(self, timings: Timings, quotas: Quotas) -> None:
        self.clock = Clock()
        self.state = State(
            account="123456789012", region="us-west-2", seed=0, timings=timings, quotas=quotas, clock=self.clock
        )
        self.dispatcher = Dispatcher(
            self.state,
            throttles=Throttles(OPERATIONS, {}, self.clock),
            metadata=Metadata(
                account="123456789012",
                region="us-west-2",
                vpc=VPC,
                cluster="one",
                credentials=self.state.credentials,
                seed=0,
                clock=self.clock,
            ),
            clock=self.clock,
            validate_answers=True,
        )

    @staticmethod
    def request(operation: str, params: dict[str, Any]) -> Incoming:
        """What VPC Lattice is asked with these parameters."""
        made = SERIALIZER.serialize_to_request(params, MODEL.operation_model(operation))
        query = "&".join(f"{name}={value}" for name, value in made["query_string"].items())
        return Incoming(made["method"], made["url_path"], query, SIGNATURE, made["body"] or b"")

    def ask(self, operation: str, params: dict[str, Any]) -> tuple[int, Any]:
        """The status and the answer."""
        reply = self.dispatcher.serve(self.request(operation, params))
        return reply.status, json.loads(reply.body) if reply.body else None
