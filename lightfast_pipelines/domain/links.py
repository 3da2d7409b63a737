"""Relations that a person wrote down: closing words, references, duplicates, reverts.

Read as GitHub reads them ("Linking a pull request to an issue using a keyword", "Autolinked
references and URLs", docs.github.com), wider only where the docstring of `read_links` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Edge, Mention, Statement, TextScope, Thing
from lightfast_pipelines.domain.identifiers import find_candidates, find_identifiers
from lightfast_pipelines.domain.markup import cover, excerpt
from lightfast_pipelines.domain.reverts import Headline, Withdrawn

# GitHub cuts long titles with an ellipsis, also in the middle of a number.
_NUMBER = re.compile(r"#([1-9]\d{0,8})(?!\w)(?!\.\d)(?!…)")
_QUALIFIER = re.compile(r"[\w./@-]{1,140}$")
_REPOSITORY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9_.-]{1,100}$")
_GH = re.compile(r"(?<![\w/-])(?:GH|gh)-([1-9]\d{0,8})(?!\w)")
_URL = re.compile(
    r"https?://(?P<host>[\w.-]+)/(?P<repository>[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9_.-]{1,100})/"
    r"(?:(?:issues|pull|discussions)/(?P<number>[1-9]\d{0,8})(?:/commits/(?P<pull_sha>[0-9a-f]{7,40}))?"
    r"|commit/(?P<sha>[0-9a-f]{7,40}))(?!\w)",
    re.IGNORECASE,
)
_SHA = re.compile(r"(?<![\w/.:@#=&?%+-])[0-9a-f]{7,40}(?![\w@-])(?!\.\w)")
_FLOAT = re.compile(r"\d+e\d+$")
_ROLE = re.compile(
    r"(?<![\w/-])(?:(?P<fixes>close[sd]?|fix(?:e[sd])?|resolve[sd]?)"
    r"|(?P<duplicates>duplicates|duplicate[ \t]+of|dup(?:e|licate)?[ \t]+of|dup(?:e)?:))"
    r"\*{0,3}(?P<colon>[ \t]?:)?\*{0,3}(?P<gap>\s{0,8})\*{0,3}\[?$",
    re.IGNORECASE,
)
# "Link pull requests", linear.app/docs/github: more words close an issue of Linear's than GitHub knows,
# and some only link it.
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
_LINK_TEXT = re.compile(r"\[(?:[\w./-]{0,140}#|GH-)\d{1,9}\]\($", re.IGNORECASE)
_IN_LINK_TEXT = re.compile(r"[^\[\]\n]{0,200}\]\(|</a>")
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
# Somebody else did it, or nobody yet.
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
    """What a text links to: directed edges, and commits it only names."""

    edges: tuple[Edge, ...] = ()
    mentions: tuple[Mention, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    thing: Thing | None
    kind: str  # number, url, commit, identifier; plain or unlikely for a candidate

    @property
    def is_candidate(self) -> bool:
        return self.kind in ("plain", "unlikely")


def _number(
    scope: TextScope | None, repository: str | None, number: str, host: str | None = None
) -> Thing | None:
    """A stub for an issue, pull request or discussion; `repository` None means the text's own."""
    home = scope.host if scope is not None else keys.GITHUB
    host = host or home
    same = scope is not None and (
        repository is None or (host == home and repository.lower() == scope.repository_name.lower())
    )
    if scope is not None and same:
        repository = scope.repository_name
    if repository is None:
        return None
    return Thing(
        key=keys.github_number_by_name(repository, number, host),
        name=f"{repository}#{number}",
        url=f"https://{host}/{repository}/issues/{number}",
        aliases=(keys.github_number_by_id(scope.repository_id, number),) if scope and same else (),
    )


def _commit(sha: str, url: str | None = None) -> Thing:
    if len(sha) == 40:
        return Thing(key=keys.github_commit(sha), url=url)
    return Thing(key=keys.github_short_sha(sha), name=sha.lower(), url=url)


