from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zlfeed.rtsp.session import Session, SessionTable
from zlfeed.rtsp.stream import LiveStream
from zlfeed.rtsp.transport import TcpTransport, UdpTransport, parse


def test_proposals_keep_the_client_s_order_and_lose_what_we_cannot_serve() -> None:
    header = "RTP/AVP;multicast, RTP/AVP;unicast;client_port=4000-4001, RTP/SAVP, RTP/AVP/TCP;interleaved=2-3"
    assert list(parse(header)) == [UdpTransport((4000, 4001)), TcpTransport(2)]


@given(st.text(max_size=60), st.text("RTP/AVSTCUDP;,=-0123456789client_portinterleaved", max_size=60))
def test_any_header_gives_transports_with_ports_and_channels_in_range(wild: str, close: str) -> None:
    for transport in (*parse(wild), *parse(close), *parse("RTP/AVP/TCP;" + close), *parse("RTP/AVP;" + close)):
        if isinstance(transport, TcpTransport):
            assert 0 <= transport.channel <= 254
        else:
            assert all(1 <= port <= 65535 for port in transport.client_ports)


def test_sessions_are_found_by_ids_that_nobody_can_guess() -> None:
    table = SessionTable(limit=3)
    sessions = [Session(LiveStream("x"), TcpTransport(0)) for _ in range(3)]
    assert all(map(table.add, sessions))
    assert not table.add(Session(LiveStream("x"), TcpTransport(0)))
    pull = Session(LiveStream("x"), TcpTransport(0), pull=True)
    assert table.add(pull)
    table.remove(pull)
    assert [table.get(session.id) for session in sessions] == sessions
    assert len({session.id for session in sessions}) == 3
    # At least eight octets (RFC 2326 section 3.4).
    assert all(len(session.id) >= 8 for session in sessions)
    table.remove(sessions[0])
    table.remove(sessions[0])
    assert table.get(sessions[0].id) is None
    assert len(table) == 2


def test_one_address_cannot_have_all_sessions_and_this_machine_may() -> None:
    table = SessionTable(limit=5, limit_each=2)
    live = LiveStream("x")
    theirs = [Session(live, TcpTransport(0), owner="10.0.0.9") for _ in range(3)]
    assert [table.add(session) for session in theirs] == [True, True, False]
    assert table.add(Session(live, TcpTransport(0), owner="10.0.0.8"))
    assert table.add(Session(live, TcpTransport(0)))
    table.remove(theirs[2])  # never in it: it frees no place
    assert not table.add(theirs[2])
    table.remove(theirs[0])
    table.remove(theirs[0])
    assert table.add(theirs[2])
    assert not table.add(theirs[0])
