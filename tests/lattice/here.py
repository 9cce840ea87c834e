"""A world without sockets."""

from tests.lattice.inprocess import InProcess
from tests.lattice.world import World


class Here(World):
    def __init__(self, seed: int = 0) -> None:
        self.lattice = InProcess(seed)
        super().__init__(None, self.lattice)

    @property
    def log(self) -> list[str]:
        return self.lattice.log
