"""The text of an entity: most important first, and never too long."""

from __future__ import annotations

from datetime import UTC, datetime

from lightfast_pipelines.domain.narratives import NarratedEntity, NarratedEvent, narrate

AT = datetime(2024, 5, 1, tzinfo=UTC)


def entity(title: str, *, name: str = "Retry the payment") -> NarratedEntity:
    event = NarratedEvent(AT, "issue.opened", title)
    return NarratedEntity(
        *("issue", "linear:issue:1", name, AT, AT, 3, event),
        latest=[event] * 5,
        related=[("fixes", f"thing {number}") for number in range(9)],
    )


def test_it_names_three_events_and_five_related_entities() -> None:
    text = narrate(entity("Opened"))
    assert text.startswith(
        "issue: Retry the payment\nlinear:issue:1\n\nBegan 2024-05-01 issue.opened"
    )
    assert (text.count("Then "), text.count("fixes thing")) == (3, 5)


def test_what_does_not_fit_is_left_out_by_whole_lines_from_the_end() -> None:
    text = narrate(entity("long " * 100))
    assert len(text) <= 1_800
    assert text.splitlines()[-1].endswith("long ") or text.endswith("long ")
    assert "fixes" not in text
    assert len(narrate(entity("Opened", name="n" * 5_000))) == 1_800
