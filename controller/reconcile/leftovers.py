"""What bears a route's name in Lattice although the route does not ask for it any more.

A change adds the keys of what was wanted before it, so usually nothing is left over. What was interrupted, by a crash
or a loss of the lease, is found here: by the tags of services and target groups, from the inventory's memory. Each key
then deletes its own.
"""

from controller.api.keys import Key, RouteRef
from controller.reconcile.environment import Environment
from controller.translate.route import translate_route
from controller.translate.target_group import translate_target_group


async def add_leftovers(env: Environment, route: RouteRef, *, again: bool) -> bool:
    """Add the keys of what is left over of a route; tells whether anything in Lattice bears the route's name at all.

    A look costs a translation of all the route's groups, so it is made once, and after that only if asked for `again`.
    Raises `UnknownError` and `LatticeError`.
    """
    if route in env.looked_over and not again:
        return True
    asked_for, left_over = await what_there_is(env, route)
    for key in left_over:
        env.changes.seen(key)
        env.add(key)
    env.looked_over.add(route)
    return bool(asked_for or left_over)


async def what_there_is(env: Environment, route: RouteRef) -> tuple[list[Key], list[Key]]:
    """The keys of what bears the route's name in Lattice: what the route asks for, and what it does not.

    Raises `UnknownError` and `LatticeError`.
    """
    wanted = translate_route(env.view, route, env.ctx)
    services = await env.inventory.services_of(route, lane=env.lane)
    desired = [translate_target_group(env.view, key, env.ctx, acknowledged=True) for key in wanted.target_groups]
    groups = env.inventory.target_groups_of(route, [group for group in desired if group is not None])
    wanted_keys: set[Key] = {*wanted.services, *wanted.target_groups}
    there: list[Key] = [*services, *groups]
    return [key for key in there if key in wanted_keys], [key for key in there if key not in wanted_keys]
