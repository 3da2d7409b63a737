"""Today in Vercel, Sentry and Linear: the fix is deployed, the alert ends, both issues are closed.

Posted to the receiver, like GitHub's part in `today`.
"""

from __future__ import annotations

from lightfast_pipelines.demo import linear_events as linear
from lightfast_pipelines.demo import sentry_events as sentry
from lightfast_pipelines.demo import vercel_events as vercel
from lightfast_pipelines.demo.cast import HANNE, MIRA, PRIYA
from lightfast_pipelines.demo.double_charge import MergedFix
from lightfast_pipelines.demo.incident import METRIC, Alarm
from lightfast_pipelines.demo.stage import Stage
from lightfast_pipelines.demo.vercel_events import Deployment


def tell(stage: Stage, alarm: Alarm, merged: MergedFix) -> None:
    _deployed(stage, merged)
    _quiet(stage, alarm, merged)
    _closed(stage, alarm, merged)


def _deployed(stage: Stage, merged: MergedFix) -> None:
    deployment = Deployment(stage.site, merged.merge, "main", MIRA)
    for transition, clock in (("created", "23:31"), ("succeeded", "23:33"), ("promoted", "23:34")):
        event = vercel.deployment(deployment, transition, stage.at(1, clock))
        scene = stage.post(f"the fix is deployed: {transition}", event, clock)
    stage.repeat(scene)


def _quiet(stage: Stage, alarm: Alarm, merged: MergedFix) -> None:
    at, problem, watch = stage.at, alarm.problem, stage.watch
    stage.post("an error, two days late", sentry.error(problem, at(3, "07:14")), "23:35")
    resolved = sentry.issue(
        problem,
        "resolved",
        at(1, "22:48"),
        count=41,
        by=PRIYA,
        assignee=PRIYA,
        resolved_by=(merged.merge, merged.fix),
    )
    stage.post("STOREFRONT-1C resolved", resolved, "23:36")
    text = "Gone since the deployment. Thanks, Mira."
    comment = sentry.comment(problem, PRIYA, at(1, "23:38"), text)
    stage.post("STOREFRONT-1C commented", comment, "23:38")
    began, ended = at(3, "07:24"), at(1, "23:44")
    over = sentry.metric_alert(watch, "resolved", METRIC, "0 events", began, ended)
    stage.post("failed checkouts are over", over, "23:44")
    forged = sentry.metric_alert(watch, "critical", METRIC, "Sign in at once", at(1, "23:45"))
    stage.post("a forged alert", forged, "23:45", trick="forged")


def _closed(stage: Stage, alarm: Alarm, merged: MergedFix) -> None:
    at, ticket = stage.at, alarm.ticket
    linked = linear.linked_pull(ticket, PRIYA, at(2, "13:41"), merged.fix)
    stage.post("CHK-31 linked to #51 (late)", linked, "23:32")
    done = linear.moved(ticket, MIRA, at(1, "23:32"), PRIYA, before="In Progress", state="Done")
    stage.post("CHK-31 done", done, "23:32")
    text = "All four customers have their money back and an apology."
    stage.post("CHK-31 commented", linear.comment(ticket, HANNE, at(1, "23:50"), text), "23:50")
    stale = linear.comment(ticket, HANNE, at(1, "22:50"), "Still waiting for two of them.")
    stage.post("a delivery of a day ago", stale, "23:51", trick="stale")
