"""How many connections a port takes: for each address, and with a reserve for this machine."""

from __future__ import annotations

import gc
import socket
import warnings

import pytest

from zlfeed.doorway import LOCAL_RESERVE, Doorway, Limit

LIMIT = Limit(total=10, each=4)


def test_an_address_has_its_share_and_the_others_theirs() -> None:
    refused: list[str] = []
    doorway = Doorway(LIMIT, refused.append)
    assert [doorway.enter("10.9.0.7") for _ in range(6)] == ["10.9.0.7"] * 4 + [None, None]
    assert refused == ["10.9.0.7", "10.9.0.7"]
    assert doorway.enter("10.9.0.8") == "10.9.0.8"
    doorway.leave("10.9.0.7")
    assert doorway.enter("10.9.0.7") is not None
    # All of one IPv6 network are one.
    assert [doorway.enter(f"fd00:1:2:3::{n}") for n in range(1, 6)] == ["fd00:1:2:3::/64"] * 4 + [None]


def test_strangers_leave_places_for_this_machine() -> None:
    doorway = Doorway(LIMIT)
    assert sum(doorway.enter(f"10.9.{n}.1") is not None for n in range(20)) == LIMIT.total
    assert sum(doorway.enter("127.0.0.1") is not None for _ in range(40)) == LOCAL_RESERVE
    assert len(doorway) == LIMIT.total + LOCAL_RESERVE


def test_a_connection_counts_until_it_is_closed_or_forgotten() -> None:
    doorway = Doorway(Limit(total=2 - LOCAL_RESERVE, each=1))
    listener = socket.create_server(("127.0.0.1", 0))
    (guarded,) = doorway.guard([listener])
    assert listener.fileno() == -1, "there is one listener, not two"
    with guarded:
        guarded.setblocking(True)
        where = guarded.getsockname()
        clients = [socket.create_connection(where) for _ in range(3)]
        first, second = guarded.accept()[0], guarded.accept()[0]
        with pytest.raises(ConnectionAbortedError):
            guarded.accept()
        assert clients[2].recv(1) == b"", "it is told at once"
        assert len(doorway) == 2
        first.close()
        first.close()
        assert len(doorway) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del second
            gc.collect()
        assert len(doorway) == 0
        for client in clients:
            client.close()
