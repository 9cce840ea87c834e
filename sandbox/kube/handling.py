"""One request to a resource: from its parameters and body to a status code and the bytes of the answer.

Between the HTTP server and the `Api`: query parameters become options, bodies become objects, stored objects become
what the client asked to see. Still synchronous; only the watch's stream is left to the server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from yaml import YAMLError

from sandbox.kube import errors
from sandbox.kube.api import APPLY_PATCH, JSON_PATCH, Api, offered_patches
from sandbox.kube.bodies import BODY_TYPES, duplicates, parse, parse_patch
from sandbox.kube.deletion import DeleteOptions
from sandbox.kube.envelope import check_envelope
from sandbox.kube.faults import Request
from sandbox.kube.options import delete_options, flag, list_options, refused_version, watch_options, write_options
from sandbox.kube.protobuf import MEDIA_TYPE, UnreadableError, decode
from sandbox.kube.reading import Page, VersionError, parse_version
from sandbox.kube.resource import Resource
from sandbox.kube.selectors import parse_fields, parse_labels
from sandbox.kube.store import Key, Stored
from sandbox.kube.tables import Form, Renderer, accepts_json, negotiate
from sandbox.kube.watch import Scope, Watch
from sandbox.kube.writing import WriteOptions

_RETURNED_WHOLE = {"pods", "services", "serviceaccounts"}
"""Core kinds whose deletion is answered with the object instead of a Status."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came, beside what it is about."""

    query: Mapping[str, str]
    accept: str = ""
    media_type: str = ""
    """What the body is said to be; empty: nothing is said."""
    user_agent: str = ""
    body: bytes = b""
    warnings: list[str] = field(default_factory=list)
    """What the client is told beside the answer or the refusal is added here."""


@dataclass(slots=True)
class Answer:
    code: int
    body: bytes


class Handler:
    """`watch_limit` is the number of changes that a watch may lag behind."""

    def __init__(self, api: Api, watch_limit: int) -> None:
        self._api = api
        self._watch_limit = watch_limit

    def handle(self, request: Request, resource: Resource, call: Call) -> Answer:
        """Everything but a watch.

        Raises:
            ApiError: the request is refused.
        """
        if request.verb not in resource.verbs:
            raise errors.method_not_allowed()
        if not accepts_json(call.accept):
            raise errors.not_acceptable(["application/json"])
        if resource.kind == "SelfSubjectAccessReview":
            return self._access_review(resource, call)
        if request.subresource:
            return self._subresource(request, resource, call)
        match request.verb:
            case "get":
                return self._get(request, resource, call)
            case "list":
                form = negotiate(call.accept, many=True)
                page = self._api.reader.page(scope(request, resource, call), list_options(call.query))
                return Answer(200, self._renderer(resource, call, form).page(page))
            case "create":
                return self._create(request, resource, call)
            case "update":
                return self._update(request, resource, call)
            case "patch":
                return self._patch(request, resource, call)
            case "delete":
                return self._delete(request, resource, call)
            case _:
                deleted = self._api.delete_collection(scope(request, resource, call), _delete_options(call))
                page = Page(deleted, self._api.store.version)
                return Answer(200, self._renderer(resource, call, Form()).page(page))

    def watch(self, request: Request, resource: Resource, call: Call) -> Watch:
        """Starts a watch, which the caller ends.

        Raises:
            ApiError: the request is refused.
        """
        options = watch_options(call.query)
        renderer = self._renderer(resource, call)
        try:
            return self._api.reader.watch(scope(request, resource, call), options, renderer.one, self._watch_limit)
        except VersionError as wrong:
            raise refused_version(wrong) from wrong

    def _get(self, request: Request, resource: Resource, call: Call) -> Answer:
        renderer = self._renderer(resource, call)
        try:
            self._api.reader.check_not_future(parse_version(call.query.get("resourceVersion", "")))
        except VersionError as wrong:
            raise refused_version(wrong) from wrong
        return Answer(200, renderer.one(self._api.reader.get(resource, _key(request))))

    def _renderer(self, resource: Resource, call: Call, form: Form | None = None) -> Renderer:
        chosen = negotiate(call.accept) if form is None else form
        return Renderer(resource, chosen, self._api.env.clock, call.query.get("includeObject", ""))

    def _create(self, request: Request, resource: Resource, call: Call) -> Answer:
        options = _write_options(call, "create", "")
        obj = _body(call)
        namespace = request.namespace if resource.namespaced else ""
        return self._written(resource, self._api.writer.create(resource, namespace, obj, options), call, code=201)

    def _update(self, request: Request, resource: Resource, call: Call) -> Answer:
        options = _write_options(call, "update", request.subresource)
        obj = _body(call)
        check_envelope(resource, obj, request.namespace, name=request.name, patched=False)
        stored, new = self._api.replace(resource, _key(request), obj, options, request.subresource)
        return self._written(resource, stored, call, code=201 if new else 200)

    def _patch(self, request: Request, resource: Resource, call: Call) -> Answer:
        apply = call.media_type == APPLY_PATCH
        options = _write_options(call, "apply" if apply else "patch", request.subresource)
        offered = offered_patches(resource)
        if call.media_type not in offered:
            raise errors.unsupported_media_type(offered)
        body = parse_patch(call.body, call.media_type)
        key = _key(request)
        if not apply:
            stored = self._api.patch(resource, key, call.media_type, body, options, request.subresource)
            return self._written(resource, stored, call)
        force = flag(call.query, "force")
        stored, new = self._api.apply_patch(resource, key, body, options, request.subresource, force=force)
        return self._written(resource, stored, call, code=201 if new else 200)

    def _written(self, resource: Resource, stored: Stored, call: Call, code: int = 200) -> Answer:
        return Answer(code, self._renderer(resource, call).one(stored))

    def _delete(self, request: Request, resource: Resource, call: Call) -> Answer:
        options = _delete_options(call)
        stored, gone = self._api.deleter.delete(resource, _key(request), options)
        if gone and not (resource.group == "" and resource.plural in _RETURNED_WHOLE):
            return Answer(200, orjson.dumps(errors.success(resource.name, request.name, stored.uid)))
        return Answer(200, self._renderer(resource, call, Form()).one(stored))

    def _subresource(self, request: Request, resource: Resource, call: Call) -> Answer:
        if request.subresource == "scale" and resource.scale is not None:
            return self._scale(request, resource, call)
        if request.subresource != "status" or not resource.status:
            if resource.custom:
                raise errors.not_found(resource.name, request.name)
            raise errors.unknown_resource()
        match request.verb:
            case "get":
                return self._get(request, resource, call)
            case "update":
                return self._update(request, resource, call)
            case "patch":
                return self._patch(request, resource, call)
            case _:
                raise errors.method_not_allowed()

    def _scale(self, request: Request, resource: Resource, call: Call) -> Answer:
        key, scaler = _key(request), self._api.scaler(resource)
        if request.verb == "get":
            return Answer(200, orjson.dumps(scaler.get(key)))
        if request.verb == "update":
            options = _write_options(call, request.verb, "scale")
            return Answer(200, orjson.dumps(scaler.replace(key, _parsed(call), options)))
        if request.verb != "patch":
            raise errors.method_not_allowed()
        offered = [media_type for media_type in offered_patches(resource) if media_type != APPLY_PATCH]
        if call.media_type not in offered:
            raise errors.unsupported_media_type(offered)
        patch, options = parse_patch(call.body, call.media_type), _write_options(call, request.verb, "scale")
        scale = scaler.patch(key, patch, options, operations=call.media_type == JSON_PATCH)
        return Answer(200, orjson.dumps(scale))

    def _access_review(self, resource: Resource, call: Call) -> Answer:
        review = _body(call)
        check_envelope(resource, review, "")
        review["status"] = {"allowed": True, "reason": "the sandbox allows everything"}
        return Answer(201, orjson.dumps(review))


