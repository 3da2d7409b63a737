"""The least code location: an asset, a check, a job, a schedule and a sensor, for `bench.imports`.

What Dagster itself loads once anything is defined is Dagster's cost, not the project's.
"""

import dagster as dg


@dg.asset
def thing() -> None: ...


@dg.asset_check(asset=thing)
def thing_is_there() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


job = dg.define_asset_job("job", selection=dg.AssetSelection.assets(thing))


@dg.schedule(cron_schedule="0 * * * *", job=job)
def hourly() -> dg.SkipReason:
    return dg.SkipReason("nothing is due")


@dg.sensor(job=job)
def watch() -> dg.SkipReason:
    return dg.SkipReason("nothing waits")


defs = dg.Definitions(
    assets=[thing],
    asset_checks=[thing_is_there],
    jobs=[job],
    schedules=[hourly],
    sensors=[watch],
    executor=dg.in_process_executor,
)
