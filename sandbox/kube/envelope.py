"""What stands around every object: its apiVersion and kind, its name and its namespace.

A request says by its path what it is about, and its body has to agree, before anything else of it is looked at.
"""

from sandbox.kube import errors
from sandbox.kube.errors import Cause, Json
from sandbox.kube.resource import Resource


def check_envelope(
    resource: Resource, obj: object, namespace: str, name: str = "", *, patched: bool | None = None
) -> Json:
    """That the body is an object of this kind for this place; returns its metadata, with the namespace filled in.

    `patched` says whether a patch made it, or an update, which has to name it.
    """
    if not isinstance(obj, dict):
        raise errors.bad_request(
            f'couldn\'t get version/kind; json parse error: the body is no object but "{obj!r:.40}"'
        )
    for part in ("apiVersion", "kind"):
        if not obj.get(part):
            if resource.custom:
                raise errors.bad_request(f"Object '{part[0].upper() + part[1:]}' is missing")
            obj[part] = resource.api_version if part == "apiVersion" else resource.kind
    _check_type(resource, obj, patched=bool(patched))
    meta = obj.setdefault("metadata", {})
    if meta is None:
        meta = obj["metadata"] = {}
    if not isinstance(meta, dict):
        why = "metadata must be an object"
        raise errors.unfit_patch(why) if patched else errors.bad_request(why)
    if patched is False and not meta.get("name"):
        raise errors.bad_request(
            f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )
    if resource.namespaced and meta.setdefault("namespace", namespace) != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if name and meta.setdefault("name", name) != name:
        raise errors.bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    return meta


def _check_type(resource: Resource, obj: Json, *, patched: bool) -> None:
    api_version, kind = str(obj["apiVersion"]), str(obj["kind"])
    if (api_version, kind) == (resource.api_version, resource.kind):
        return
    if resource.custom and (patched or api_version == resource.api_version):
        field, given, wanted = "kind", kind, resource.kind
        if api_version != resource.api_version:
            field, given, wanted = "apiVersion", api_version, resource.api_version
        name = obj["metadata"].get("name", "") if isinstance(obj.get("metadata"), dict) else ""
        cause = Cause("FieldValueInvalid", f"Invalid value: {errors.show(given)}: must be {wanted}", field)
        raise errors.invalid(api_version.rpartition("/")[0], kind, name, [cause])
    if patched:
        raise errors.unfit_patch(f"{kind} of {api_version} is no {resource.kind} of {resource.api_version}")
    if resource.custom:
        raise errors.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    version = api_version.rpartition("/")[2]
    raise errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {resource.kind}')
