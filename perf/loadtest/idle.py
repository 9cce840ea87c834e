"""Whether a controller has something to do, by the metrics that its operators see. Pure."""

from prometheus_client.parser import text_string_to_metric_families

_BUSY = frozenset({"workqueue_depth", "workqueue_unfinished_work_seconds"})


def queue_is_idle(exposition: str) -> bool:
    """Whether no key waits and none is in work, of metrics in Prometheus' text format.

    Raises ValueError where they do not tell.
    """
    families = [one for one in text_string_to_metric_families(exposition) if one.name in _BUSY]
    if {one.name for one in families} != _BUSY:
        raise ValueError("the metrics tell nothing of a work queue")
    return not any(sample.value for one in families for sample in one.samples)
