"""Label selectors.

Source: Kubernetes API reference, `meta/v1` `LabelSelector`.
"""

from collections.abc import Mapping

from controller.api.gateway import LabelSelector


def selects(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether all requirements hold. No selector selects nothing, an empty one everything, an unknown operator
    nothing.
    """
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.match_labels or {}).items()):
        return False
    for requirement in selector.match_expressions or ():
        value = labels.get(requirement.key)
        values = requirement.values or ()
        match requirement.operator:
            case "In":
                holds = value is not None and value in values
            case "NotIn":
                holds = value is None or value not in values
            case "Exists":
                holds = value is not None
            case "DoesNotExist":
                holds = value is None
            case _:
                holds = False
        if not holds:
            return False
    return True
