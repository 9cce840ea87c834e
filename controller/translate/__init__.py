"""From a view of the cluster to what is desired in VPC Lattice, and to what the objects' authors are told. All pure.

What others use:

- `route`         what a route asks for: accepted parents, the services and groups it feeds, conditions
- `service`       a Lattice service with listeners and rules
- `target_group`  a target group with its targets
- `gateway`       status of Gateways and GatewayClasses
- `outcomes`      what became of a desired service or network, and the route's final report
- `triggers`      which keys an event touches

What these are made of, lower first:

- `annotations`, `names`, `tags`  what users say beside the spec, and what resources are called
- `matches`, `weights`, `backends`, `compile`  the rules of one route, piece by piece
- `rules`         the rules of a service, in order of precedence
- `draft`         what a route would feed if it were alone
- `claims`        which route gets a hostname that several want
- `before`        the view as it was before an event
"""
