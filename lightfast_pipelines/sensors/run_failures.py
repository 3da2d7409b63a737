"""Logs each failed run, with its step and error, as one line of the daemon's log."""

import json

import dagster as dg

_FIRST_LINE = 300


@dg.run_failure_sensor(
    name="run_failures",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Logs every failed run of any job as one line: job, days, step and error.",
)
def run_failures(context: dg.RunFailureSensorContext) -> None:
    context.log.error(failure_line(context))


def failure_line(context: dg.RunFailureSensorContext) -> str:
    """One line of JSON about the run; errors are cut to their first line, which contains no body."""
    run = context.dagster_run
    steps = {
        event.step_key: _first_line(event.step_failure_data.error)
        for event in context.get_step_failure_events()
    }
    return json.dumps(
        {
            "event": "run failed",
            "job": run.job_name,
            "run_id": run.run_id,
            "from": run.tags.get("dagster/asset_partition_range_start")
            or run.tags.get("dagster/partition"),
            "to": run.tags.get("dagster/asset_partition_range_end")
            or run.tags.get("dagster/partition"),
            "steps": steps or {"": context.failure_event.message},
        },
        ensure_ascii=False,
    )


def _first_line(error: object) -> str:
    cause = getattr(error, "cause", None) or error
    text = str(getattr(cause, "message", cause) or "").strip()
    return text.splitlines()[0][:_FIRST_LINE] if text else ""
