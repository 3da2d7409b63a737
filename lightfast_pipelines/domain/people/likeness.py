"""How alike two names are: the same, compatible (one person may write both), or in conflict."""

from __future__ import annotations

from enum import IntEnum

from lightfast_pipelines.domain.people.name_lists import GIVEN_NAMES, SHORT_FORMS
from lightfast_pipelines.domain.people.names import PersonName, forms, is_common_family

# In percent of the letters; one wrong letter in a name of nine.
_ALIKE = 88


class Likeness(IntEnum):
    CONFLICT = 0
    UNKNOWN = 1
    COMPATIBLE = 2
    SAME = 3


def likeness(left: PersonName, right: PersonName, handle: str = "") -> Likeness:
    """`handle` is what the two share besides: a login or the local part of an address."""
    if left.is_generic or right.is_generic:
        return Likeness.UNKNOWN
    if left.is_full and right.is_full:
        return full_likeness(left, right)
    if left.is_full or right.is_full:
        full, other = (left, right) if left.is_full else (right, left)
        return _word_of(other, full, handle)
    if left.word and left.word == right.word:
        return Likeness.SAME
    words = (left.word or "".join(left.words), right.word or "".join(right.words))
    if handle and any(handle in (word, _stem(word)) for word in words):
        return Likeness.COMPATIBLE
    return Likeness.COMPATIBLE if _begins(*words) else Likeness.CONFLICT


def full_likeness(left: PersonName, right: PersonName) -> Likeness:
    """The likeness of two full names."""
    if _same_words(left, right):
        return Likeness.SAME
    if (left.first, left.last) == (right.first, right.last):
        return Likeness.SAME if middles_agree(left, right) else Likeness.CONFLICT
    if first_names_agree(left.first, right.first) and left.last == right.last:
        return Likeness.COMPATIBLE
    if "".join(left.words).isascii() is not "".join(right.words).isascii():
        # `Nanako` and `ななこ` may be the same name.
        return Likeness.UNKNOWN
    if left.first == right.first and (left.last in right.words or right.last in left.words):
        return Likeness.COMPATIBLE
    if set(left.words) <= set(right.words) or set(right.words) <= set(left.words):
        return Likeness.COMPATIBLE
    return Likeness.COMPATIBLE if is_misspelled(left, right) else Likeness.CONFLICT


def _same_words(left: PersonName, right: PersonName) -> bool:
    return any(
        sorted(one) == sorted(other)
        for one in {left.words, left.spelled}
        for other in {right.words, right.spelled}
    ) or "".join(left.words) == "".join(right.words)


def middles_agree(left: PersonName, right: PersonName) -> bool:
    """The words before and after the first name agree if one has none, or each is the other's beginning."""
    return all(
        one.startswith(other) or other.startswith(one)
        for ours, theirs in zip(_around(left), _around(right), strict=True)
        for one, other in zip(ours, theirs, strict=False)
    )


def _around(name: PersonName) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Initials before the first name (`H. Peter Anvin`), and what stands between first and last."""
    at = name.words.index(name.first)
    return name.words[:at], name.words[at + 1 : -1]


def first_names_agree(left: str, right: str) -> bool:
    """The same, an initial, a known short form, or a beginning of three letters or more.

    Of two known names, one is no short form of the other by its beginning: `Daniel` and `Daniela`.
    """
    if left == right or left in SHORT_FORMS.get(right, ()):
        return True
    shorter, longer = sorted((left, right), key=len)
    if not longer.startswith(shorter) or len(shorter) == 2:
        return False
    return len(shorter) == 1 or not (shorter in GIVEN_NAMES and longer in GIVEN_NAMES)


def are_two_names(left: PersonName, right: PersonName) -> bool:
    """Whether what differs is known as two names: `Andrea` and `Andreas`, `Larson` and `Larsson`."""
    if left.first != right.first and {left.first, right.first} <= GIVEN_NAMES:
        return right.first not in SHORT_FORMS.get(left.first, ())
    return left.last != right.last and all(map(is_common_family, (left.last, right.last)))


def is_misspelled(left: PersonName, right: PersonName) -> bool:
    """One or two letters differ in names that are long enough for it."""
    one, other = "".join(left.words), "".join(right.words)
    if min(len(one), len(other)) < 8:
        return False
    # Different first letters are different names more often than mistakes: `Dan Lee`, `Ian Lee`.
    if left.first[0] != right.first[0] or left.last[0] != right.last[0]:
        return False
    from rapidfuzz import fuzz
    from rapidfuzz.distance import DamerauLevenshtein

    if fuzz.ratio(one, other, score_cutoff=_ALIKE) == 0:
        return False
    return DamerauLevenshtein.distance(one, other, score_cutoff=2) <= 2


def _word_of(other: PersonName, full: PersonName, handle: str) -> Likeness:
    """Whether a name that is not full may be the full one's: `Ann`, `alee`, `jstenar`, or a nickname."""
    word = other.word or "".join(other.words)
    if word in full.words or first_names_agree(word, full.first) or word in forms(full):
        return Likeness.COMPATIBLE
    if begins_a_form(word, full) or (handle and handle in (word, _stem(word))):
        return Likeness.COMPATIBLE
    return Likeness.CONFLICT


def begins_a_form(word: str, full: PersonName) -> bool:
    """`jstenar` and `epatters` begin what is made of initial and family name."""
    stem = _stem(word)
    return len(stem) >= 5 and any(form.startswith(stem) for form in forms(full))


def _stem(word: str) -> str:
    return word.rstrip("0123456789")


def _begins(left: str, right: str) -> bool:
    shorter, longer = sorted((left, right), key=len)
    return len(shorter) >= 4 and longer.startswith(shorter)
