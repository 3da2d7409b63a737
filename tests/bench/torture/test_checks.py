"""The torture's checks see each kind of loss, and nothing where nothing is wrong."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bench.torture import checks
from bench.torture.deliveries import Planned, plan
from bench.torture.memory import Memory, Stored
from bench.torture.sender import Answered, SendingReport

SENT = [each for each in plan(7, 40, 1.0) if not each.is_refused and not each.copy][:5]
STATUS = {
    "deliveries": {"received": 0, "processed": 4, "parked": 1},
    "given_up_by_stages": {"embeddings": 0},
    "clocks": {"deliveries_on_days_to_come": 0},
}


def answered(planned: Planned, status: int = 200) -> Answered:
    return Answered(planned, planned.scene.body, 1.0, 2.0, 1, status)


def key(planned: Planned) -> Stored:
    scene = planned.scene
    return scene.provider, scene.delivery_id, hashlib.sha256(scene.body).digest()


def memory(stored: Iterable[Planned] = SENT) -> Memory:
    keys = Counter(key(each) for each in stored)
    outcomes = {each: [("north/harbor", "processed", None)] for each in keys}
    return Memory(keys, 0, outcomes, 0, 0, 0, {"entities": Counter(["one", "two"])})


def report() -> SendingReport:
    return SendingReport(answered=[answered(each) for each in SENT])


def status(**sections: Any) -> dict[str, Any]:
    return {**STATUS, **sections}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    found = memory()
    assert not [
        *checks.sending_faults(report()),
        *checks.loss_faults(report(), found),
        *checks.outcome_faults(found, memory()),
        *checks.digest_faults({"entities": "a"}, {"entities": "a"}),
        *checks.differences(found, memory()),
        *checks.status_faults(status(), found),
    ]


def test_a_delivery_that_was_answered_is_missed_and_one_that_was_not_is_noticed() -> None:
    (missing,) = checks.loss_faults(report(), memory(SENT[1:]))
    assert missing.startswith("1 answered and not stored")
    unknown = SendingReport(answered=[answered(each) for each in SENT[1:]])
    (stranger,) = checks.loss_faults(unknown, memory())
    assert stranger.startswith("1 stored and never answered")
    refused = SendingReport(answered=[answered(SENT[0], 401), *unknown.answered])
    assert list(checks.loss_faults(refused, memory())) == [stranger]


def test_a_delivery_that_is_stored_twice_or_with_other_bytes_is_noticed() -> None:
    (twice,) = checks.loss_faults(report(), memory([*SENT, SENT[0]]))
    assert twice.startswith("1 stored twice")
    (changed,) = checks.loss_faults(report(), replace(memory(), changed_bodies=2))
    assert changed.startswith("2 bodies")


def test_an_unanswered_delivery_and_an_unexplained_answer_are_noticed() -> None:
    bad = SendingReport(unanswered=SENT[:2], unexpected=["answered 500"])
    unanswered, unexpected = checks.sending_faults(bad)
    assert unanswered.startswith("2 deliveries were never answered")
    assert unexpected.startswith("1 answers that no fault explains")


def test_outcomes_that_are_missing_doubled_or_different_are_noticed() -> None:
    other = {**memory().outcomes, key(SENT[0]): [("north/harbor", "dead", "x")]}
    found = replace(memory(), waiting=1, without_outcome=2, twice=3, outcomes=other)
    waiting, without, twice, different = checks.outcome_faults(found, memory())
    assert waiting.startswith("1 deliveries are still waiting")
    assert without.startswith("2 deliveries have no outcome")
    assert twice.startswith("3 deliveries have two outcomes")
    assert different.startswith("1 outcomes differ")


def test_another_digest_is_noticed_with_the_rows_that_differ() -> None:
    (digest,) = checks.digest_faults({"entities": "a"}, {"entities": "b", "people": "c"})
    assert "entities, people" in digest
    found = replace(memory(), rows={"entities": Counter(["one", "one"])})
    assert list(checks.differences(found, memory())) == ["entities: 2 rows", "+ one", "- two"]


def test_a_status_that_disagrees_with_the_tables_is_noticed() -> None:
    wrong = status(
        deliveries={"received": 3, "processed": 1},
        given_up_by_stages={"embeddings": 1},
        clocks={"deliveries_on_days_to_come": 4},
    )
    assert len(list(checks.status_faults(wrong, memory()))) == 4