def _numbers(text: str, scope: TextScope | None) -> Iterator[_Found]:
    for match in _NUMBER.finditer(text):
        start = match.start()
        before = text[start - 1] if start else " "
        if before in "&#=?@/%":  # an HTML entity, a fragment, a query
            continue
        repository = None
        if before.isalnum() or before in "_.-":
            qualifier = _QUALIFIER.search(text, max(0, start - 140), start)
            name = qualifier[0] if qualifier else ""
            if scope is not None and name.lower() in scope.repository_name.lower().split("/"):
                repository = scope.repository_name  # "starlette#12", as people say it
            elif _REPOSITORY.match(name) and not name.endswith("-"):
                repository = name
            else:
                continue
            start -= len(name)
        elif scope is not None and not scope.has_numbers:
            continue
        if _IN_LINK_TEXT.match(text, match.end()):  # the link's address says what is meant
            continue
        yield _Found(start, match.end(), _number(scope, repository, match[1]), "number")


def _urls(text: str, scope: TextScope | None) -> Iterator[_Found]:
    hosts = {keys.GITHUB, scope.host if scope is not None else keys.GITHUB}
    for match in _URL.finditer(text):
        # redirect.github.com is how bots quote foreign change logs without linking to them.
        host = match["host"].lower().removeprefix("www.")
        if host not in hosts:
            continue
        sha = match["sha"] or match["pull_sha"]
        if sha:
            yield _Found(match.start(), match.end(), _commit(sha, match[0]), "commit")
        else:
            thing = _number(scope, match["repository"], match["number"], host)
            shown = _LINK_TEXT.search(text, max(0, match.start() - 160), match.start())
            start = shown.start() if shown else match.start()
            yield _Found(start, match.end(), thing, "url")


def _find(text: str, scope: TextScope | None) -> list[_Found]:
    found: list[_Found] = []
    if "#" in text:
        found += _numbers(text, scope)
    if scope is not None and scope.has_numbers and ("GH-" in text or "gh-" in text):
        found += (
            _Found(m.start(), m.end(), _number(scope, None, m[1]), "number")
            for m in _GH.finditer(text)
            if not _IN_LINK_TEXT.match(text, m.end())
        )
    if "://" in text:
        found += _urls(text, scope)
    if "-" in text or "/issues/" in text:
        found += (_Found(*one) for one in find_identifiers(text))
    found.sort(key=lambda item: (item.start, item.end))
    return found


def _role(text: str, found: _Found) -> tuple[str, int]:
    """What the words before a reference make of it: fixes, duplicates, reverts or references.

    Beside it where those words begin: where the reference does, if there are none.
    """
    start = found.start
    is_of_linear = found.is_candidate or _is_of_linear_address(found)
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
    """Whether a list goes on after a reference with this role."""
    if role == "reverts" and _NEXT_REVERTED.match(gap):
        return True
    return role != "references" and gap.count("\n") <= 1 and _NEXT.match(gap) is not None


def _names_reverted(text: str, found: _Found, headline: Headline) -> bool:
    """Whether a number in the title of a revert is that of the pull request which it reverts.

    `Revert "Add a cart (#12)"`, `Revert "Merge pull request #12 from acme/cart"`; in
    `Reapply "Add a cart (#12)"` it is that of what comes back.
    """
    if headline.is_reapply or not headline.is_quoted or found.end > headline.end:
        return False
    if _QUOTED_NUMBER_END.match(text, found.end, headline.end):
        return True
    before = "merge pull request "
    if found.start - headline.start != len(before):
        return False
    return text[headline.start : found.start].lower() == before


def _unless(taken_back: set[str], edge: Edge) -> Edge | None:
    """The edge, weaker where the text itself takes back what it fixed."""
    if edge.type not in ("fixes", "resolves") or edge.object.key not in taken_back:
        return edge
    if edge.method == "text":
        return None  # an identifier that only stands there says nothing
    return replace(edge, type="references", confidence=0.9)


