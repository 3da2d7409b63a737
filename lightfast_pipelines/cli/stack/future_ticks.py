"""`python -m lightfast_pipelines.cli.stack.future_ticks`: moves Dagster's ticks out of the future.

A sensor waits for its interval after its last tick, and a schedule goes on after its last one. If the
machine's clock was ahead when they ticked and was corrected since, that time is still to come: Dagster
would ask for no run until then, for hours or days. This is a program of its own so that `up` need not
import Dagster.
"""

from __future__ import annotations

import time
from typing import Any

import dagster as dg

# Two machines' clocks differ by moments.
_MARGIN_SECONDS = 5.0
_TIMES = (
    "start_timestamp",
    "last_iteration_timestamp",
    "last_tick_timestamp",
    "last_tick_start_timestamp",
    "last_tick_success_timestamp",
    "last_sensor_start_timestamp",
)


def forget_future_ticks(instance: dg.DagsterInstance, now: float) -> int:
    """Sets every later time of sensors and schedules to `now`; returns how many of them had one."""
    latest = now + _MARGIN_SECONDS
    corrected = 0
    for state in instance.all_instigator_state():
        # A named tuple, of sensors or of schedules.
        data: Any = state.instigator_data
        future = {name: now for name in _TIMES if (getattr(data, name, None) or 0.0) > latest}
        if future:
            instance.update_instigator_state(state.with_data(data._replace(**future)))
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=latest)
        for tick in ticks:
            instance.update_tick(tick._replace(tick_data=tick.tick_data._replace(timestamp=now)))
        corrected += bool(future or ticks)
    return corrected


def main() -> None:
    with dg.DagsterInstance.get() as instance:
        forget_future_ticks(instance, time.time())


if __name__ == "__main__":
    main()
