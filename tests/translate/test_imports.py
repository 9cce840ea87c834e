"""Which Secrets are imported, and what listeners say of the references that are not (Gateway API v1.6,
`ListenerTLSConfig.certificateRefs`)."""

import msgspec
import pytest

from controller.api.core import Secret
from controller.api.keys import CertificateKey, ObjectKey, RouteRef, ServiceKey
from controller.gateway.listeners import CERTIFICATE_ARN
from controller.gateway.view import UnknownError
from controller.translate.certificates import FromSecrets, Named
from controller.translate.gateway import gateway_status
from controller.translate.imports import translate_certificate
from controller.translate.outcomes import Found
from controller.translate.route import translate_route
from controller.translate.service import translate_service
from controller.translate.triggers import keys_for_change, services_of_secret
from tests.support.certificates import issue, pem, rsa_key
from tests.support.view import FakeView, backend, gateway, gateway_class, grant, listener, route, rule, secret, service

PAIR = issue("a.example.com")
ARN = "arn:aws:acm:us-west-2:123456789012:certificate/4555204d-07e1-43f0-a533-d02750f41545"
KEY = CertificateKey("default", "shop")
FAR = CertificateKey("vault", "shop")
ROUTE = route("rates", rule(backend("parking")), hostnames=["a.example.com"])
NETWORK = Found(id="sn-1", arn="arn:sn-1")


@pytest.fixture
def ctx(ctx):
    return msgspec.structs.replace(ctx, import_certificates=True)


def https(*refs, options=None, name="https", port=443, **more):
    tls = {"mode": "Terminate", "certificateRefs": list(refs), "options": options or {}}
    return listener(name, port, "HTTPS", tls=tls, **more)


def near(name: str = "shop"):
    return {"name": name}


def far(**more):
    return {"name": "shop", "namespace": "vault", **more}


def hotel(*listeners, objects=()) -> FakeView:
    basis = [gateway_class(), gateway("my-hotel", "default", *listeners), service("parking"), ROUTE]
    return FakeView(basis).having(*objects)


def good(name: str = "shop", namespace: str = "default"):
    return secret(name, PAIR.certificate, PAIR.key, namespace)


def granted(**to):
    return grant("vault", "default", to={"kind": "Secret", **to}, from_kind="Gateway")


def resolved(view, ctx, problems=None, condition="ResolvedRefs"):
    """Status, reason and message of a condition of each listener."""
    status = gateway_status(view, view.gateway("default", "my-hotel"), NETWORK, ctx, problems or {})
    assert status is not None
    found = []
    for each in status.listeners:
        (one,) = (told for told in each["conditions"] if told["type"] == condition)
        found.append((one["status"], one["reason"], one["message"]))
    return found


def refused(view, ctx, problems=None):
    ((status, reason, message),) = resolved(view, ctx, problems)
    assert status == "False"
    return reason, message


def test_a_secret_to_which_a_listener_refers_is_wanted(ctx):
    found = translate_certificate(hotel(https(near()), objects=[good()]), KEY, ctx)
    assert found.wanted
    assert found.pair is not None
    assert found.pair.names == ("a.example.com",)
    assert resolved(hotel(https(near()), objects=[good()]), ctx)[0][:2] == ("True", "ResolvedRefs")


def test_what_nobody_refers_to_is_not(ctx):
    assert not translate_certificate(hotel(listener(), objects=[good()]), KEY, ctx).wanted
    assert not translate_certificate(hotel(https(near("other")), objects=[good()]), KEY, ctx).wanted


def test_a_listener_that_is_not_accepted_wants_nothing(ctx):
    twice = (https(near()), https(near(), name="again"))
    assert not translate_certificate(hotel(*twice, objects=[good()]), KEY, ctx).wanted


def test_a_gateway_of_another_controller_wants_nothing(ctx):
    theirs = gateway_class(controller="example.com/other")
    assert not translate_certificate(hotel(https(near()), objects=[good(), theirs]), KEY, ctx).wanted


