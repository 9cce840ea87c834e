"""References across namespaces: allowed only where the other namespace says so.

Source: Gateway API v1.6, `ReferenceGrant`.
"""

from controller.api.gateway import GROUP
from controller.gateway.view import View


def is_permitted(
    view: View, kind: str, namespace: str, to_group: str, to_kind: str, to_namespace: str, name: str
) -> bool:
    """Whether a Gateway API object of `kind` in `namespace` may refer to the object `to_namespace`/`name`.

    Always within a namespace; else by a ReferenceGrant in `to_namespace` that names both sides. Raises `UnknownError`
    where the grants are unknown.
    """
    if namespace == to_namespace:
        return True
    return any(
        any(
            source.group == GROUP and source.kind == kind and source.namespace == namespace
            for source in grant.spec.from_
        )
        and any(
            target.group == to_group and target.kind == to_kind and (not target.name or target.name == name)
            for target in grant.spec.to
        )
        for grant in view.reference_grants(to_namespace)
        if not grant.deleting
    )
