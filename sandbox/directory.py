"""The directory of a sandbox: the files by which clients find it, and the lock that keeps a second sandbox out.

A kubeconfig or an environment file that another sandbox writes over would send the clients of the first one somewhere
else without a word. So a sandbox holds the directory for as long as it runs, by a lock of the kernel's on a file in it.
The kernel lets go when the process ends, however it ends, and what a killed sandbox left behind is written over.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

LOCK = "lock"


class DirectoryError(Exception):
    """The directory cannot be used; the message names it, and says why and what to change."""


class Directory:
    """A directory held by one sandbox, for as long as the context lasts; its files go on leaving it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: list[Path] = []
        self._lock = -1

    def __enter__(self) -> Self:
        """Make the directory, and hold it. Raises DirectoryError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DirectoryError(
                f"the directory {self.path} cannot be used ({error.strerror}); give another one with --directory"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise DirectoryError(
                f"the directory {self.path} is in use by another sandbox; give this one its own with --directory"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._written:
            with suppress(FileNotFoundError):
                file.unlink()
        os.close(self._lock)

    def write(self, name: str, text: str) -> Path:
        """Write a file that only its owner can read, whole or not at all; returns its path. Raises DirectoryError."""
        file = self.path / name
        draft = self.path / f".{name}.new"
        try:
            draft.touch(mode=0o600)
            draft.write_text(text)
            draft.replace(file)
        except OSError as error:
            raise DirectoryError(f"{file} cannot be written ({error.strerror})") from error
        self._written.append(file)
        return file
