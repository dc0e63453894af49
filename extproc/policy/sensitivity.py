"""Data classes: how sensitive a call is, and how much a provider may be trusted with. An ordered, closed list."""

from enum import IntEnum


class DataClass(IntEnum):
    """From least to most sensitive. A call may go to providers whose class is at least its own."""

    PUBLIC = 0
    INTERNAL = 1
    CONFIDENTIAL = 2
    RESTRICTED = 3


def named(name: str) -> DataClass:
    """The class of a policy's word ("confidential"). Raises KeyError for any other."""
    return DataClass[name.upper()]


def word(level: DataClass) -> str:
    """The policy's word for a class."""
    return level.name.lower()


def of_claim(said: str) -> DataClass:
    """The class a token's claim names. Without a claim nothing is known; a word that is none of ours is not guessed."""
    if not said:
        return DataClass.PUBLIC
    return DataClass.__members__.get(said.upper(), DataClass.RESTRICTED)
