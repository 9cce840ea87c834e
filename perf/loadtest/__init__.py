"""The load test: synthetic routes on a sandbox, and the controller watched from outside.

Processes of their own: the sandbox's two servers (`servers`), the controller's replicas as they are deployed, one that
leads and one that follows, and this one, which creates objects by plain requests and measures. Nothing is asked of the
controller but what its operators see, readiness and metrics, and these only to know when it has come to rest: its calls
are in the sandbox's logs, its results in the sandbox's state and in the objects, its CPU and memory in /proc.

`shape` (what is created) and `conditions` (how the sandbox behaves) are the input; `scenario` runs the phases with
`processes`, `kubernetes` and `sight`; `results` is what was measured, judged against the goals; `report` writes it.
"""
