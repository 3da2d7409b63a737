"""Who is who on real histories: no quality is lost unnoticed, and the gold of others stays outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.quality.people import by_rule, count_pairs, mailmaps
from bench.quality.people_gold import judged_merges


def test_who_is_who_keeps_its_floor_on_real_histories(shared: Path) -> None:
    golds = mailmaps(shared / "corpus")
    counts = count_pairs([golds["ipython"], golds["git"]], by_rule)
    everybody = np.ones(len(counts.wanted), np.int64)
    assert counts.precision(everybody) >= 0.99
    assert counts.f1(everybody) >= 0.955


def test_judged_merges_have_a_verdict_and_a_reason_and_name_nobodys_address() -> None:
    judged = judged_merges()
    verdicts = [verdict for verdict, _ in judged.values()]
    assert len(verdicts) >= 200
    assert set(verdicts) <= {"right", "wrong", "unclear"}
    assert all(reason and "@" not in reason for _, reason in judged.values())
