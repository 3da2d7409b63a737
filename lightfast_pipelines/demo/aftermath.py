"""Today in Vercel, Sentry and Linear: the fix is deployed, the alert ends, both issues are closed.

Signed and posted like GitHub's part, which is in `today`.
"""

from __future__ import annotations

from typing import Any

from lightfast_pipelines.demo import linear_payloads as linear
from lightfast_pipelines.demo import sentry_payloads as sentry
from lightfast_pipelines.demo import vercel_payloads as vercel
from lightfast_pipelines.demo.cast import HANNE, MIRA, PRIYA
from lightfast_pipelines.demo.double_charge import MergedFix
from lightfast_pipelines.demo.incident import METRIC, Alarm
from lightfast_pipelines.demo.story import Scene, Stage, Trick
from lightfast_pipelines.demo.vercel_payloads import Deployment


def tell(stage: Stage, alarm: Alarm, told: MergedFix) -> None:
    _deployed(stage, told)
    _quiet(stage, alarm, told)
    _closed(stage, alarm, told)


def _deployed(stage: Stage, told: MergedFix) -> None:
    deployment = Deployment(stage.site, told.merge, "main", MIRA)
    for transition, clock in (("created", "23:31"), ("succeeded", "23:33"), ("promoted", "23:34")):
        payload = vercel.deployment(deployment, transition, stage.at(1, clock))
        name = f"the fix is deployed: {transition}"
        scene = _post(stage, "vercel", name, f"deployment.{transition}", payload, clock)
    stage.repeat(scene)


def _quiet(stage: Stage, alarm: Alarm, told: MergedFix) -> None:
    at, trouble = stage.at, alarm.trouble
    late = sentry.error(trouble, at(3, "07:14"))
    _post(stage, "sentry", "an error, two days late", "error", late, "23:35")
    resolved = sentry.issue(
        trouble,
        "resolved",
        at(1, "22:48"),
        count=41,
        by=PRIYA,
        assignee=PRIYA,
        resolved_by=(told.merge, told.fix),
    )
    _post(stage, "sentry", "STOREFRONT-1C resolved", "issue", resolved, "23:36")
    said = sentry.comment(
        trouble, PRIYA, at(1, "23:38"), "Gone since the deployment. Thanks, Mira."
    )
    _post(stage, "sentry", "STOREFRONT-1C commented", "comment", said, "23:38")
    calm = sentry.metric_alert(
        stage.watch, "resolved", METRIC, "0 events", at(3, "07:24"), at(1, "23:44")
    )
    _post(stage, "sentry", "failed checkouts are over", "metric_alert", calm, "23:44")
    _post(
        stage,
        "sentry",
        "a forged alert",
        "metric_alert",
        sentry.metric_alert(
            stage.watch, "critical", METRIC, "Sign in at once", at(1, "23:45"), None
        ),
        "23:45",
        trick="forged",
    )


def _closed(stage: Stage, alarm: Alarm, told: MergedFix) -> None:
    at, ticket = stage.at, alarm.ticket
    linked = linear.attachment(
        ticket,
        PRIYA,
        at(2, "13:41"),
        url=told.fix.url("pull"),
        title=f"#{told.fix.number} {told.fix.title}",
        source="github",
    )
    _post(stage, "linear", "CHK-31 linked to #51 (late)", "Attachment", linked, "23:32")
    done = linear.issue(
        ticket,
        "update",
        MIRA,
        at(1, "23:32"),
        state="Done",
        assignee=PRIYA,
        was={"stateId": linear.state_id(stage.board, "In Progress")},
    )
    _post(stage, "linear", "CHK-31 done", "Issue", done, "23:32")
    told_them = "All four customers have their money back and an apology."
    said = linear.comment(ticket, HANNE, at(1, "23:50"), told_them)
    _post(stage, "linear", "CHK-31 commented", "Comment", said, "23:50")
    _post(
        stage,
        "linear",
        "a delivery of a day ago",
        "Comment",
        linear.comment(ticket, HANNE, at(1, "22:50"), "Still waiting for two of them."),
        "23:51",
        trick="stale",
    )


def _post(
    stage: Stage,
    provider: str,
    name: str,
    event: str,
    payload: dict[str, Any],
    clock: str,
    *,
    trick: Trick | None = None,
) -> Scene:
    return stage.tell(
        name,
        event,
        payload,
        stage.at(1, clock),
        "refused" if trick else "delivered",
        door="webhook",
        trick=trick,
        provider=provider,
    )
