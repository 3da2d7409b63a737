"""Pinecone's own client against a local server: what is written is found, faults are told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from lightfast_pipelines.embedding.index import (
    Filters,
    IndexAway,
    IndexUnusable,
    RecordRefused,
    Tenant,
    VectorRecord,
)
from lightfast_pipelines.embedding.pinecone_index import PineconeIndex
from lightfast_pipelines.embedding.pinecone_names import namespace_of, vector_ids
from tests.embedding.pinecone_clients import (
    ACME,
    FAULTS,
    Connect,
    connect,
    record,
    served,
    vector,
    world,
)
from tests.servers.pinecone import KEY, PineconeWorld
from tests.servers.serving import Fault, Served

__all__ = ["connect", "served", "world"]


def found(index: PineconeIndex, filters: Filters = Filters(), k: int = 10) -> list[str]:  # noqa: B008
    hits = index.search(ACME, "observations", vector(1), k, model="m", filters=filters)
    return [hit.key for hit in hits]


def test_what_is_written_is_found_nearest_first_and_what_is_deleted_is_not(
    served: Served, connect: Connect
) -> None:
    index = connect(served)
    index.upsert(ACME, [record("far", 0, 1), record("near", 1, 0.1), record("between", 1, 1)])
    assert found(index) == ["near", "between", "far"]
    index.delete(ACME, ["near", "never written"])
    index.upsert(ACME, [record("far", 1)])
    assert found(index) == ["far", "between"]
    index.clear(index.namespace(ACME))
    assert found(index) == []


def test_a_thing_with_three_views_is_one_hit_with_its_best_view(
    served: Served, connect: Connect
) -> None:
    index = connect(served)
    index.upsert(
        ACME,
        [
            record("a1", 1, 1, key="a", view="title"),
            record("a2", 1, 0.1, key="a", view="content"),
            record("b", 1, 0.5, key="b", view="title"),
        ],
    )
    hits = index.search(ACME, "observations", vector(1), 2, model="m")
    assert [(hit.key, hit.view) for hit in hits] == [("a", "content"), ("b", "title")]


def test_filters_compare_times_as_numbers_and_people_by_all_their_identities(
    served: Served,
    connect: Connect,
) -> None:
    index = connect(served)
    may, june = datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
    index.upsert(
        ACME,
        [
            record("may", 1, occurred_at=round(may.timestamp() * 1000), identities=["github:1"]),
            record("june", 1, occurred_at=round(june.timestamp() * 1000), identities=["git:a"]),
            record("cluster", 1, layer="clusters"),
            record("other model", 1, model="n"),
        ],
    )
    assert set(found(index)) == {"may", "june"}
    assert found(index, Filters(since=may, before=june)) == ["may"]
    assert found(index, Filters(since=june)) == ["june"]
    assert set(found(index, Filters(identities=["github:1", "git:a"]))) == {"may", "june"}
    assert found(index, Filters(identities=["github:1"])) == ["may"]
    assert found(index, Filters(kinds=["commit.pushed"])) == []


def test_workspaces_stay_apart_even_if_their_names_differ_only_in_case(
    served: Served, connect: Connect
) -> None:
    index = connect(served)
    other = Tenant(2, "default", "Acme")
    index.upsert(ACME, [record("ours", 1)])
    index.upsert(other, [record("theirs", 1)])
    assert found(index) == ["ours"]
    index.clear(index.namespace(other))
    assert found(index) == ["ours"]


def test_names_of_namespaces_and_vectors_never_collide() -> None:
    tenants = [
        *(("a", "b"), ("A", "b"), ("a:b", ""), ("a", ":b"), ("a%3A", "b"), ("ä", "b"), ("", "")),
        *(("x" * 600, "b"), ("x" * 600, "B"), ("a_b", "c"), ("a-b", "c"), ("a", "b_c")),
    ]
    names = {namespace_of(*tenant) for tenant in tenants}
    assert len(names) == len(tenants)
    assert all(name.isascii() and 0 < len(name) <= 512 for name in names)
    keys = ["a-b", "a_b", "A_b", "ä", "x" * 900]
    assert len({vector_ids("entities", key) for key in keys}) == len(keys)
    assert vector_ids("observations", "V1") == (
        *("observations#V1#title", "observations#V1#content", "observations#V1#summary"),
    )


def test_many_vectors_are_sent_in_requests_of_bounded_size(
    served: Served, connect: Connect, world: PineconeWorld
) -> None:
    index = connect(served)
    snippet = "ü" * 18_000
    index.upsert(ACME, [record(f"v{number}", 1, snippet=snippet) for number in range(60)])
    assert len(world.namespaces[index.namespace(ACME)]) == 60
    sizes = [len(request.body) for request in served.asked if "upsert" in request.path]
    assert len(sizes) > 1
    assert max(sizes) < 2 * 1024 * 1024
    index.upsert(ACME, [record(f"v{number}", 1) for number in range(401)])
    assert served.count("/vectors/upsert") == len(sizes) + 3
    index.delete(ACME, [f"v{number}" for number in range(1_001)])
    assert served.count("/vectors/delete") == 2
    assert (index.usage.vectors["upsert"], index.usage.vectors["delete"]) == (461, 1_001)


def test_ids_are_listed_page_by_page_and_a_namespace_without_vectors_has_none(
    served: Served,
    connect: Connect,
) -> None:
    index = connect(served)
    assert list(index.ids(ACME)) == []
    index.delete(ACME, ["nothing"])
    index.upsert(ACME, [record(f"v{number:03}", 1) for number in range(250)])
    pages = list(index.ids(ACME))
    assert [len(page) for page in pages] == [100, 100, 50]
    assert sorted({key for page in pages for key in page}) == [f"v{n:03}" for n in range(250)]
    assert index.usage.units["list"] == 3


def test_an_index_of_another_dimension_or_metric_says_what_to_change(
    served: Served, connect: Connect, world: PineconeWorld
) -> None:
    connect(served).check(256)
    world.dimension = 1024
    with pytest.raises(
        IndexUnusable,
        match="the index lightfast has dimension 1024, the embedder makes 256: create an index with "
        "dimension 256 and metric cosine, set PINECONE_INDEX to its name, or choose an embedder of 1024",
    ):
        connect(served).check(256)
    world.dimension, world.metric = 256, "dotproduct"
    with pytest.raises(IndexUnusable, match=r"ranks by dotproduct.*metric cosine"):
        connect(served).check(256)
    world.tells_shape = False
    connect(served).check(256)


def test_an_answer_that_holds_the_key_is_shown_without_it(served: Served, connect: Connect) -> None:
    index = connect(served)
    told = {"code": 7, "message": f"Forbidden: api-key: {KEY}", "details": []}
    served.faults.append(Fault(status=403, body=told))
    with pytest.raises(IndexUnusable, match="Forbidden") as caught:
        index.check(256)
    assert KEY not in f"{caught.value} {index.usage.last_error}"


def test_a_missing_index_and_a_refused_key_say_what_to_change_without_the_key(
    served: Served,
    connect: Connect,
) -> None:
    with pytest.raises(
        IndexUnusable, match="has no index elsewhere: create it, or set PINECONE_INDEX"
    ):
        connect(served, index="elsewhere").check(256)
    with pytest.raises(IndexUnusable, match="check PINECONE_API_KEY") as refused:
        connect(served, key="pcsk_wrong_one").check(256)
    assert "pcsk_wrong_one" not in str(refused.value)
    with pytest.raises(IndexUnusable) as unreadable:
        connect(served, key="pcsk_with a line\n").check(256)
    assert "a line" not in str(unreadable.value)


def test_by_its_host_the_index_is_not_asked_for(
    served: Served, connect: Connect, world: PineconeWorld
) -> None:
    index = PineconeIndex(SecretStr(KEY), index="by-host", host=served.url)
    index.check(256)
    index.close()
    assert index.name == f"pinecone:by-host@{served.url.removeprefix('http://')}"
    assert served.count("/indexes/") == 0


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_means_that_the_index_is_away(
    name: str, served: Served, connect: Connect
) -> None:
    index = connect(served)
    index.check(256)
    served.faults.append(replace(FAULTS[name], match="/vectors/upsert"))
    with pytest.raises(IndexAway):
        index.upsert(ACME, [record("a", 1)])
    assert index.usage.failures == {"upsert": 1}
    served.faults.clear()
    index.upsert(ACME, [record("a", 1)])
    assert found(index) == ["a"]


def test_a_short_fault_is_absorbed_by_the_connect(served: Served, connect: Connect) -> None:
    index = connect(served)
    served.faults += [
        Fault("/vectors/upsert", status=429, headers={"retry-after": "0"}),
        Fault("/vectors/upsert", status=503),
    ]
    index.upsert(ACME, [record("a", 1)])
    assert served.count("/vectors/upsert") == 3
    assert found(index) == ["a"]


def test_a_vector_that_pinecone_refuses_is_told_apart_from_an_outage(
    served: Served, connect: Connect
) -> None:
    index = connect(served)
    zero = VectorRecord("zero", vector(), {"layer": "observations"})
    with pytest.raises(RecordRefused, match="non-zero"):
        index.upsert(ACME, [zero])
    with pytest.raises(RecordRefused, match="Metadata size"):
        index.upsert(ACME, [record("large", 1, title="x" * 50_000)])
