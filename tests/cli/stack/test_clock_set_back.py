"""Dagster goes on ticking after the machine's clock was set back."""

from __future__ import annotations

import dagster as dg
from dagster._core.remote_origin import (  # noqa: TID251 - as the daemon stores them
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (  # noqa: TID251 - as above
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)

from lightfast_pipelines.cli.stack.clock_set_back import SET_BACK_SECONDS, ClockGoesOn
from lightfast_pipelines.cli.stack.future_ticks import forget_future_ticks
from tests.programs import Programs

NOW = 1_777_629_600.0
HOUR = 3600.0


def note(
    instance: dg.DagsterInstance,
    name: str,
    kind: InstigatorType,
    data: SensorInstigatorData | ScheduleInstigatorData,
    *ticks: float,
) -> None:
    """Stores a sensor or a schedule as the daemon does, with ticks at these times."""
    location = GrpcServerCodeLocationOrigin(host="localhost", socket="s", location_name="test")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "repository"), name)
    state = InstigatorState(origin, kind, InstigatorStatus.RUNNING, data)
    instance.add_instigator_state(state)
    for at in ticks:
        instance.create_tick(
            TickData(
                state.instigator_origin_id,
                name,
                kind,
                TickStatus.SUCCESS,
                at,
                run_ids=[],
                selector_id=state.selector_id,
            )
        )


def noted(instance: dg.DagsterInstance, name: str) -> InstigatorState:
    (state,) = [each for each in instance.all_instigator_state() if each.instigator_name == name]
    return state


def tick_times(instance: dg.DagsterInstance, name: str) -> list[float]:
    state = noted(instance, name)
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    return [tick.timestamp for tick in ticks]


def test_a_sensor_whose_last_tick_lies_in_the_future_may_tick_at_once(
    instance: dg.DagsterInstance,
) -> None:
    ahead = SensorInstigatorData(
        last_tick_timestamp=NOW + HOUR, last_tick_start_timestamp=NOW + HOUR, cursor="kept"
    )
    note(instance, "ahead", InstigatorType.SENSOR, ahead, NOW - 10, NOW + HOUR)
    in_time = SensorInstigatorData(last_tick_timestamp=NOW - 10, cursor="kept")
    note(instance, "in_time", InstigatorType.SENSOR, in_time, NOW - 10)
    assert forget_future_ticks(instance, NOW) == 1
    assert noted(instance, "ahead").instigator_data == ahead._replace(
        last_tick_timestamp=NOW, last_tick_start_timestamp=NOW
    )
    assert tick_times(instance, "ahead") == [NOW, NOW - 10]
    assert noted(instance, "in_time").instigator_data == in_time
    assert tick_times(instance, "in_time") == [NOW - 10]
    assert forget_future_ticks(instance, NOW) == 0


def test_a_schedule_goes_on_from_now_and_not_from_a_tick_in_the_future(
    instance: dg.DagsterInstance,
) -> None:
    data = ScheduleInstigatorData("* * * * *", NOW - HOUR, NOW + 26 * HOUR)
    note(instance, "minutely", InstigatorType.SCHEDULE, data, NOW + 26 * HOUR)
    forget_future_ticks(instance, NOW)
    assert noted(instance, "minutely").instigator_data == data._replace(
        last_iteration_timestamp=NOW
    )
    assert tick_times(instance, "minutely") == [NOW]


def test_a_daemon_begins_anew_only_if_the_clock_was_set_back_while_it_ran(
    programs: Programs,
) -> None:
    clock, monotonic = [NOW], [500.0]
    goes_on = ClockGoesOn(lambda: clock[0], lambda: monotonic[0])
    daemon = programs.start(["sleep", "300"])

    def after(seconds: float, set_by: float = 0.0) -> bool:
        monotonic[0] += seconds
        clock[0] += seconds + set_by
        return goes_on(daemon)

    assert after(1)
    assert after(1, set_by=-SET_BACK_SECONDS + 1)
    assert after(1, set_by=2 * HOUR)
    assert not after(5, set_by=-2 * HOUR)
    daemon = programs.start(["sleep", "300"])
    assert after(1)