def scope(request: Request, resource: Resource, call: Call) -> Scope:
    """What a request for many objects is about.

    Raises:
        ApiError: 400 for a malformed selector.
    """
    namespace = request.namespace if resource.namespaced and request.namespace else None
    fields = parse_fields(call.query.get("fieldSelector", ""), resource.selectable, custom=resource.custom)
    return Scope(resource, namespace, parse_labels(call.query.get("labelSelector", "")), fields)


def _body(call: Call) -> Any:
    """The object of a create or an update, in any of the encodings.

    Raises:
        ApiError: 400, or 415 for a protobuf message that is not described here.
    """
    if call.media_type != MEDIA_TYPE:
        return _parsed(call)
    try:
        return decode(call.body)
    except UnreadableError as wrong:
        refusal = errors.unsupported_media_type(["application/json", "application/yaml"])
        raise errors.ApiError(415, refusal.reason, f"{refusal.message} ({wrong})") from wrong


def _parsed(call: Call) -> Any:
    """The body, which has to be JSON or YAML.

    Raises:
        ApiError: 400 or 415.
    """
    if call.media_type not in BODY_TYPES:
        raise errors.unsupported_media_type(["application/json", "application/yaml"])
    return parse(call.body, call.media_type)


def _key(request: Request) -> Key:
    return request.namespace, request.name


def _write_options(call: Call, verb: str, subresource: str) -> WriteOptions:
    options = write_options(call.query, verb, subresource, call.user_agent, lambda: _repeated(call))
    options.warnings = call.warnings
    return options


def _repeated(call: Call) -> tuple[str, ...]:
    if call.media_type == MEDIA_TYPE:
        return ()
    try:
        return duplicates(call.body, call.media_type)
    except (ValueError, YAMLError):
        return ()


def _delete_options(call: Call) -> DeleteOptions:
    if call.body.strip():
        return delete_options(call.query, _parsed(call))
    return delete_options(call.query, {})
