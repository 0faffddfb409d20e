"""Whose socket is observed already: a mark on the socket itself, so that no connection is observed twice."""

from typing import Any

_MARK = "_livemeter_observed"


def claim(socket: Any) -> bool:
    """Mark a socket as observed; False when it was marked before, or cannot be marked at all."""
    if is_claimed(socket):
        return False
    try:
        setattr(socket, _MARK, True)
    except AttributeError:
        return False
    return True


def release(socket: Any) -> None:
    """Take the mark away: the socket is observed no more."""
    if is_claimed(socket):
        delattr(socket, _MARK)


def is_claimed(socket: Any) -> bool:
    """Whether somebody observes this socket. Something that stands in for it and forwards says the same."""
    return getattr(socket, _MARK, False) is True
