"""Finding and taking away what the contract tests made, without knowing what that was.

A run that was interrupted does not know everything that it made: the answer to its last request may never have come. So
nothing is remembered; what is ours is found in the account, by name and by tag, both of which it must have, and goes in
the order in which VPC Lattice lets it: associations, then services, target groups, service networks. Another look
follows until there is nothing, because lists may show what is new only after a while.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from tests.contract_lattice.account import PREFIX, TAG, Account, absent_is_fine

LOOKS = 3
"""How often in a row there must be nothing."""

NOT_YET = ("ConflictException", "ThrottlingException", "InternalServerException")


def clean_up(
    account: Account, run: str | None, *, pause: float, deadline: float, say: Callable[[str], None]
) -> list[str]:
    """Take away what one run made, or, with None, what any run made; what could not be is returned, by ARN.

    `pause` is the time between two looks, `deadline` the longest that it may take in all, in seconds.
    """
    end = time.monotonic() + deadline
    empty = 0
    while True:
        left = [resource["arn"] for resource in _take_away(account, run, say)]
        empty = 0 if left else empty + 1
        if empty >= LOOKS or time.monotonic() > end:
            return left
        time.sleep(pause)


def _ours(account: Account, list_name: str, run: str | None) -> Iterator[dict[str, Any]]:
    beginning = PREFIX if run is None else f"{PREFIX}{run}-"
    for item in account.pages(list_name):
        if not item["name"].startswith(beginning):
            continue
        with absent_is_fine():
            tags = account.lattice.list_tags_for_resource(resourceArn=item["arn"])["tags"]
            if TAG in tags and run in {None, tags[TAG]}:
                yield item


def _links(account: Account, list_name: str, **of: str) -> Iterator[dict[str, Any]]:
    """The associations of a network, which may be gone meanwhile."""
    with absent_is_fine():
        yield from account.pages(list_name, **of)


def _take_away(account: Account, run: str | None, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Begin every deletion that can be begun; everything of ours that was still there."""
    lattice = account.lattice
    found: list[dict[str, Any]] = []
    networks = list(_ours(account, "list_service_networks", run))
    services = list(_ours(account, "list_services", run))
    for network in networks:
        where = {"serviceNetworkIdentifier": network["id"]}
        for link in _links(account, "list_service_network_vpc_associations", **where):
            found.append(link)
            _delete(lattice.delete_service_network_vpc_association, say, link, "serviceNetworkVpcAssociationIdentifier")
        for link in _links(account, "list_service_network_service_associations", **where):
            found.append(link)
            _delete(
                lattice.delete_service_network_service_association,
                say,
                link,
                "serviceNetworkServiceAssociationIdentifier",
            )
    for service in services:
        found.append(service)
        _delete(lattice.delete_service, say, service, "serviceIdentifier")
    for group in _ours(account, "list_target_groups", run):
        found.append(group)
        _delete(lattice.delete_target_group, say, group, "targetGroupIdentifier")
    for network in networks:
        found.append(network)
        _delete(lattice.delete_service_network, say, network, "serviceNetworkIdentifier")
    return found


def _delete(call: Callable[..., Any], say: Callable[[str], None], item: dict[str, Any], identifier: str) -> None:
    """Begin to delete; what cannot go yet is tried again at the next look."""
    if item.get("status") == "DELETE_IN_PROGRESS":
        return
    try:
        with absent_is_fine():
            call(**{identifier: item["arn"]})
            say(f"deleted {item['arn']}")
    except ClientError as error:
        if error.response["Error"]["Code"] not in NOT_YET:
            say(f"cannot delete {item['arn']}: {error}")
