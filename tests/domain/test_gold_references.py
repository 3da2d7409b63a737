"""Compares relations that a person found in texts, before the rules were written, with the rules' results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.gold_references import (
    End,
    Made,
    Sent,
    Verdict,
    deliveries,
    disagreements,
    end,
    figures,
    is_said,
    read_labels,
    refused_at_the_door,
    repository_ids,
    with_ids,
)
from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Thing, Understood
from lightfast_pipelines.providers import discover


def _stated(sent: Sent, ids: Mapping[str, str]) -> Made | None:
    """The edges of its statements; None where there is no statement."""
    provider = discover()[sent.provider]
    reading = provider.read(sent.event, provider.decode(sent.body, {}))
    if not isinstance(reading, Understood) or not reading.statements:
        return None
    return [
        (_end(edge.subject, ids), edge.type, _end(edge.object, ids))
        for statement in reading.statements
        for edge in enrich(statement).edges
    ]


def _end(thing: Thing, ids: Mapping[str, str]) -> End:
    return end((thing.key, *thing.aliases), ids)


def test_the_rules_find_what_a_reader_found_and_nothing_that_only_looks_like_it(
    shared: Path,
) -> None:
    labels = read_labels()
    wanted = {label.file for label in labels}
    sent = {one.file: one for one in deliveries(shared) if one.file in wanted}
    gone = wanted - sent.keys() - refused_at_the_door()
    assert [file for file in gone if not file.startswith("demo:")] == []
    ids = repository_ids(sent.values())
    stated = {file: _stated(one, ids) for file, one in sent.items()}
    verdicts = [
        Verdict(label, sent[label.file].provider, made is not None, is_said(label, made or ()))
        for label in with_ids(labels, ids)
        if label.file in sent
        for made in (stated[label.file],)
    ]
    found = figures(verdicts)
    listed = [f"{v.label} made: {v.made}" for v in disagreements(verdicts)]
    assert found.found + found.missed >= 400, listed
    assert found.wrong + found.avoided >= 400, listed
    assert found.precision >= 0.99, listed
    assert found.recall >= 0.99, listed
