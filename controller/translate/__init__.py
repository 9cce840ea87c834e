"""From a view of the cluster to what is desired in VPC Lattice, and to what the objects' authors are told. All pure.

- `route`         what a route asks for: accepted parents, the services and groups it feeds, conditions
- `service`       a Lattice service with listeners and rules
- `target_group`  a target group with its targets
- `gateway`       status of Gateways and GatewayClasses
- `outcomes`      what became of a desired service or network, and the route's final report
- `triggers`      which keys an event touches
- `compile`, `matches`, `weights`, `backends`  the rules of one route, piece by piece
- `names`, `tags`, `annotations`  what resources are called, and what users say beside the spec
"""
