"""Today, posted to the receiver: the fix is merged, deployed and released, and the alert ends.

Some deliveries are forged, late, stale, broken or repeated. The team is in Vancouver, so its
afternoon is our night.
"""

from __future__ import annotations

from lightfast_pipelines.demo import github_events as github
from lightfast_pipelines.demo import linear_events as linear
from lightfast_pipelines.demo import sentry_events as sentry
from lightfast_pipelines.demo import vercel_events as vercel
from lightfast_pipelines.demo.cast import HANNE, JONAS, MIRA, PRIYA, TOMAS, Person
from lightfast_pipelines.demo.double_charge import FIX, OpenWork
from lightfast_pipelines.demo.github_events import Commit, NumberedItem
from lightfast_pipelines.demo.incident import METRIC, Alarm
from lightfast_pipelines.demo.stage import Stage
from lightfast_pipelines.demo.vercel_events import Deployment

STRANGER = Person(
    "h4rbor-admin", 6_666_666, "Harbor Admin", "admin@harbor-shop.invalid", linked=False
)


def merge_fix(stage: Stage, work: OpenWork) -> Commit:
    """Returns the merge."""
    shop, at, fix, twin, receipt = stage.shop, stage.at, work.fix, work.twin, work.receipt
    merge = Commit(
        shop,
        MIRA,
        at(1, "23:30"),
        f"Merge pull request #51 from harbor-shop/{FIX}\n\nCharge a checkout only once",
        changed=("api/checkout/payment.py", "web/checkout/pay.ts"),
        by_button=True,
    )
    stage.post("the hook is tried", github.ping(shop, TOMAS, at(1, "23:00")), "23:00", "filtered")
    closed = github.pull_request(fix, "closed", MIRA, merge.at, merge=merge)
    merged = stage.post("#51 merged by Mira", closed, "23:30")
    pushed = github.push(MIRA, "main", [*fix.commits, merge], merge.at)
    stage.post("#51 on main", pushed, "23:30")
    stage.post("#47 closed", github.issue(work.bug, "closed", MIRA, merge.at), "23:30")
    twin_closed = github.issue(twin, "closed", MIRA, at(1, "23:31"))
    stage.post("payments-api#7 closed", twin_closed, "23:31")
    stage.post("payments-api#7 reported (three days late)", github.issue(twin), "23:32")
    stage.repeat(merged)
    _refused(stage, work.bug)
    deleted = github.delete_branch(MIRA, FIX, fix.commits[-1], at(1, "23:37"))
    stage.post("fix branch deleted", deleted, "23:37", "filtered")
    _released(stage, merge)
    stage.post(
        "#49 closed again", github.issue(work.slow, "closed", TOMAS, at(1, "23:50")), "23:50"
    )
    ready = github.pull_request(receipt, "ready_for_review", JONAS, at(1, "23:55"))
    stage.post("#53 ready for review", ready, "23:55")
    grown = github.push(JONAS, "guest-receipt", receipt.commits, at(1, "23:54"))
    stage.post("receipt branch grows", grown, "23:54", "filtered")
    package = github.registry_package(TOMAS, receipt.commits[-1], at(1, "23:58"))
    stage.post("an event nobody knows yet", package, "23:58", "parked")
    return merge


def _refused(stage: Stage, bug: NumberedItem) -> None:
    shop, at, files = stage.shop, stage.at(1, "23:35"), ("api/checkout/payment.py",)
    commit = Commit(shop, STRANGER, at, "Pay out to another account", changed=files)
    push = github.push(STRANGER, "main", [commit], at)
    stage.post("a forged push", push, "23:35", trick="forged")
    closed = github.issue(bug, "closed", MIRA, stage.at(1, "23:36"))
    stage.post("half a body", closed, "23:36", trick="malformed")


def _released(stage: Stage, merge: Commit) -> None:
    tagged = github.push_tag(TOMAS, "v1.4.1", merge, stage.at(1, "23:45"))
    stage.post("v1.4.1 tagged", tagged, "23:45")
    notes = "- A checkout is charged only once, however often it is sent (#51)\n- Large carts are fast again (#49)"
    at = stage.at(1, "23:46")
    released = github.release(stage.shop, TOMAS, "v1.4.1", "1.4.1: charged once", notes, at)
    stage.post("v1.4.1 released", released, "23:46")


def end_alarm(stage: Stage, alarm: Alarm, merge: Commit, fix: NumberedItem) -> None:
    _deployed(stage, merge)
    _quiet(stage, alarm, merge, fix)
    _closed(stage, alarm, fix)


def _deployed(stage: Stage, merge: Commit) -> None:
    deployment = Deployment(stage.site, merge, "main", MIRA)
    for transition, clock in (("created", "23:31"), ("succeeded", "23:33"), ("promoted", "23:34")):
        event = vercel.deployment(deployment, transition, stage.at(1, clock))
        scene = stage.post(f"the fix is deployed: {transition}", event, clock)
    stage.repeat(scene)


def _quiet(stage: Stage, alarm: Alarm, merge: Commit, fix: NumberedItem) -> None:
    at, problem, watch = stage.at, alarm.problem, stage.watch
    stage.post("an error, two days late", sentry.error(problem, at(3, "07:14")), "23:35")
    resolved = sentry.issue(
        problem,
        "resolved",
        at(1, "22:48"),
        count=41,
        by=PRIYA,
        assignee=PRIYA,
        resolved_by=(merge, fix),
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


def _closed(stage: Stage, alarm: Alarm, fix: NumberedItem) -> None:
    at, ticket = stage.at, alarm.ticket
    linked = linear.linked_pull(ticket, PRIYA, at(2, "13:41"), fix)
    stage.post("CHK-31 linked to #51 (late)", linked, "23:32")
    done = linear.moved(ticket, MIRA, at(1, "23:32"), PRIYA, before="In Progress", state="Done")
    stage.post("CHK-31 done", done, "23:32")
    text = "All four customers have their money back and an apology."
    stage.post("CHK-31 commented", linear.comment(ticket, HANNE, at(1, "23:50"), text), "23:50")
    stale = linear.comment(ticket, HANNE, at(1, "22:50"), "Still waiting for two of them.")
    stage.post("a delivery of a day ago", stale, "23:51", trick="stale")
