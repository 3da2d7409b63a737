"""What the receiver accepts once the signature is valid, and how a body is decoded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.providers.github import PROVIDER
from lightfast_pipelines.providers.github.webhooks.body import _unquoted
from lightfast_pipelines.providers.json_bounds import NESTING_LIMIT
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.webhook_contract import Accepted, Refused, Secret
from tests.providers.github.payloads import commit, delivery_headers, encoded, pull_request, push

SECRET = Secret("env:GITHUB_WEBHOOK_SECRET", b"secret")
FORM = {"content-type": "application/x-www-form-urlencoded"}
CONTENT_TYPES = (
    "application/json",
    "application/json; charset=utf-16",
    FORM["content-type"],
    "Application/X-WWW-Form-URLencoded; charset=latin-1",
)

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def offered(body: bytes, **more: str) -> Accepted | Refused:
    changes = {name.replace("_", "-"): value for name, value in more.items()}
    return PROVIDER.accept(body, {**delivery_headers("push", body), **changes}, [SECRET], now=NOW)


def refusal(answer: Accepted | Refused) -> tuple[int, str]:
    assert isinstance(answer, Refused)
    return answer.status, answer.message


@pytest.mark.parametrize("header", ["x-github-event", "x-github-delivery"])
@pytest.mark.parametrize("value", [None, "", "  ", "a\x00b", "a" * 201])
def test_a_verified_delivery_without_event_or_id_is_400_and_says_which(
    header: str, value: str | None
) -> None:
    headers = delivery_headers("push", b"{}")
    headers.pop(header)
    if value is not None:
        headers[header] = value
    status, message = refusal(PROVIDER.accept(b"{}", headers, [SECRET], now=NOW))
    assert status == 400
    assert header in message.lower()


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", ""]
)
def test_json_is_accepted_without_a_content_type(content_type: str) -> None:
    assert isinstance(offered(b'{"a":1}', content_type=content_type), Accepted)


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x"])
def test_another_content_type_is_400_and_says_what_was_expected(content_type: str) -> None:
    status, message = refusal(offered(b'{"a":1}', content_type=content_type))
    assert status == 400
    assert "application/json" in message
    assert content_type.partition(";")[0] in message


def test_a_form_carries_its_payload_in_a_field() -> None:
    body = urlencode({"payload": '{"title":"é & ü + 1"}'}).encode()
    assert isinstance(offered(body, content_type=FORM["content-type"]), Accepted)
    assert PROVIDER.decode(body, FORM) == {"title": "é & ü + 1"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"payload=%7B%7D&payload=%7B%7D", "1 more"),
        (b"payload=%7B%7D&", "1 more"),
        (b"payload=%7B%7D" + b"&a=1" * 1000, "1000 more"),
        (b"payload=%FF", "UTF-8"),
        (b"payload=\xff", "UTF-8"),
        (b"payload=%C0%AF", "UTF-8"),
        (b"payload=%7B%22a%22%3A1%2", "escape"),
        (b"payload=%7B%zz%7D", "escape"),
        (b"payload=", "empty"),
        (b"payload=%5B%5D", "JSON object"),
        (b"payload=payload=%7B%7D", "JSON object"),
        (b"payload=%7B%7D%0A%7B%7D", "JSON object"),
    ],
)
def test_a_form_without_one_good_payload_is_400(body: bytes, words: str) -> None:
    status, message = refusal(offered(body, content_type=FORM["content-type"]))
    assert status == 400
    assert words in message
    with pytest.raises(MalformedBody):
        PROVIDER.decode(body, FORM)


FORGED = urlencode({"payload": '{"forged":true}'}).encode()


@pytest.mark.parametrize("content_type", ["", *CONTENT_TYPES])
@pytest.mark.parametrize(
    "around",
    [
        b'{"comment":"a&%b"}',
        b'{"comment":"&%b&"}',
        b'\n\t {"comment":"a\\n&%b"}',
        b'{"a&%b&":1}',
        b'{"a":{"b":["%b"]}}',
    ],
)
def test_text_in_json_is_never_a_form_whatever_the_header_says(
    around: bytes, content_type: str
) -> None:
    body = around % FORGED
    assert isinstance(offered(body, content_type=content_type), Accepted)
    assert PROVIDER.decode(body, {"content-type": content_type}) == json.loads(body)


@pytest.mark.parametrize("content_type", ["", *CONTENT_TYPES])
@pytest.mark.parametrize(
    "body",
    [
        b'"' + FORGED + b'"',
        b'\xef\xbb\xbf{"comment":"&' + FORGED + b'"}',
        b'{"a":1}\n{"comment":"&' + FORGED + b'"}',
        b"[1]&" + FORGED,
        b"other=1&" + FORGED,
        b"&" + FORGED,
        b" " + FORGED,
        b"%70ayload=%7B%7D",
        b"Payload=%7B%7D",
        '{"comment":"&payload=%7B%7D"}'.encode("utf-16"),
        '{"comment":"&payload=%7B%7D"}'.encode("utf-16-le"),
        b'{"comment":"\xc0\xa2&payload=%7B%7D"}',
    ],
)
def test_a_body_that_is_neither_an_object_nor_the_form_is_not_read(
    body: bytes, content_type: str
) -> None:
    assert refusal(offered(body, content_type=content_type))[0] == 400
    with pytest.raises(MalformedBody):
        PROVIDER.decode(body, {"content-type": content_type})


@given(st.lists(st.sampled_from([b"%0A", b"%3d", b"=", b"\r\n", b" ", b"_", b"+", b"\xff", b"a"])))
def test_a_form_is_unquoted_as_forms_are(parts: list[bytes]) -> None:
    value = b"".join(parts)
    assert _unquoted(value) == unquote_to_bytes(value.replace(b"+", b" "))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"[]", "found an array"),
        (b"null", "found null"),
        (b"1", "found a number"),
        (b'"text"', "found a string"),
        (b"{", "JSON object"),
        (b'{"a":1} x', "JSON object"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":"\x00"}', "JSON object"),
        (b"\xef\xbb\xbf{}", "JSON object"),
        (b'{"a":"\xff"}', "UTF-8"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested too deeply"),
        (b'{"a":"\\ud800","b":' + b"[" * 300 + b"]" * 300 + b"}", "nested too deeply"),
    ],
)
def test_a_body_that_is_not_an_object_of_json_is_400_and_says_why(body: bytes, words: str) -> None:
    status, message = refusal(offered(body))
    assert status == 400
    assert words in message
    with pytest.raises(MalformedBody, match=words):
        PROVIDER.decode(body, {})


def test_nesting_up_to_the_limit_is_read_whatever_the_stack_it_is_read_from() -> None:
    arrays = NESTING_LIMIT - 1
    body = b'{"a":' + b"[" * arrays + b"]" * arrays + b"}"

    def deep(frames: int) -> dict[str, Any]:
        return deep(frames - 1) if frames else PROVIDER.decode(body, {})

    assert isinstance(offered(body), Accepted)
    assert deep(300) == json.loads(body)


def test_nul_and_lone_surrogates_are_accepted_and_become_replacement_characters() -> None:
    body = rb'{"a\u0000":"x\u0000y","b":["\ud800",{"c":"\udc00 \ud83d\ude00"}],"d":"\\u0000"}'
    assert isinstance(offered(body), Accepted)
    assert PROVIDER.decode(body, {}) == {
        "a\ufffd": "x\ufffdy",
        "b": ["\ufffd", {"c": "\ufffd \U0001f600"}],
        "d": "\\u0000",
    }


def test_numbers_out_of_range_are_accepted() -> None:
    body = b'{"a":1e999,"b":' + b"9" * 10_000 + b"}"
    assert isinstance(offered(body), Accepted)
    assert PROVIDER.decode(body, {}).keys() == {"a", "b"}


_PIECES = st.sampled_from(
    (
        *(b'"', b"\\", b"u0000", b"ud800", b"{", b"}", b"[", b"]", b",", b":", b"1", b"e9", b"-"),
        *(
            b".5",
            b" ",
            b"true",
            b"null",
            b'"a":',
            b'"\\ud83d\\ude00"',
            b"\xff",
            b"\xc3\xa9",
            b"\x00",
        ),
    )
)
_BODIES = st.lists(_PIECES, max_size=12).map(b"".join)


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    if isinstance(value, list):
        return [text for entry in value for text in texts(entry)]
    return [value] if isinstance(value, str) else []


@given(_BODIES, st.booleans())
def test_everything_that_the_receiver_accepts_and_nothing_else_is_decoded_to_storable_text(
    pieces: bytes, as_member: bool
) -> None:
    body = b'{"a":' + pieces + b"}" if as_member else pieces
    answer = offered(body)
    if isinstance(answer, Accepted):
        for text in texts(PROVIDER.decode(body, {})):
            assert "\x00" not in text
            text.encode()
    else:
        assert answer.status == 400
        with pytest.raises(MalformedBody):
            PROVIDER.decode(body, {})


def test_the_largest_body_that_github_sends_is_read() -> None:
    files = tuple(f"packages/shop/src/components/part-{number}.tsx" for number in range(20))
    commits = [commit(f"Change part {number}", modified=files) for number in range(2048)]
    described = pull_request("opened", number=5, body='[{,"' * 16_384)
    for event, payload in (("push", push(commits)), ("pull_request", described)):
        body = encoded(payload)
        form = urlencode({"payload": body}).encode()
        assert isinstance(offered(body, x_github_event=event), Accepted)
        assert isinstance(offered(form, x_github_event=event), Accepted)
        assert PROVIDER.decode(body, {}) == PROVIDER.decode(form, {}) == payload