def _is_of_sentry(thing: Thing) -> bool:
    return thing.key.startswith("sentry:")


def _is_of_linear_address(found: _Found) -> bool:
    return found.kind == "url" and found.thing is not None and found.thing.key.startswith("linear:")


def _confidence(role: str, kind: str) -> float:
    if kind in ("identifier", "plain", "unlikely"):
        return 0.7 if role == "fixes" else 0.5
    return 0.9 if role == "references" else 1.0


def _reverted_commits(covered: str, withdrawn: Withdrawn) -> Iterator[tuple[str, int, int]]:
    """The ids of commits that the text says it reverts, and where it says so."""
    for match in _REVERTS.finditer(covered):
        if match.start() in withdrawn or _is_negated(covered, match.start()):
            continue
        # The whole sentence is each one's evidence, but not a list of hundreds.
        is_short = match.end() - match.start() <= _LONGEST_EVIDENCE
        for found in _LISTED_SHA.finditer(covered, match.start("shas"), match.end("shas")):
            sha = found[0]
            # "Reverts defaced": a word may be made of these letters alone, as may a number.
            if match["noun"] or len(sha) == 40 or not (sha.isalpha() or sha.isdigit()):
                yield sha, *(match if is_short else found).span()


def _commits_of(statement: Statement, text: str, covered: str, withdrawn: Withdrawn) -> Links:
    """Reverts and cherry-picks of a commit, and commits that a text names by their ids."""
    edges: list[Edge] = []
    mentions: list[Mention] = []
    taken: set[str] = set()
    found = [("reverts", *one) for one in _reverted_commits(covered, withdrawn)]
    if "cherry" in covered:
        picked = _CHERRY_PICKED.finditer(covered)
        found += (("cherry_picks", match[1], match.start(), match.end()) for match in picked)
    subject_is_commit = keys.category_of(statement.subject.key) == "commit"
    for type_, sha, start, end in found:
        taken.add(sha.lower())
        is_said = subject_is_commit or (type_ == "reverts" and statement.link_text is not None)
        edges.append(
            Edge(
                statement.subject,
                type_ if is_said else "references",
                _commit(sha),
                1.0,
                "link",
                excerpt(text, start, end),
            )
        )
    for match in _SHA.finditer(covered):
        sha = match[0]
        if sha in taken or sha.isdigit() or sha.isalpha() or _FLOAT.match(sha):
            continue
        evidence = excerpt(text, match.start(), match.end())
        confidence = 0.9 if len(sha) == 40 else 0.7
        mentions.append(Mention(_commit(sha), "reference", evidence, confidence, "link"))
    mine = statement.subject.key
    return Links(
        tuple(edge for edge in edges if edge.object.key != mine),
        tuple(mention for mention in mentions if mention.thing.key != mine),
    )


