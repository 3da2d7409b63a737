"""A sealed secret opens under its key and for its row, and for nothing else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.store.sealed import Keys, Sealed, SealedError

HEX = "07" * 32
KEYS = Keys.parse(HEX)
VECTOR = "AQEBAQEBAQEBAQEB7WkuImUgYCVG+J5dlztu/BGJ+uj1x41jobi5"


def test_the_format_is_iv_tag_ciphertext_in_base64() -> None:
    sealed = KEYS.seal(b"ghs_example", b"", random=lambda size: b"\1" * size)
    assert sealed.text == VECTOR
    assert KEYS.open(Sealed(KEYS.first_id, VECTOR), b"") == b"ghs_example"


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=40))
def test_a_sealed_secret_opens_to_the_same_bytes(secret: bytes, identity: bytes) -> None:
    assert KEYS.open(KEYS.seal(secret, identity), identity) == secret


@given(st.integers(0, len(base64.b64decode(VECTOR)) * 8 - 1))
def test_any_changed_bit_is_an_error(bit: int) -> None:
    wire = bytearray(base64.b64decode(VECTOR))
    wire[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealedError, match="was changed"):
        KEYS.open(Sealed(KEYS.first_id, base64.b64encode(wire).decode()), b"")


def test_it_opens_for_its_own_row_only() -> None:
    sealed = KEYS.seal(b"secret", b"row 1")
    for other in (b"row 2", b""):
        with pytest.raises(SealedError, match="another row"):
            KEYS.open(sealed, other)


@pytest.mark.parametrize("text", ["", "AQEB", base64.b64encode(bytes(27)).decode(), "not base64!"])
def test_a_malformed_sealed_secret_is_an_error_of_format(text: str) -> None:
    with pytest.raises(SealedError, match=r"at least 28|not base64"):
        KEYS.open(Sealed(KEYS.first_id, text), b"")


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(SealedError):
        KEYS.seal(b"", b"")


def test_the_first_key_seals_and_each_opens_what_it_sealed() -> None:
    old, new = "11" * 32, base64.b64encode(b"\x22" * 32).decode()
    sealed = Keys.parse(old).seal(b"secret", b"")
    both = Keys.parse(f"{new}, {old}")
    assert both.open(sealed, b"") == b"secret"
    assert both.seal(b"x", b"").key_id == Keys.parse(new).first_id != sealed.key_id
    with pytest.raises(SealedError, match="does not hold"):
        Keys.parse(new).open(sealed, b"")


@pytest.mark.parametrize("setting", ["", " , ", "07" * 31, "zz" * 32, "c2hvcnQ=", f"{HEX},x"])
def test_a_malformed_key_is_refused_without_being_quoted(setting: str) -> None:
    with pytest.raises(SealedError) as refused:
        Keys.parse(setting)
    assert HEX not in str(refused.value)
    assert HEX not in repr(KEYS)
