"""The receiver builds nothing of a body, capture builds it once, within limits; both read the same values."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.providers import json_body
from lightfast_pipelines.providers.json_bounds import MOST_VALUES, NESTING_LIMIT
from lightfast_pipelines.providers.malformed_body import MalformedBody


class _Envelope(msgspec.Struct):
    type: msgspec.Raw = msgspec.Raw()
    id: msgspec.Raw = msgspec.Raw()


ENVELOPE = msgspec.json.Decoder(_Envelope)


def at_the_door(body: bytes) -> dict[str, Any]:
    found = json_body.fields(body, ENVELOPE)
    return {"type": json_body.plain(found.type), "id": json_body.plain(found.id)}


def in_capture(body: bytes) -> dict[str, Any]:
    payload = json_body.payload(body)
    plain = {name: payload.get(name) for name in ("type", "id")}
    return {n: v if isinstance(v, str | int | float) else None for n, v in plain.items()}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"type":"a","type":"b"}', "b"),
        (b'{"type":"a","typ\\u0065":"b"}', "b"),
        (b'{"typ\\u0065":"a","type":"b"}', "b"),
        (b'{"type":"a","type":{"type":"c"}}', None),
        (b'{"type":["a"],"type":"b"}', "b"),
        (b'{"type":"a","type":null}', None),
        (b'{"Type":"a","type ":"b"}', None),
        (b'{"data":{"type":"a"},"x":[{"type":"b"}]}', None),
        (b'{"type":"a\\u0062\\/"}', "ab/"),
        (b'{"type":1.0}', 1.0),
        (b'{"type":1e999}', float("inf")),
        (b'{"type":true}', True),
        (b'{"type":' + b"9" * 30 + b"}", 10**30 - 1),
    ],
)
def test_receiver_and_capture_agree_on_a_name_that_appears_twice_or_is_escaped(
    body: bytes, kind: object
) -> None:
    assert at_the_door(body)["type"] == in_capture(body)["type"] == kind


_NAMES = st.sampled_from(['"type"', '"id"', '"typ\\u0065"', '"other"', '"\\u0069d"', '"Type"'])
_TEXTS = st.text(max_size=5).map(json.dumps)
_PLAIN = _TEXTS | st.integers().map(str) | st.floats(allow_nan=False).map(json.dumps)
_ANY = st.recursive(
    _PLAIN | st.sampled_from(["null", "true", '"\\ud800"']),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | st.tuples(_NAMES, inner).map(lambda pair: f"{{{pair[0]}:{pair[1]}}}")
    ),
    max_leaves=4,
)


@given(st.lists(st.tuples(_NAMES, _ANY), max_size=5))
def test_receiver_and_capture_agree_whatever_the_names_and_their_order(
    members: list[tuple[str, str]],
) -> None:
    inner = ",".join(f"{name}:{value}" for name, value in members)
    body = f"{{{inner}}}".replace("Infinity", "1e999")
    expected = in_capture(body.encode())
    found = at_the_door(body.encode())
    for name, value in expected.items():
        # The receiver only knows that a text with half a surrogate pair is not a name.
        odd = isinstance(value, str) and "\ufffd" in value
        assert isinstance(found[name], str) if odd else found[name] == value


def wide(values: int) -> bytes:
    """An object that holds an array, with this many values in total."""
    return b'{"a":[' + b"0," * (values - 3) + b"0]}"


OVER = {
    "values": lambda: wide(MOST_VALUES + 1),
    "empty arrays": lambda: b'{"a":[' + b"[]," * MOST_VALUES + b"[]]}",
    "objects in objects": lambda: b'{"a":[' + b'{"a":{}},' * (MOST_VALUES // 2) + b"0]}",
    "one name again and again": lambda: b"{" + b'"a":1,' * MOST_VALUES + b'"a":1}',
    "after half a surrogate pair": lambda: b'{"\\ud800":[' + b"0," * MOST_VALUES + b"0]}",
    "between escaped backslashes": lambda: (
        b'{"a":"\\\\",' + b'"b":[' + b"0," * MOST_VALUES + b'0],"c":"\\\\"}'
    ),
}
# Texts that look like values, also at the edges of the pieces that are read at once.
UNDER = {
    "exactly as many": lambda: wide(MOST_VALUES),
    "commas": lambda: b'{"a":"' + b"," * (2 * MOST_VALUES) + b'"}',
    "escaped quotes": lambda: b'{"a":"' + b'\\",[' * MOST_VALUES + b'"}',
    "escaped backslashes": lambda: b'{"a":[' + b'",,,,",' * (MOST_VALUES // 4) + b'""]}',
}


@pytest.mark.parametrize("name", OVER)
def test_a_body_with_too_many_values_is_stored_and_not_built(name: str) -> None:
    body = OVER[name]()
    json_body.check(body)
    with pytest.raises(MalformedBody, match=f"more values than .* {MOST_VALUES:,}"):
        json_body.payload(body)


@pytest.mark.parametrize("name", UNDER)
def test_separators_in_texts_do_not_count(name: str) -> None:
    body = UNDER[name]()
    json_body.check(body)
    assert json_body.payload(body)


@pytest.mark.parametrize("filling", [b"", b"x" * 100_000])
@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"]":', b"}]")]
)
def test_levels_are_counted_without_brackets_in_texts(
    opening: bytes, closing: bytes, filling: bytes
) -> None:
    each = opening.count(b"[") + opening.count(b"{")
    times = (NESTING_LIMIT - 1) // each
    text = b'"' + filling + b"[" * 1000 + b'\\"]"'

    def nested(count: int) -> bytes:
        return b'{"t":%b,"a":%b}' % (text, opening * count + b"1" + closing * count)

    assert json_body.payload(nested(times))
    with pytest.raises(MalformedBody, match=f"nested too deeply, beyond {NESTING_LIMIT} levels"):
        json_body.payload(nested(times + 1))
    many = b'{"a":[' + b"[[1]]," * 1000 + b"1]}"
    assert json_body.payload(many)


def test_a_large_deep_body_is_stored_and_capture_names_the_limit() -> None:
    body = b'{"t":"' + b"x" * 100_000 + b'","a":' + b"[" * 300 + b"]" * 300 + b"}"
    json_body.check(body)
    with pytest.raises(MalformedBody, match="beyond 256 levels"):
        json_body.payload(body)


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f\x98"])
@pytest.mark.parametrize("before", [0, 256 * 1024 - 8, 256 * 1024 - 7, 1_000_000])
def test_the_position_of_an_invalid_utf_8_byte_is_reported(before: int, bad: bytes) -> None:
    body = b'{"a":"' + b"x" * before + "é".encode() + bad + b'"}'
    at = body.index(bad)
    for read in (json_body.check, json_body.payload):
        with pytest.raises(MalformedBody, match=f"byte {at} is not"):
            read(body)


def test_many_characters_of_several_bytes_are_read_across_pieces() -> None:
    text = "😀é" * 100_000
    body = json.dumps({"a": text}, ensure_ascii=False).encode()
    json_body.check(body)
    assert json_body.payload(body) == {"a": text}


def test_numbers_of_any_length_are_read_quickly() -> None:
    body = b'{"a":%b,"b":0.%b}' % (b"9" * 1_000_000, b"9" * 1_000_000)
    json_body.check(body)
    assert json_body.payload(body) == {"a": float("inf"), "b": 1.0}
