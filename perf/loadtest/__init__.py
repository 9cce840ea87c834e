"""The load test: synthetic routes on a sandbox, and the controller watched from outside.

Three processes: the sandbox's two servers (`servers`), the controller as a user runs it, and this one, which creates
objects by plain requests and measures. Nothing is asked of the controller: its calls are in the sandbox's logs, its
results in the sandbox's state and in the objects, its CPU and memory in /proc.

`shape` (what is created) and `conditions` (how the sandbox behaves) are the input; `scenario` runs the phases with
`processes`, `kubernetes` and `sight`; `results` is what was measured, judged against the goals; `report` writes it.
"""
