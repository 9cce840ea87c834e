"""The endpoint behind a certificate, as AWS's is."""

import ssl
from pathlib import Path

import pytest
import trustme
from aiobotocore.session import get_session

from sandbox.lattice import LatticeServer

pytestmark = pytest.mark.anyio


async def test_a_client_that_trusts_the_authority_is_answered_by_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with LatticeServer(tls=context) as server:
        assert server.url.startswith("https://127.0.0.1:")
        client = get_session().create_client(
            "vpc-lattice",
            region_name=server.region,
            endpoint_url=server.url,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            verify=str(tmp_path / "authority.pem"),
        )
        async with client as lattice:
            answer = await lattice.create_service(name="cart")
        assert answer["name"] == "cart"
        assert [call.access_key for call in server.calls.writes()] == ["key"]
