"""What a search is asked and what it answers, as the command prints it and an API can return it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Mode = Literal["fast", "balanced"]
PathName = Literal["text", "vectors", "entities", "people", "clusters"]
PathStatus = Literal["found", "nothing", "not asked", "late", "failed"]
PATHS: tuple[PathName, ...] = ("text", "vectors", "entities", "people", "clusters")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchFilters(_Model):
    """Conditions that every hit meets, on every path. Values of one list are alternatives."""

    sources: tuple[str, ...] = Field((), description="Providers: github, linear, sentry, vercel.")
    types: tuple[str, ...] = Field(
        (),
        description="Types of observations: pull-request.merged, or pull-request for all of them.",
    )
    people: tuple[str, ...] = Field(
        (), description="Who did it or wrote it: a login, an address, a name, or an actor's id."
    )
    since: datetime | None = Field(None, description="Happened at this time or later.")
    before: datetime | None = Field(None, description="Happened before this time.")
    least_significance: int | None = Field(None, ge=0, le=100, description="Significance at least.")
    as_known: datetime | None = Field(
        None, description="Only what had been received by then; names and clusters are today's."
    )


class UnderstoodQuery(_Model):
    """What the question was taken to mean."""

    words: str
    things: tuple[str, ...] = Field((), description="Keys of the entities that it names.")
    people: tuple[str, ...] = Field((), description="Names of the people that it names.")
    phrases: tuple[str, ...] = Field((), description="Phrases that every hit contains.")
    providers: tuple[str, ...] = Field((), description="Providers that are preferred.")
    types: tuple[str, ...] = Field((), description="Types that are preferred.")
    states: tuple[str, ...] = Field((), description="Changes that are preferred.")
    times: tuple[str, ...] = Field((), description="Words that were read as times.")
    since: datetime | None = None
    before: datetime | None = None
    unknown: tuple[str, ...] = Field((), description="Names that nothing in the workspace has.")


class PathRank(_Model):
    """Where a path had the hit."""

    path: PathName
    rank: int
    score: float


class MatchedSpan(_Model):
    """Letters of a hit's title or snippet that the question asks for."""

    field: Literal["title", "snippet"]
    start: int
    end: int


class SearchHit(_Model):
    """An observation with its place in the ranking, and why it is there."""

    id: str
    rank: int
    score: float
    title: str
    snippet: str
    source: str
    type: str
    occurred_at: datetime
    subject: str = Field(description="Key of the entity that it is about.")
    url: str | None
    author: str | None = Field(description="Whose work it is.")
    actor: str | None = Field(description="Who did it.")
    thread: str | None = Field(description="Key of its thread; null while it waits for one.")
    cluster: str | None = Field(description="Id of its cluster; null while it waits for one.")
    paths: tuple[PathRank, ...]
    spans: tuple[MatchedSpan, ...]
    reason: str


class PathReport(_Model):
    """How a path did. One that is late or failed adds nothing, and `detail` says why."""

    path: PathName
    status: PathStatus
    count: int = 0
    milliseconds: float = 0.0
    detail: str | None = None


class FacetValue(_Model):
    value: str
    count: int


class Facet(_Model):
    """How many of all results have each value, the most frequent first."""

    name: str = Field(description="source, type or person.")
    values: tuple[FacetValue, ...]


class RelatedCluster(_Model):
    id: str
    topic: str
    summary: str | None
    observations: int
    hits: int


class RelatedPerson(_Model):
    id: str
    name: str
    hits: int


class SearchResults(_Model):
    """The answer. Without hits, `nothing_found` says why."""

    query: str
    mode: Mode
    understood: UnderstoodQuery
    hits: tuple[SearchHit, ...]
    total: int = Field(description="Results in the ranking, over all pages.")
    is_cut: bool = Field(description="Whether more may fit than the ranking holds.")
    nothing_found: str | None = None
    confidence: float = Field(description="How likely the first hit answers the question, 0 to 1.")
    facets: tuple[Facet, ...]
    clusters: tuple[RelatedCluster, ...]
    people: tuple[RelatedPerson, ...]
    paths: tuple[PathReport, ...]
    next_cursor: str | None
    milliseconds: float
