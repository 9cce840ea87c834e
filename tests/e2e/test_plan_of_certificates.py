"""What `plan` shows of certificates that were imported and that no listener refers to any more."""

from pathlib import Path

import orjson
import pytest

from tests.e2e.harness import eventually, world
from tests.e2e.objects import gateway, listener
from tests.e2e.test_explain import said_by
from tests.e2e.test_imported_certificates import FIRST, ON, apply_all, imported, is_imported, nothing_imported, of
from tests.e2e.test_lifecycle import programmed

pytestmark = pytest.mark.anyio


async def test_a_plan_shows_that_what_no_listener_refers_to_any_more_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPORT_CERTIFICATES", "true")
    monkeypatch.setattr("controller.reconcile.imports.IN_USE", 0.1)
    async with world(tmp_path, settings=ON) as one:
        await apply_all(one, of(FIRST))
        await one.start()
        await eventually(lambda: programmed(one))
        await one.stop()
        await one.delete("HTTPRoute", "rates")
        await one.apply(gateway("my-hotel", listener()))
        planned = orjson.loads(await said_by(one, tmp_path, "plan", "-o", "json", code=2))
        [deleted] = [each for each in planned["operations"] if each["call"] == "DeleteCertificate"]
        assert deleted["route"] is None
        assert deleted["arguments"] == {"CertificateArn": imported(one).arn}
        said = " ".join((await said_by(one, tmp_path, "plan", code=2)).split())
        assert "no listener refers to it" in said
        is_imported(one, FIRST)
        await one.start()
        await eventually(lambda: nothing_imported(one))
