"""A laptop's stand-in for a cluster and an AWS account; imports nothing of the controller.

| part                  | what it is                                                                      |
|-----------------------|---------------------------------------------------------------------------------|
| `sandbox.kube`        | a Kubernetes API in memory that kubectl works against                           |
| `sandbox.lattice`     | VPC Lattice's API, with its asynchronous states, conflicts and quotas           |
| `sandbox.dataplane`   | Lattice's data plane: real requests, routed by the programmed rules             |
| `sandbox.workloads`   | Deployments, Services and pods that answer on loopback addresses                |
| `sandbox.sandbox`     | all four as one                                                                 |
| `sandbox.demo`        | the walk-through, from service network to answers                               |
"""
