from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zlfeed.rtsp.messages import MAX_BODY, MAX_HEADER, Headers, Interleaved, Parser, Request, Response, RtspError

Message = Request | Response | Interleaved


def parse(pieces: Iterable[bytes]) -> tuple[list[Message], bool]:
    """The messages, and whether an RtspError ended them."""
    parser = Parser()
    messages: list[Message] = []
    try:
        for piece in pieces:
            messages.extend(parser.feed(piece))
    except RtspError:
        return messages, True
    return messages, False


def one(data: bytes) -> Message:
    (message,) = Parser().feed(data)
    return message


def refusal(data: bytes) -> RtspError:
    with pytest.raises(RtspError) as caught:
        list(Parser().feed(data))
    return caught.value


printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
names = st.from_regex(r"[a-z][a-z-]{0,11}", fullmatch=True).filter(lambda name: name != "content-length")
values = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=30).map(str.strip)
header_fields = st.dictionaries(names, values, max_size=4).map(Headers)
bodies = st.binary(max_size=60)


def with_length(message: Request | Response) -> Request | Response:
    """The message as it comes back: with the Content-Length that encode() adds."""
    if message.body:
        return type(message)(
            **{
                **{name: getattr(message, name) for name in message.__slots__},
                "headers": Headers({**message.headers, "content-length": str(len(message.body))}),
            }
        )
    return message


requests = st.builds(
    Request, st.from_regex(r"[A-Z][A-Z_]{0,10}", fullmatch=True), printable, header_fields, bodies
).map(with_length)
responses = st.builds(
    Response,
    st.integers(100, 599),
    header_fields,
    bodies,
    st.from_regex(r"[A-Za-z][A-Za-z ]{0,10}[a-z]", fullmatch=True),
).map(with_length)
frames = st.builds(Interleaved, st.integers(0, 255), st.binary(max_size=100))


def encoded(message: Message) -> bytes:
    if isinstance(message, Interleaved):
        return b"$" + bytes((message.channel,)) + len(message.data).to_bytes(2, "big") + message.data
    headers = {name: value for name, value in message.headers.items() if name != "content-length"}
    if isinstance(message, Request):
        return Request(message.method, message.url, Headers(headers), message.body).encode()
    return Response(message.status, headers, message.body, message.reason).encode()


@given(st.lists(st.one_of(requests, responses, frames), max_size=5), st.integers(1, 50))
def test_messages_come_back_however_the_bytes_are_cut(messages: list[Message], step: int) -> None:
    data = b"".join(map(encoded, messages))
    assert parse([data]) == (messages, False)
    assert parse(data[i : i + step] for i in range(0, len(data), step)) == (messages, False)


fragments = st.sampled_from(
    [
        b"OPTIONS rtsp://h/x RTSP/1.0\r\n", b"OPTIONS * RTSP/1.0\n", b"PLAY rtsp://h/\xc3\xa4 RTSP/1.0\r\n",
        b"RTSP/1.0 200 OK\r\n", b"RTSP/1.0 200 \xc3\x96k\r\n", b"GET / HTTP/1.1\r\n", b"CSeq: 1\r\n", b"CSeq: 2\n",
        b"Content-Length: 3\r\n", b"Content-Length: x\r\n", b"Session:\r\n", b": empty\r\n", b"\r\n", b"\n", b"\r",
        b"$\0\0\3abc", b"$\1\xff\xff", b"abc", b"\0", b"\t", b"\xff\xfe", b" ",
    ]
)  # fmt: skip


@given(st.lists(st.one_of(fragments, st.binary(max_size=8)), max_size=12).map(b"".join), st.integers(1, 30))
@example(b"PLAY rtsp://h/\xc3\xa4 RTSP/1.0\r\nCSeq: 1\r\n\r\n", 1)
@example(b"RTSP/1.0 200 \xc3\x96k\r\n\r\n", 1)
@example(b"OPTIONS * RTSP/1.0\r\r\n\r\n", 1)
def test_any_bytes_give_the_same_messages_or_the_same_refusal_however_they_are_cut(data: bytes, step: int) -> None:
    assert parse([data]) == parse(data[i : i + step] for i in range(0, len(data), step))


def test_lines_may_end_in_lf_and_blank_lines_may_come_between() -> None:
    data = b"\r\n\nOPTIONS * RTSP/1.0\nCSeq: 1\n\n\r\nPLAY * RTSP/1.0\r\nCSeq: 2\r\n\r\n"
    messages, refused = parse([data])
    assert [m.method for m in messages if isinstance(m, Request)] == ["OPTIONS", "PLAY"]
    assert not refused


def test_header_names_know_no_case_and_of_two_the_first_counts() -> None:
    message = one(b"OPTIONS * RTSP/1.0\r\ncSeQ:  7 \r\nCSeq: 8\r\n\r\n")
    assert isinstance(message, Request)
    assert message.headers == {"cseq": "7"}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("rtsp://h:8554/zerolatency", "zerolatency"),
        ("rtsp://h/zerolatency/", "zerolatency"),
        ("rtsp://[::1]:8554/a/b?x=1", "a/b"),
        ("rtsp://h/a%20b", "a b"),
        ("rtsp://h", ""),
        ("*", "*"),
        # What urllib refuses to split has no path.
        ("rtsp://[::1/zerolatency", ""),
        ("rtsp://h\u2100/x", ""),
    ],
)
def test_the_path_of_a_url(url: str, path: str) -> None:
    assert Request("DESCRIBE", url).path == path


@given(st.text(max_size=40))
def test_any_url_has_a_path(url: str) -> None:
    assert isinstance(Request("DESCRIBE", f"rtsp://{url}").path, str)
    assert isinstance(Request("DESCRIBE", url).path, str)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n",
        b"options * RTSP/1.0\r\n",
        b"OPTIONS * RTSP/1.0\r\nno colon\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nx: \xff\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: 1e3\r\n\r\n",
        "OPTIONS * RTSP/1.0\r\nContent-Length: ٣\r\n\r\n".encode(),
    ],
)
def test_what_is_no_rtsp_is_refused_as_a_bad_request(data: bytes) -> None:
    assert refusal(data).status == 400


def test_rubbish_is_refused_before_its_line_ends() -> None:
    assert refusal(b"\0\1\2\3").status == 400


def test_a_header_without_end_is_refused() -> None:
    start = b"OPTIONS * RTSP/1.0\r\nx: "
    assert parse([start + b"a" * (MAX_HEADER - len(start) - 1)]) == ([], False)
    assert refusal(start + b"a" * (MAX_HEADER - len(start))).status == 413
    assert refusal(start + b"a" * MAX_HEADER + b"\r\n\r\n").status == 413


def test_a_body_that_is_too_long_is_refused_before_it_is_here() -> None:
    head = b"SET_PARAMETER * RTSP/1.0\r\nCSeq: 9\r\nContent-Length: %d\r\n\r\n"
    assert parse([head % MAX_BODY]) == ([], False)
    error = refusal(head % (MAX_BODY + 1))
    assert (error.status, error.cseq) == (413, "9")
    # Python itself refuses to read numbers of more than 4300 digits.
    assert refusal(head.replace(b"%d", b"9" * 5000)).status == 400


def test_a_response_is_encoded_with_its_reason_and_length() -> None:
    assert Response(200, {"CSeq": "3"}, b"v=0").encode() == (
        b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 3\r\n\r\nv=0"
    )
    assert Response(404).encode() == b"RTSP/1.0 404 Not Found\r\n\r\n"
