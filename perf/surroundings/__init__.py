"""How fast the sandbox is, so that a load test measures the controller and not what surrounds it.

- `raw`        a client that sends requests made in advance, and does as little as can be with the answers
- `lattice`    VPC Lattice: what it serves, beside what our client can send, and its cost by the number of services
- `kubernetes` the Kubernetes API in memory: writes a second with many objects and with watchers
- `__main__`   all of them in one run, as a table
"""