def read_links(statement: Statement) -> Links:
    """Every relation that the statement's text spells out, with the subject as its origin.

    Closing words (close, fix, resolve and their -s, -d forms, any case, an optional colon, then the
    reference) make `fixes`; `Duplicate of` and `duplicates` make `duplicates`; `Reverts`, where
    closing words count, makes `reverts`; any other reference makes `references`. Where `link_text` is
    None the title and content are read for references only. As on GitHub a negation does not matter
    ("doesn't fix #3" closes it), and a word between does ("fixes issue #3", "fix for #3" are
    references). Wider than GitHub: a list goes on after the first (`Fixes #1, #2 and #3`), the text of
    a link counts for its address, and `repo#5` in that very repository. Narrower: closing words in
    quotation marks, above all in the title of a revert (`Revert "Fixes #1"`), and those of a commit
    that a later one in the same list takes back. What can only be an issue of Sentry's is resolved
    rather than fixed; of `ABC-12`, which may be Linear's as well, nobody knows yet. Any other word of
    an identifier's form is a candidate, which is an edge only once an issue claims the name; for these,
    and for addresses of Linear's, Linear's own closing and linking words count too. Code, quotations
    and comments say nothing. Never a relation of a thing to itself.
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
    found = _find(covered, scope)
    edges = _relations(statement, text, covered, found, withdrawn)
    if closing or scope is not None or statement.source == "linear":
        candidates = [_Found(*one) for one in find_candidates(covered)] if "-" in covered else []
        if candidates:
            # What is sure alone only with a closing word goes on a list of candidates as one of them.
            spans = {(one.start, one.end) for one in candidates}
            others = [one for one in found if (one.start, one.end) not in spans]
            every = sorted((*others, *candidates), key=lambda item: (item.start, item.end))
            known = {key for edge in edges for key in (edge.object.key, *edge.object.aliases)}
            more = _relations(statement, text, covered, every, withdrawn)
            edges += [edge for edge in more if _is_new_candidate(edge, known)][:_MOST_CANDIDATES]
    if scope is None:
        return Links(tuple(edges))
    commits = _commits_of(statement, text, covered, withdrawn)
    return Links((*edges, *commits.edges), commits.mentions)


def _is_new_candidate(edge: Edge, known: Set[str]) -> bool:
    """What a sure form of the same text names already is no candidate as well."""
    return keys.is_candidate(edge.object.key) and known.isdisjoint(edge.object.aliases)


def _relations(
    statement: Statement, text: str, covered: str, every: Iterable[_Found], withdrawn: Withdrawn
) -> list[Edge]:
    """The edge of each reference, by the words before it or the list that it goes on."""
    closing = statement.link_text is not None
    edges: list[Edge] = []
    taken_back: set[str] = set()
    first_word = len(covered) - len(covered.lstrip())
    role, last_end, is_explicit = "references", -1, False
    for found in every:
        if found.start < last_end:
            continue  # the fragment of an address, or a number inside another form
        new_role, said_at = _role(covered, found)
        new_explicit = said_at < found.start
        if new_role == "references" and last_end >= 0 and found.start - last_end <= 24:
            gap = covered[last_end : found.start]
            if _goes_on(role, gap):
                new_role = role
            new_explicit |= is_explicit and _NEXT.match(gap) is not None
        if not closing:
            new_role = "references"
        elif said_at in withdrawn:
            headline = withdrawn.headline_at(said_at)
            if new_role == "fixes" and headline is not None and found.thing is not None:
                (taken_back.add if headline.takes_back else taken_back.discard)(found.thing.key)
            new_role = "references"
            if headline is not None and _names_reverted(covered, found, headline):
                new_role = "reverts"
        elif new_role == "fixes" and found.thing is not None:
            taken_back.discard(found.thing.key)
        if found.is_candidate and said_at in withdrawn:
            continue  # an identifier that only stands in a quotation says nothing
        if found.is_candidate and new_role == "reverts":
            new_role = "references"  # an issue is no change that could be taken back
        around = covered[found.start - 1 : found.start] + covered[found.end : found.end + 1]
        if found.kind == "identifier" and new_role == "references" and around != "[]":
            continue
        new_explicit |= around in ("[]", "()") or found.start <= first_word
        if found.kind == "unlikely" and not new_explicit:
            continue
        role, last_end, is_explicit = new_role, found.end, new_explicit
        if found.thing is None or _same(statement.subject, found.thing, statement.scope):
            continue
        edges.append(
            Edge(
                statement.subject,
                "resolves" if role == "fixes" and _is_of_sentry(found.thing) else role,
                found.thing,
                _confidence(role, found.kind),
                "text" if found.kind == "identifier" or found.is_candidate else "link",
                excerpt(text, found.start, found.end),
            )
        )
    if taken_back:
        kept = (_unless(taken_back, edge) for edge in edges)
        edges = [edge for edge in kept if edge is not None]
    return edges
