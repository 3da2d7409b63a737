"""Questions to the demo's story: the right observations come first, with the reason, or nothing does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lightfast_pipelines.search.results import SearchFilters, SearchResults
from lightfast_pipelines.search.search import BUDGETS
from lightfast_pipelines.store.database import Database
from tests.search.conftest import Search


def _titles(results: SearchResults) -> list[str]:
    return [hit.title for hit in results.hits]


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("guests are charged twice", "Guests are charged twice"),
        ("double charge at checkout", "Charge a checkout only once"),
        ("postcode lost when going back", "postcode"),
        ("idempotency key for charges", "idempotency key"),
        ("cart_items.cart_id", "Add an index on cart_items.cart_id"),
        ("rotate the session key", "Sign sessions with a key that rotates"),
        ("bump payments-sdk", "Bump payments-sdk"),
        ("DuplicateRefund", "DuplicateRefund"),
        ("failed deployments", "[Deployment Failed]"),
        ("how should guest checkout treat saved addresses", "saved addresses"),
    ],
)
def test_what_a_person_asks_for_is_among_the_first_hits(
    story: Search, question: str, title: str
) -> None:
    titles = _titles(story(question))

    assert any(title in each for each in titles), titles


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("#51", "Charge a checkout only once"),
        ("CHK-31", "Guests are charged twice"),
        ("STOREFRONT-1C", "DuplicateCharge"),
        ("v1.4.1", "1.4.1"),
    ],
)
def test_what_is_named_is_found_with_all_its_observations(
    story: Search, question: str, title: str
) -> None:
    results = story(question, limit=50)

    about = [hit for hit in results.hits if hit.subject in results.understood.things]
    assert about
    assert results.hits[0].subject in results.understood.things
    assert any(title in hit.title for hit in about)
    assert results.confidence == 1


@pytest.mark.parametrize(
    "question",
    [
        "kafka consumer lag in the shipping topic",
        "GDPR deletion requests leave rows in the audit ledger",
        "zzqx",
        "the and of",
    ],
)
def test_what_the_memory_does_not_know_is_not_found(story: Search, question: str) -> None:
    results = story(question)

    assert results.hits == ()
    assert results.nothing_found
    assert (results.total, results.facets[0].values) == (0, ())


def test_a_person_who_is_named_is_understood_and_preferred(story: Search) -> None:
    results = story("what did Hanne Berg review")

    assert results.understood.people == ("Hanne Berg",)
    assert results.hits[0].author == "Hanne Berg"


def test_a_time_bounds_all_hits(story: Search) -> None:
    results = story("guest checkout before the 1.4.0 release", limit=100)

    assert results.understood.before is not None
    assert results.hits
    assert all(hit.occurred_at < results.understood.before for hit in results.hits)


def test_a_phrase_is_in_every_hit(story: Search) -> None:
    results = story('"charged twice"', limit=100)

    assert results.hits
    assert all("charged twice" in f"{hit.title} {hit.snippet}".lower() for hit in results.hits)


def test_every_filter_holds_on_every_path(story: Search) -> None:
    """The question names an entity and a person, so that all paths find something."""
    filters = SearchFilters(
        sources=("github",),
        types=("pull-request", "commit.pushed"),
        people=("Mira Okafor",),
        since=datetime(2026, 5, 10, tzinfo=UTC),
        before=datetime(2026, 5, 19, tzinfo=UTC),
    )
    results = story("guest checkout by Mira Okafor in #43", filters=filters, limit=100)

    found = {report.path for report in results.paths if report.status == "found"}
    assert found == {"text", "vectors", "entities", "people", "clusters"}
    for hit in results.hits:
        assert hit.source == "github"
        assert hit.type == "commit.pushed" or hit.type.startswith("pull-request.")
        assert "Mira Okafor" in {hit.author, hit.actor}
        assert filters.since is not None
        assert filters.before is not None
        assert filters.since <= hit.occurred_at < filters.before


def test_facets_count_all_results_and_not_a_page(story: Search) -> None:
    results = story("guest checkout", limit=2)

    counted = {facet.name: sum(value.count for value in facet.values) for facet in results.facets}
    assert results.total > 2
    assert counted["source"] == results.total


def test_pages_follow_each_other_without_a_gap_or_a_repetition(story: Search) -> None:
    whole = [hit.id for hit in story("guest checkout", limit=60).hits]
    paged: list[str] = []
    cursor = None
    while len(paged) < 60:
        page = story("guest checkout", limit=7, cursor=cursor)
        paged += [hit.id for hit in page.hits]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert paged[:60] == whole
    assert len(set(paged)) == len(paged)


def test_a_hit_says_why_it_is_there(story: Search) -> None:
    hit = story("cart_items.cart_id index").hits[0]
    marked = {hit.title[span.start : span.end] for span in hit.spans if span.field == "title"}

    assert {"index", "cart", "items", "id"} <= marked
    assert "of the question's words" in hit.reason
    assert {rank.path for rank in hit.paths} >= {"text", "vectors"}
    assert hit.thread
    assert hit.cluster


def test_a_path_that_is_late_is_named_and_the_others_answer(
    story: Search, story_database: Database
) -> None:
    budgets = {**BUDGETS, "vectors": 20}
    with story_database.connect("migrator") as owner:
        owner.execute("LOCK TABLE lightfast.observation_vectors")
        # What describes the others' finds needs vectors as well, and waits as long.
        results = story("guest checkout", budgets=budgets)

    [vectors] = [report for report in results.paths if report.path == "vectors"]
    assert (vectors.status, vectors.detail) == ("late", "not done within 20 ms")
    assert results.hits


@pytest.mark.parametrize("mode", ["fast", "balanced"])
def test_every_mode_finds_what_was_asked_for(story: Search, mode: str) -> None:
    titles = _titles(story("guests are charged twice", mode=mode))

    assert any("charged twice" in title for title in titles[:3]), titles
