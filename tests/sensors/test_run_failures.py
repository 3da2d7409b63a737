"""A failed run becomes one line that says which, where and why."""

from __future__ import annotations

import json

import dagster as dg

from lightfast_pipelines.sensors.run_failures import failure_line


def test_the_line_names_job_days_step_and_the_errors_first_line() -> None:
    @dg.op
    def broken() -> None:
        raise ValueError("the model is away\nwith a body that nobody may see")

    @dg.job(tags={"dagster/partition": "2024-05-01"})
    def failing() -> None:
        broken()

    with dg.instance_for_test() as instance:
        result = failing.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            "run_failures",
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()
        line = json.loads(failure_line(context))
    assert line["job"] == "failing"
    assert (line["from"], line["to"]) == ("2024-05-01", "2024-05-01")
    assert "the model is away" in line["steps"]["broken"]
    assert "nobody may see" not in json.dumps(line)
