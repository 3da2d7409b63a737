"""Which runs are asked for, as a decision over facts."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.inbox.pending import DayWork
from lightfast_pipelines.resources.database import RUN_KINDS
from lightfast_pipelines.sensors.choice import (
    MAX_RANGE_DAYS,
    AtWork,
    Choice,
    RangeRequest,
    Turns,
    choose_ranges,
)

TODAY = date(2024, 6, 30)
START = date(2008, 1, 1)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def choose(
    work: list[DayWork],
    at_work: AtWork | None = None,
    *,
    run_rows: int = 20_000,
    turns: Turns | None = None,
) -> Choice:
    return choose_ranges(
        work,
        first_day=START,
        today=TODAY,
        run_rows=run_rows,
        at_work=at_work or AtWork(),
        turns=turns or Turns(),
    )


def deliveries(*days: date) -> list[DayWork]:
    return [DayWork(day, deliveries=1) for day in days]


def test_no_run_is_requested_when_nothing_waits() -> None:
    assert choose([]) == Choice((), "nothing waits")


def test_today_is_requested_before_the_backlog_and_in_a_run_of_its_own() -> None:
    choice = choose(deliveries(ago(40), ago(3), ago(1), TODAY))
    assert choice.requests == (
        RangeRequest("recent", ago(1), TODAY),
        RangeRequest("backlog", ago(40), ago(3)),
    )


def test_a_year_of_waiting_days_is_a_handful_of_ranges() -> None:
    waiting = deliveries(*(ago(n) for n in range(366)))
    asked = 0
    while waiting:
        requests = choose(waiting).requests
        asked += len(requests)
        waiting = [
            day for day in waiting if not any(r.first <= day.day <= r.last for r in requests)
        ]
    assert asked <= 5


def test_tenants_take_turns_with_their_older_days() -> None:
    year = [DayWork(ago(n), deliveries=1_000) for n in range(365, 1, -1)]
    turns = Turns({1: ago(365), 2: ago(40), 3: ago(9)})
    begun = []
    for _ in range(6):
        choice = choose(year, turns=turns, run_rows=10_000)
        [request] = choice.requests
        begun.append(request.first)
        assert (request.last - request.first).days <= 9
        assert choice.served is not None
        turns = Turns(turns.oldest, turns.after(choice.served))
    assert begun == [ago(365), ago(40), ago(9)] * 2


def test_an_older_day_with_work_for_later_stages_only_gets_its_turn() -> None:
    work = [DayWork(ago(300), unembedded=5), *deliveries(ago(200), ago(30))]
    turns = Turns({1: ago(200), 2: ago(30)})
    begun = []
    for _ in range(3):
        choice = choose(work, turns=turns)
        assert choice.served is not None
        begun.append(choice.requests[0].first)
        turns = Turns(turns.oldest, turns.after(choice.served))
    assert begun == [ago(200), ago(30), ago(300)]


def test_a_turn_is_not_used_up_when_no_run_is_requested() -> None:
    at_work = AtWork(queued=frozenset({"backlog"}))
    assert choose(deliveries(ago(30)), at_work, turns=Turns({1: ago(30)})).served is None


def test_turns_are_kept_only_for_lanes_with_waiting_work() -> None:
    turns = Turns({2: ago(30)}, {1: 4, 2: 7})
    assert turns.after(2) == {2: 8}


def test_a_range_names_no_more_rows_than_a_run_takes() -> None:
    work = [DayWork(ago(n), deliveries=60) for n in (9, 8, 7)]
    assert choose(work, run_rows=120).requests == (RangeRequest("backlog", ago(9), ago(8)),)


def test_a_day_larger_than_a_run_is_requested_by_itself() -> None:
    work = [DayWork(ago(9), deliveries=1000), DayWork(ago(8), deliveries=1)]
    assert choose(work, run_rows=100).requests == (RangeRequest("backlog", ago(9), ago(9)),)


def test_while_a_range_is_captured_only_recent_days_are_requested() -> None:
    choice = choose(deliveries(ago(40), TODAY), AtWork(held=frozenset({"capture"})))
    assert choice.requests == (RangeRequest("recent", TODAY, TODAY),)
    older = choose(deliveries(ago(40)), AtWork(held=frozenset({"capture"})))
    assert older == Choice((), "older days wait for the run at work")


def test_requests_do_not_pile_up_behind_a_run_that_waits_to_capture() -> None:
    at_work = AtWork(held=frozenset({"capture"}), waiting_to_capture=frozenset({"recent"}))
    assert not choose(deliveries(TODAY), at_work).requests


def test_a_run_that_clusters_or_embeds_does_not_delay_deliveries() -> None:
    for stage in ("clusters", "embeddings"):
        for kind in RUN_KINDS:
            at_work = AtWork(held=frozenset({stage}), alive=frozenset({kind}))
            assert choose(deliveries(TODAY), at_work).requests == (
                RangeRequest("recent", TODAY, TODAY),
            )


def test_todays_deliveries_are_requested_while_the_backlog_waits_to_capture() -> None:
    at_work = AtWork(held=frozenset({"capture"}), waiting_to_capture=frozenset({"backlog"}))
    assert choose(deliveries(ago(40), TODAY), at_work).requests == (
        RangeRequest("recent", TODAY, TODAY),
    )


def test_a_queued_run_is_not_requested_again_but_the_other_kind_is() -> None:
    at_work = AtWork(queued=frozenset({"backlog"}))
    choice = choose(deliveries(ago(40), TODAY), at_work)
    assert choice.requests == (RangeRequest("recent", TODAY, TODAY),)


def test_work_that_a_stage_is_doing_is_not_requested_again() -> None:
    choice = choose([DayWork(TODAY, unembedded=5)], AtWork(held=frozenset({"embeddings"})))
    assert choice == Choice((), "a run is at work on what waits")


def test_work_that_a_live_run_will_do_is_not_requested_again() -> None:
    """Between two stages it holds no lock: it is writing an event for each of its days. Deliveries
    behind it may be captured meanwhile."""
    alive = AtWork(alive=frozenset({"backlog"}))
    behind = [DayWork(ago(40), unembedded=5)]
    assert not choose(behind, alive).requests
    assert choose(deliveries(ago(300)), alive).requests == (
        RangeRequest("backlog", ago(300), ago(300)),
    )
    capturing = AtWork(alive=frozenset({"backlog"}), held=frozenset({"capture"}))
    assert not choose(deliveries(ago(300)), capturing).requests
    both = choose(deliveries(ago(300), TODAY), capturing).requests
    assert both == (RangeRequest("recent", TODAY, TODAY),)


def test_days_with_work_for_a_stage_are_requested_though_no_delivery_waits() -> None:
    choice = choose([DayWork(ago(5), unclustered=3)])
    assert choice.requests == (RangeRequest("backlog", ago(5), ago(5)),)


def test_failing_runs_are_requested_more_and_more_rarely() -> None:
    behind = [DayWork(TODAY, unembedded=5)]
    assert choose(behind, AtWork(failures=1, quiet_seconds=21)).requests
    assert not choose(behind, AtWork(failures=8, quiet_seconds=500)).requests
    assert choose(behind, AtWork(failures=8, quiet_seconds=601)).requests


def test_a_model_that_is_down_delays_waiting_deliveries_by_a_minute_at_most() -> None:
    assert choose(deliveries(TODAY), AtWork(failures=50, quiet_seconds=61)).requests


def test_a_day_outside_the_partitions_is_reported_and_does_not_stop_the_others() -> None:
    choice = choose(deliveries(date(1999, 1, 1), TODAY))
    assert choice.unreachable == (date(1999, 1, 1),)
    assert choice.requests == (RangeRequest("recent", TODAY, TODAY),)


@given(
    st.lists(
        st.builds(
            DayWork,
            st.dates(min_value=date(2007, 1, 1), max_value=date(2024, 7, 5)),
            st.integers(0, 300),
            st.integers(0, 300),
        ),
        unique_by=lambda day: day.day,
        max_size=40,
    ),
    st.integers(1, 500),
)
def test_repeated_requests_reach_every_day_in_bounded_ranges(
    work: list[DayWork], run_rows: int
) -> None:
    left = list(work)
    for _ in range(len(work) + 1):
        choice = choose(left, run_rows=run_rows)
        for request in choice.requests:
            assert START <= request.first <= request.last <= TODAY
            assert (request.last - request.first).days <= MAX_RANGE_DAYS
        left = [
            day for day in left if not any(r.first <= day.day <= r.last for r in choice.requests)
        ]
    assert all(not START <= day.day <= TODAY for day in left)


def test_future_days_from_a_clock_that_was_ahead_are_requested_with_today() -> None:
    ahead = DayWork(ago(-400), deliveries=2)
    assert choose([ahead]).requests == (RangeRequest("recent", TODAY, TODAY),)
    choice = choose([*deliveries(ago(40), ago(1)), ahead, DayWork(ago(-1), unembedded=3)])
    assert choice.requests == (
        RangeRequest("recent", ago(1), TODAY),
        RangeRequest("backlog", ago(40), ago(40)),
    )
    assert choice.unreachable == ()
