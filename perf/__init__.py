"""Load test and benchmarks: what the controller costs, measured rather than believed.

`python -m perf.loadtest` runs the controller against the sandbox, each in a process of its own, and reports calls,
writes and times. `python -m perf.bench` compares parts with a reference in the same run, and prints ratios.
"""
