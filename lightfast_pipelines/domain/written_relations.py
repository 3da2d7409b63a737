"""Finds relations that a person wrote in a text: closing words, references, duplicates, reverts.

The rules are GitHub's ("Linking a pull request to an issue using a keyword", "Autolinked references and
URLs", docs.github.com), except where the docstring of `read_links` says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from msgspec.structs import replace

from lightfast_pipelines.domain import key_categories, keys
from lightfast_pipelines.domain.events import Edge, Mention, Statement, TextScope, Thing
from lightfast_pipelines.domain.identifiers import find_candidates
from lightfast_pipelines.domain.markup import cover, excerpt, folded
from lightfast_pipelines.domain.references import TextReference, commit_named, find_references
from lightfast_pipelines.domain.reverts import Headline, Withdrawn

_SHA = re.compile(r"(?<![\w/.:@#=&?%+-])[0-9a-f]{7,40}(?![\w@-])(?!\.\w)")
# `actions/checkout@8e5e7e5`, as GitHub links it.
_SHA_OF_REPOSITORY = re.compile(
    r"(?<![\w./@-])[A-Za-z0-9][A-Za-z0-9_-]{0,38}/[A-Za-z0-9_.-]{1,100}@(?P<sha>[0-9a-f]{7,40})(?![\w@-])(?!\.\w)"
)
_FLOAT = re.compile(r"\d+e\d+$")
_ROLE = re.compile(
    r"(?<![\w/-])_{0,2}(?:(?P<fixes>close[sd]?|fix(?:e[sd])?|resolve[sd]?)"
    r"|(?P<duplicates>duplicates|duplicate[ \t]+of|dup(?:e|licate)?[ \t]+of|dup(?:e)?:))"
    r"[*_]{0,3}(?P<colon>[ \t]?:)?[*_]{0,3}(?P<gap>\s{0,8})[*_]{0,3}[\[<]?$",
    re.IGNORECASE,
)
# "Link pull requests", linear.app/docs/github: Linear has more closing words than GitHub, and words that
# only link an issue.
_ROLE_OF_LINEAR = re.compile(
    r"(?<![\w/-])(?:(?P<fixes>clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)"
    r"|complet(?:e[sd]?|ing)|implement(?:s|ed|ing)?)"
    r"|(?P<duplicates>duplicates|duplicate[ \t]+of|dup(?:e|licate)?[ \t]+of|dup(?:e)?:)"
    r"|(?P<links>refs?|references|part[ \t]+of|relat(?:es|ed)[ \t]+to|contributes[ \t]+to|towards?"
    r"|(?:linear[ \t-]+)?issue|linear))"
    r"\*{0,3}(?P<colon>[ \t]?:)?\*{0,3}(?P<gap>\s{0,8})\*{0,3}[\[(]?$",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\b(?:not|no|n't|possibl[ey]|potential(?:ly)?|maybe|perhaps|probabl[ey]|might be|may be|could be"
    r"|partial(?:ly)?)(?:[ \t]+(?:an?|the|be))?[ \t]+$",
    re.IGNORECASE,
)
_NEXT = re.compile(r"^\*{0,3}[\])]?(?:\s*(?:,|&|\+|\band\b)){0,2}\s*\*{0,3}\[?$", re.IGNORECASE)
_REVERTING = (
    r"(?<![\w/-])(?:revert(?:s|ed|ing)?|roll(?:s|ed|ing)?[ -]?back|back(?:s|ed|ing)?[ -]out)"
    r"(?:[ \t]+of)?(?:[ \t]+the)?(?:[ \t]+changes?(?:[ \t]+(?:made|introduced))?(?:[ \t]+(?:of|in|from|by))?)?"
)
_REVERTS_NUMBER = re.compile(
    _REVERTING
    + r"(?:[ \t]+(?:the[ \t]+)?(?:merge[ \t]+of[ \t]+)?(?:pull[ \t]+requests?|prs?|merge|commits?))?"
    r"\*{0,2}(?:[ \t]*:)?\*{0,2}(?:[ \t]+|[ \t]*\n[ \t]*)(?:[*-][ \t]+)?[(\[]?$",
    re.IGNORECASE,
)
_REVERTS = re.compile(
    _REVERTING
    + r"(?:[ \t]+(?:merge[ \t]+)?(?P<noun>commits?|changesets?|revisions?))?[ \t]*:?\s{1,8}"
    r"(?P<shas>[0-9a-f]{7,40}\b(?:(?:[ \t]*(?:,|&|\band\b)){1,2}\s{0,8}[0-9a-f]{7,40}\b)*)",
    re.IGNORECASE,
)
# Somebody else fixed it, or nobody has yet.
_NOT_REVERTING = re.compile(
    r"\b(?:not|n't|never|no|without|was|were|is|are|be|been|being|got|get|gets|should|could|would|might|may|maybe"
    r"|perhaps|possibly|consider|if|before|after|instead of)[ \t]+$",
    re.IGNORECASE,
)
_NEXT_REVERTED = re.compile(r"^\)?\s*\n[ \t]*[*-][ \t]+$")
_QUOTED_NUMBER_END = re.compile(r"\)[ \t]*$")
_MOST_CANDIDATES = 20
_LISTED_SHA = re.compile(r"[0-9a-f]{7,40}", re.IGNORECASE)
_LONGEST_EVIDENCE = 500
_CHERRY_PICKED = re.compile(r"\bcherry[ -]picked[ \t]+from[ \t]+commit[ \t]+([0-9a-f]{7,40})\b")


@dataclass(frozen=True, slots=True)
class Links:
    """The links of a text: directed edges, and mentions of commits."""

    edges: tuple[Edge, ...] = ()
    mentions: tuple[Mention, ...] = ()


class _Quoted:
    """The folded parts of a text (`<details>`) that quote others, above all release notes.

    Closing words in them do not count, and a bare number belongs to another project.
    """

    def __init__(self, statement: Statement, covered: str) -> None:
        self._spans: list[tuple[int, int]] = []
        if "<details" in covered.lower():
            author = statement.author
            by_robot = author is not None and author.kind == "bot"
            self._spans = folded(covered, by_robot=by_robot)

    def __contains__(self, position: int) -> bool:
        return any(start <= position < end for start, end in self._spans)

    def leaves_out(self, reference: TextReference, text: str) -> bool:
        return (
            reference.start in self
            and reference.kind == "number"
            and text[reference.start] in "#gG"
        )


def _role(text: str, reference: TextReference) -> tuple[str, int]:
    """The relation by the words before a reference (fixes, duplicates, reverts or references), and where
    those words begin; without such words, where the reference begins.
    """
    start = reference.start
    is_of_linear = reference.is_candidate or _is_of_linear_address(reference)
    pattern = _ROLE_OF_LINEAR if is_of_linear else _ROLE
    match = pattern.search(text, max(0, start - 40), start)
    if match is None or match["gap"].count("\n") > 1 or not (match["gap"] or match["colon"]):
        reverting = _REVERTS_NUMBER.search(text, max(0, start - 90), start)
        if reverting is None or _is_negated(text, reverting.start()):
            return "references", start
        return "reverts", reverting.start()
    if is_of_linear and match["links"]:
        return "references", match.start()
    if match["fixes"]:
        return "fixes", match.start()
    unsure = _UNSURE.search(text, max(0, match.start() - 24), match.start())
    return "references" if unsure else "duplicates", match.start()


def _is_negated(text: str, start: int) -> bool:
    return _NOT_REVERTING.search(text, max(0, start - 24), start) is not None


def _same(subject: Thing, thing: Thing, scope: TextScope | None) -> bool:
    mine = {subject.key, *subject.aliases}
    if thing.key in mine or not mine.isdisjoint(thing.aliases):
        return True
    if scope is None or not thing.aliases:
        return False
    number = thing.key.rpartition("#")[2]
    return subject.key in (
        keys.github_pull_request(scope.repository_id, number),
        keys.github_issue(scope.repository_id, number),
        keys.github_discussion(scope.repository_id, number),
    )


def _goes_on(role: str, gap: str) -> bool:
    """Whether a list continues after a reference with this role."""
    if role == "reverts" and _NEXT_REVERTED.match(gap):
        return True
    return role != "references" and gap.count("\n") <= 1 and _NEXT.match(gap) is not None


def _is_list(reference: TextReference, gap: str) -> bool:
    """`ENG-1/ENG-2`"""
    return reference.is_candidate and gap == "/"


def _names_reverted(text: str, reference: TextReference, headline: Headline) -> bool:
    """Whether a number in the title of a revert is the number of the reverted pull request.

    `Revert "Add a cart (#12)"`, `Revert "Merge pull request #12 from acme/cart"`. In
    `Reapply "Add a cart (#12)"` it is the number of the pull request that is applied again.
    """
    if headline.is_reapply or not headline.is_quoted or reference.end > headline.end:
        return False
    if _QUOTED_NUMBER_END.match(text, reference.end, headline.end):
        return True
    before = "merge pull request "
    if reference.start - headline.start != len(before):
        return False
    return text[headline.start : reference.start].lower() == before


def _unless(reverted_keys: set[str], edge: Edge) -> Edge | None:
    """The edge, weaker if the text itself reverts the fix."""
    if edge.type not in ("fixes", "resolves") or edge.object.key not in reverted_keys:
        return edge
    if edge.method == "text":
        return None  # an identifier in such a text means nothing
    return replace(edge, type="references", confidence=0.9)


def _is_of_sentry(thing: Thing) -> bool:
    return thing.key.startswith("sentry:")


def _is_of_linear_address(reference: TextReference) -> bool:
    return (
        reference.kind == "url"
        and reference.thing is not None
        and reference.thing.key.startswith("linear:")
    )


def _confidence(role: str, kind: str) -> float:
    if kind in ("identifier", "plain", "unlikely"):
        return 0.7 if role == "fixes" else 0.5
    return 0.9 if role == "references" else 1.0


def _reverted_commits(covered: str, withdrawn: Withdrawn) -> Iterator[tuple[str, int, int]]:
    """The ids of commits that the text says it reverts, with their positions."""
    for match in _REVERTS.finditer(covered):
        if match.start() in withdrawn or _is_negated(covered, match.start()):
            continue
        # The whole sentence is the evidence of each commit, unless it is a list of hundreds.
        is_short = match.end() - match.start() <= _LONGEST_EVIDENCE
        for listed in _LISTED_SHA.finditer(covered, match.start("shas"), match.end("shas")):
            sha = listed[0]
            # "Reverts defaced": a word, or a number, may consist of these characters alone.
            if match["noun"] or len(sha) == 40 or not (sha.isalpha() or sha.isdigit()):
                yield sha, *(match if is_short else listed).span()


def _commits_of(statement: Statement, text: str, covered: str, withdrawn: Withdrawn) -> Links:
    """Reverts and cherry-picks of commits, and mentions of commits by their ids."""
    edges: list[Edge] = []
    mentions: list[Mention] = []
    taken: set[str] = set()
    lowered = covered.lower()
    commits: list[tuple[str, str, int, int]] = []
    if "revert" in lowered or "roll" in lowered or "back" in lowered:
        commits += (("reverts", *reverted) for reverted in _reverted_commits(covered, withdrawn))
    if "cherry" in covered:
        picked = _CHERRY_PICKED.finditer(covered)
        commits += (("cherry_picks", match[1], match.start(), match.end()) for match in picked)
    subject_is_commit = key_categories.category_of(statement.subject.key) == "commit"
    for type_, sha, start, end in commits:
        taken.add(sha.lower())
        is_said = subject_is_commit or (type_ == "reverts" and statement.link_text is not None)
        edges.append(
            Edge(
                statement.subject,
                type_ if is_said else "references",
                commit_named(sha),
                1.0,
                "link",
                excerpt(text, start, end),
            )
        )
    sha_matches = [(match[0], match) for match in _SHA.finditer(covered)]
    if "@" in covered:
        sha_matches += [(match["sha"], match) for match in _SHA_OF_REPOSITORY.finditer(covered)]
    for sha, match in sha_matches:
        if sha in taken or sha.isdigit() or sha.isalpha() or _FLOAT.match(sha):
            continue
        evidence = excerpt(text, match.start(), match.end())
        confidence = 0.9 if len(sha) == 40 else 0.7
        mentions.append(Mention(commit_named(sha), "reference", evidence, confidence, "link"))
    mine = statement.subject.key
    return Links(
        tuple(edge for edge in edges if edge.object.key != mine),
        tuple(mention for mention in mentions if mention.thing.key != mine),
    )


def read_links(statement: Statement) -> Links:
    """Every relation in the statement's text, with the subject as its origin.

    Closing words (close, fix, resolve and their -s, -d forms, any case, an optional colon, then the
    reference) make `fixes`; `Duplicate of` and `duplicates` make `duplicates`; `Reverts`, where closing
    words count, makes `reverts`; any other reference makes `references`. Where `link_text` is None the
    title and content are read for references only. As on GitHub a negation does not matter ("doesn't fix
    #3" closes it), but a word in between does ("fixes issue #3", "fix for #3" are references).

    More counts than on GitHub: a list continues after its first item (`Fixes #1, #2 and #3`), the text of a
    link counts for its address, and `repo#5` counts in that repository. Less counts: closing words in
    folded release notes, in quotation marks, above all in the title of a revert (`Revert "Fixes #1"`), and
    those of a commit that a later one in the same list reverts. An issue that can only be Sentry's is
    resolved rather than fixed; `ABC-12` may be Linear's as well, so that stays open. Any other word in the
    form of an identifier is a candidate, which becomes an edge once an issue claims the name; for these,
    and for addresses of Linear's, Linear's own closing and linking words count too. Code, quotations and
    comments are ignored. Nothing relates to itself.
    """
    closing = statement.link_text is not None
    text = (
        statement.link_text
        if statement.link_text is not None
        else f"{statement.title}\n{statement.content}"
    )
    covered = cover(text)
    scope = statement.scope
    withdrawn = Withdrawn(covered)
    quoted = _Quoted(statement, covered)
    references = [
        reference
        for reference in find_references(covered, scope)
        if not quoted.leaves_out(reference, covered)
    ]
    edges = _relations(statement, text, covered, references, withdrawn, quoted)
    if closing or scope is not None or statement.source == "linear":
        may_hold = any(mark in covered for mark in ("-", "vercel.", "linear.app/"))
        candidates = (
            [TextReference(*candidate) for candidate in find_candidates(covered)]
            if may_hold
            else []
        )
        if candidates:
            # Inside a list of candidates, an identifier that needs a closing word to be certain is a candidate too.
            spans = {(candidate.start, candidate.end) for candidate in candidates}
            others = [
                reference
                for reference in references
                if (reference.start, reference.end) not in spans
            ]
            every = sorted((*others, *candidates), key=lambda item: (item.start, item.end))
            taken = {key for edge in edges for key in (edge.object.key, *edge.object.aliases)}
            more = _relations(statement, text, covered, every, withdrawn, quoted)
            edges += [edge for edge in more if _is_new_candidate(edge, taken)][:_MOST_CANDIDATES]
    if scope is None:
        return Links(tuple(edges))
    commits = _commits_of(statement, text, covered, withdrawn)
    return Links((*edges, *commits.edges), commits.mentions)


def _is_new_candidate(edge: Edge, taken: Set[str]) -> bool:
    """Whether it is a candidate that no certain reference of the same text names already."""
    return key_categories.is_candidate(edge.object.key) and taken.isdisjoint(edge.object.aliases)


def _relations(
    statement: Statement,
    text: str,
    covered: str,
    references: Iterable[TextReference],
    withdrawn: Withdrawn,
    quoted: _Quoted,
) -> list[Edge]:
    """The edge of each reference, by the words before it or the list that it continues."""
    closing = statement.link_text is not None
    edges: list[Edge] = []
    reverted_keys: set[str] = set()
    first_word = len(covered) - len(covered.lstrip())
    role, last_end, is_explicit = "references", -1, False
    for reference in references:
        if reference.start < last_end:
            continue  # the fragment of an address, or a number inside another form
        new_role, said_at = _role(covered, reference)
        new_explicit = said_at < reference.start
        if new_role == "references" and last_end >= 0 and reference.start - last_end <= 24:
            gap = covered[last_end : reference.start]
            if _goes_on(role, gap) or _is_list(reference, gap):
                new_role = role
            new_explicit |= is_explicit and _NEXT.match(gap) is not None
        if not closing or reference.start in quoted:
            new_role = "references"
        elif said_at in withdrawn:
            headline = withdrawn.headline_at(said_at)
            if new_role == "fixes" and headline is not None and reference.thing is not None:
                (reverted_keys.add if headline.takes_back else reverted_keys.discard)(
                    reference.thing.key
                )
            new_role = "references"
            if headline is not None and _names_reverted(covered, reference, headline):
                new_role = "reverts"
        elif new_role == "fixes" and reference.thing is not None:
            reverted_keys.discard(reference.thing.key)
        if reference.is_candidate and said_at in withdrawn:
            continue  # an identifier in a quotation means nothing
        if (reference.is_candidate and new_role == "reverts") or reference.kind == "address":
            new_role = "references"  # an issue cannot be reverted, nor a deployment closed
        around = (
            covered[reference.start - 1 : reference.start]
            + covered[reference.end : reference.end + 1]
        )
        if reference.kind == "identifier" and new_role == "references" and around != "[]":
            continue
        new_explicit |= around in ("[]", "()") or reference.start <= first_word
        if reference.kind == "unlikely" and not new_explicit:
            continue
        role, last_end, is_explicit = new_role, reference.end, new_explicit
        if reference.thing is None or _same(statement.subject, reference.thing, statement.scope):
            continue
        edges.append(
            Edge(
                statement.subject,
                "resolves" if role == "fixes" and _is_of_sentry(reference.thing) else role,
                reference.thing,
                _confidence(role, reference.kind),
                "text" if reference.kind == "identifier" or reference.is_candidate else "link",
                excerpt(text, reference.start, reference.end),
            )
        )
    if reverted_keys:
        kept = (_unless(reverted_keys, edge) for edge in edges)
        edges = [edge for edge in kept if edge is not None]
    return edges
