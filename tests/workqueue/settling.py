"""Let everything happen that can happen without time passing: on a fake clock nothing else ever will."""

from anyio.lowlevel import checkpoint


async def settle() -> None:
    """Give every task several turns; more than the longest chain of one waking the next."""
    for _ in range(10):
        await checkpoint()