def test_a_deleted_gateway_wants_nothing(ctx):
    deleted = gateway("my-hotel", "default", https(near()), meta={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert not translate_certificate(FakeView([gateway_class(), deleted, good()]), KEY, ctx).wanted


def test_an_option_that_names_a_certificate_goes_before_references(ctx):
    view = hotel(https(near("missing"), options={CERTIFICATE_ARN: ARN}))
    assert resolved(view, ctx)[0][0] == "True"
    assert not translate_certificate(view, CertificateKey("default", "missing"), ctx).wanted
    assert source(view, ctx) == Named(arn=ARN)


def test_a_secret_that_is_missing_stays_wanted_and_is_told(ctx):
    view = hotel(https(near()))
    found = translate_certificate(view, KEY, ctx)
    assert (found.wanted, found.pair) == (True, None)
    reason, message = refused(view, ctx)
    assert reason == "InvalidCertificateRef"
    assert "default/shop" in message
    assert "kubernetes.io/tls" in message


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [(b"nothing", PAIR.key, "tls.crt"), (PAIR.certificate, pem(rsa_key(number=1)), "not the key")],
)
def test_a_secret_that_cannot_be_used_is_told(ctx, certificate, key, why):
    reason, message = refused(hotel(https(near()), objects=[secret("shop", certificate, key)]), ctx)
    assert reason == "InvalidCertificateRef"
    assert why in message


@pytest.mark.parametrize("ref", [{"name": "shop", "kind": "ConfigMap"}, {"name": "shop", "group": "example.com"}])
def test_what_is_no_secret_is_told(ctx, ref):
    reason, message = refused(hotel(https(ref), objects=[good()]), ctx)
    assert reason == "InvalidCertificateRef"
    assert "not supported" in message


def test_another_namespace_has_to_grant_it(ctx):
    view = hotel(https(far()), objects=[good(namespace="vault")])
    reason, message = refused(view, ctx)
    assert reason == "RefNotPermitted"
    assert "ReferenceGrant in namespace vault" in message
    assert not translate_certificate(view, FAR, ctx).wanted
    assert refused(view.having(granted(name="other")), ctx)[0] == "RefNotPermitted"
    for permitted in (granted(), granted(name="shop")):
        assert resolved(view.having(permitted), ctx)[0][0] == "True"
        assert translate_certificate(view.having(permitted), FAR, ctx).wanted


def test_a_grant_for_routes_is_none_for_gateways(ctx):
    view = hotel(https(far()), objects=[good(namespace="vault"), grant("vault", "default", to={"kind": "Secret"})])
    assert refused(view, ctx)[0] == "RefNotPermitted"


def test_what_came_of_the_import_is_told(ctx):
    view = hotel(https(near()), objects=[good()])
    reason, message = refused(view, ctx, {KEY: "its certificate ended"})
    assert reason == "InvalidCertificateRef"
    assert "its certificate ended" in message


def test_secrets_that_cannot_be_read_are_told_and_keep_no_gateway_from_its_status(ctx):
    view = hotel(https(near()))
    view.unknown = (Secret,)
    reason, message = refused(view, ctx)
    assert reason == "InvalidCertificateRef"
    assert "cannot be read" in message
    with pytest.raises(UnknownError):
        translate_certificate(view, KEY, ctx)


def test_a_listener_without_any_certificate_is_not_programmed(ctx):
    ((status, reason, message),) = resolved(hotel(https(near())), ctx, condition="Programmed")
    assert (status, reason) == ("False", "Invalid")
    assert "certificateRefs" in message


def test_a_listener_with_one_certificate_of_several_is_programmed(ctx):
    view = hotel(https(near(), near("other")), objects=[good("other")])
    assert resolved(view, ctx)[0][:2] == ("False", "InvalidCertificateRef")
    assert resolved(view, ctx, condition="Programmed")[0][0] == "True"


def test_references_that_are_not_read_keep_no_listener_from_being_programmed(ctx):
    off = msgspec.structs.replace(ctx, import_certificates=False)
    assert resolved(hotel(https(near())), off, condition="Programmed")[0][0] == "True"


def test_where_no_secrets_are_imported_the_listener_says_so(ctx):
    off = msgspec.structs.replace(ctx, import_certificates=False)
    view = hotel(https(near()))
    reason, message = refused(view, off)
    assert reason == "InvalidCertificateRef"
    assert "not read" in message
    assert "IMPORT_CERTIFICATES" in message
    assert not translate_certificate(view, KEY, off).wanted
    assert resolved(hotel(https(near(), options={CERTIFICATE_ARN: ARN})), off)[0][0] == "True"


def source(view, ctx):
    (key,) = translate_route(view, RouteRef("HTTPRoute", "default", "rates"), ctx).services
    return translate_service(view, key, ctx).certificate


def test_a_service_has_the_certificate_of_the_secrets_that_it_may_use(ctx):
    assert source(hotel(https(near(), far())), ctx) == FromSecrets(keys=(KEY,))
    assert source(hotel(https(near(), far()), objects=[granted()]), ctx) == FromSecrets(keys=(KEY, FAR))


def test_a_name_whose_listener_may_use_none_of_its_references_is_not_served_there(ctx):
    view = hotel(https(far()))
    translation = translate_route(view, RouteRef("HTTPRoute", "default", "rates"), ctx)
    (accepted,) = (each for each in translation.parents[0].conditions if each.type == "Accepted")
    assert (accepted.status, accepted.reason) == ("False", "CertificateNotFound")
    assert "ReferenceGrant" in accepted.message
    assert translation.services == ()
    both = translate_route(hotel(https(far()), listener()), RouteRef("HTTPRoute", "default", "rates"), ctx)
    (key,) = both.services
    desired = translate_service(hotel(https(far()), listener()), key, ctx).desired
    assert desired is not None
    assert [each.protocol for each in desired.listeners] == ["HTTP"]


SERVICE = ServiceKey("HTTPRoute", hostname="a.example.com", networks=("my-hotel",))


def test_a_secret_touches_its_certificate_and_the_gateways_that_refer_to_it(ctx):
    before = hotel(https(near()))
    after = before.having(good())
    assert keys_for_change("Secret", None, good(), after, ctx) == {KEY, ObjectKey("Gateway", "default", "my-hotel")}
    assert keys_for_change("Secret", good(), good(), after, ctx) == frozenset()
    assert keys_for_change("Secret", None, good("other"), after, ctx) == frozenset()
    assert services_of_secret(after, KEY, ctx) == {SERVICE}


def test_a_gateway_touches_the_certificates_that_it_refers_to_and_referred_to(ctx):
    old, new = gateway("my-hotel", "default", https(near("old"))), gateway("my-hotel", "default", https(near()))
    touched = keys_for_change("Gateway", old, new, hotel(https(near())), ctx)
    assert {KEY, CertificateKey("default", "old")} <= touched
    off = msgspec.structs.replace(ctx, import_certificates=False)
    assert KEY not in keys_for_change("Gateway", old, new, hotel(https(near())), off)


def test_a_grant_touches_gateway_certificate_and_what_is_served_with_it(ctx):
    view = hotel(https(far()), objects=[good(namespace="vault"), granted()])
    touched = keys_for_change("ReferenceGrant", None, granted(), view, ctx)
    assert {FAR, ObjectKey("Gateway", "default", "my-hotel"), SERVICE} <= touched
