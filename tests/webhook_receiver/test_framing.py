"""The gate reads a head as another parser does, or refuses it."""

from __future__ import annotations

import httptools
from hypothesis import given
from hypothesis import strategies as st

from tests.depth import examples
from webhook_receiver.framing import Head, parse_head
from webhook_receiver.limits import Limits
from webhook_receiver.refusal import Refusal

_LINES = st.tuples(
    st.sampled_from(["x", "X-Id", "content-length", "Host", "connection", "x_y", "", "x ", " x"]),
    st.sampled_from([":", ": ", ":\t", " :", ""]),
    st.sampled_from(["0", "7", "+7", "", "close", "keep-alive", "é", "a: b", "a\tb", "\0", "7 "]),
    st.sampled_from(["\r\n"] * 9 + ["\n", "\r"]),
)
_TARGETS = st.sampled_from(["/", "/webhooks/github", "/a%2fb?x=y", "/a?b#c", "//x", "x", "/é", ""])


class Reader:
    """What httptools reads in a request."""

    def __init__(self, head: bytes) -> None:
        self.headers: list[tuple[str, str]] = []
        self.target = ""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(head)

    def on_url(self, url: bytes) -> None:
        self.target += url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))


def joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return {name: ", ".join(given) for name, given in values.items()}


def accepted(head: bytes) -> Head | None:
    try:
        return parse_head(head, Limits())
    except Refusal:
        return None


@examples(400)
@given(
    method=st.sampled_from(["POST", "GET", "post", "BREW"]),
    target=_TARGETS,
    version=st.sampled_from(["1.1", "1.0", "2.0"]),
    lines=st.lists(_LINES, max_size=5),
)
def test_a_head_that_is_accepted_means_the_same_to_another_parser(
    method: str, target: str, version: str, lines: list[tuple[str, str, str, str]]
) -> None:
    head = f"{method} {target} HTTP/{version}\r\n{''.join(map(''.join, lines))}\r\n"
    sent = head.encode("latin-1")
    if (ours := accepted(sent)) is None:
        return
    theirs = Reader(sent)
    assert ours.method == theirs.parser.get_method().decode()
    assert ours.target == theirs.target
    assert ours.headers == joined(theirs.headers)
    assert ours.is_last is not theirs.parser.should_keep_alive()
    without_body = Reader(ours.without_body())
    assert without_body.target == theirs.target
    assert accepted(ours.without_body()) is not None
