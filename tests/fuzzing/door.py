"""What is tried: a reader with a file that it reads."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzzing.mutations import Mutation, damage_bytes


@dataclass(frozen=True)
class Door:
    """A public function that reads a file.

    Args:
        name: Of the door.
        file: The file that is damaged, below the folder.
        make: Fills a folder with this file, and what else is read with it.
            Doors with the same function share a folder.
        read: Reads the folder; raises ``InputError`` for bad input.
        mutate: Damages the file.
    """

    name: str
    file: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]
    mutate: Mutation = damage_bytes
