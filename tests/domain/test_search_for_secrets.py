"""The quick search that says "no secret here" misses nothing that masking would find."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.events import Thing
from lightfast_pipelines.domain.secrets.formats import may_hold_secret
from lightfast_pipelines.domain.secrets.masking import (
    _APART,
    _MOST_SEARCHED,
    MASK,
    _mask,
    _remember,
    _searched,
    mask,
    mask_text,
)
from lightfast_pipelines.domain.secrets.shapes import COMMON_SHAPES
from tests.domain.test_masking import LETTERS, SECRETS, SPOKEN

HEXADECIMAL = "0123456789abcdef"
UUID = "01234567-89ab-cdef-0123-456789abcdef"
# A token of each format whose piece of text is in many other texts.
OF_COMMON_SHAPES = [
    "pat" + LETTERS[:14] + "." + HEXADECIMAL * 4,
    "sat." + LETTERS[:22] + "." + (HEXADECIMAL * 2)[:24] + "." + LETTERS[:20],
    "st." + (HEXADECIMAL * 2)[:24] + "." + HEXADECIMAL * 2 + "." + HEXADECIMAL * 2,
    "s." + LETTERS[:24],
    "b." + LETTERS[:24],
    "prod:payments|" + LETTERS + LETTERS[:10],
    "0." + UUID + "." + LETTERS[:30] + ":" + LETTERS[:22] + "==",
    "1/" + HEXADECIMAL[:10] + "123456:" + HEXADECIMAL * 2,
    "M" + LETTERS[:23] + "." + LETTERS[:6] + "." + LETTERS[:30],
]
ALL_SECRETS = [*SECRETS.values(), *(line.replace("{}", "") for line in SPOKEN), *OF_COMMON_SHAPES]
# What could begin a secret at the end of one text, or swallow the beginning of one.
BEGINNINGS = [
    *("login", "login a", "login\nmira\npassword", "mysql", "mysqldump -u me", "Bearer", "basic"),
    *("password=", "password", "_authToken=", "--token", "https://a:b", "?sig=", "define('KEY',"),
    *("-----BEGIN PRIVATE KEY-----", "glpat-", "M", "1/", "%3d", "eyJ", "AKIA", "sk-", "…", "x"),
]


@pytest.mark.parametrize("secret", OF_COMMON_SHAPES)
def test_a_token_is_masked_although_its_piece_of_text_is_common(secret: str) -> None:
    assert mask_text(f"take {secret} here") == f"take {MASK} here"
    assert mask((f"take {secret} here",)) == (f"take {MASK} here",)


def test_every_common_shape_has_a_token_here_and_the_narrower_pattern_finds_it() -> None:
    for anchor, narrower, shape in COMMON_SHAPES:
        tokens = [token for token in OF_COMMON_SHAPES if re.fullmatch(shape, token)]
        assert tokens, shape
        for token in tokens:
            assert anchor in token
            assert re.search(narrower, token), token


@given(st.data(), st.sampled_from([row for row in COMMON_SHAPES if "(?" not in row[2]]))
def test_whatever_has_a_common_shape_passes_the_narrower_pattern(
    data: st.DataObject, row: tuple[str, str, str]
) -> None:
    anchor, narrower, shape = row
    token = data.draw(st.from_regex(shape, fullmatch=True))
    assert anchor in token
    assert re.search(narrower, token)


@given(
    st.lists(st.sampled_from(BEGINNINGS) | st.text(max_size=8), max_size=3),
    st.sampled_from(["", "(", '"', " ", "user: ", "login "]),
    st.sampled_from(ALL_SECRETS),
    st.integers(0, 30),
    st.sampled_from(["", "...", "…", " and more", "."]),
    st.lists(st.sampled_from(BEGINNINGS) | st.text(max_size=8), max_size=3),
)
def test_a_secret_is_found_whichever_texts_are_searched_together_with_it(
    before: list[str], around: str, secret: str, cut: int, end: str, after: list[str]
) -> None:
    text = f"{around}{secret[: len(secret) - cut]}{end}"
    if _mask(text)[0] != text:
        assert may_hold_secret(_APART.join([*before, text, *after]))
        assert mask((*before, text, *after))[len(before)] == mask_text(text) != text


def test_a_text_that_was_searched_alone_is_masked_where_another_text_shows_the_secret() -> None:
    secret = SECRETS["AWS"]
    key = f"github:label:7:{secret.lower()}"
    assert mask(Thing(key)) == Thing(key)
    assert mask((Thing(key), secret))[0] == Thing(f"github:label:7:akia{MASK}")


def test_texts_are_searched_again_after_the_memory_of_them_was_full() -> None:
    secret = SECRETS["GitHub"]
    assert mask(("clean", "also clean")) == ("clean", "also clean")
    _remember([f"text {number}" for number in range(_MOST_SEARCHED)])
    _remember(["one more"])
    assert _searched == {"one more"}
    assert mask(("clean", secret)) == ("clean", f"ghp_{MASK}")
