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
from lightfast_pipelines.demo.incident import METRIC
from lightfast_pipelines.demo.linear_events import Ticket
from lightfast_pipelines.demo.sentry_events import StoryIssue
from lightfast_pipelines.demo.stage import Stage
from lightfast_pipelines.demo.vercel_events import Deployment

STRANGER = Person(
    "h4rbor-admin", 6_666_666, "Harbor Admin", "admin@harbor-shop.invalid", linked=False
)


def merge_fix(stage: Stage, work: OpenWork) -> Commit:
    """Returns the merge."""
    shop, at, fix, twin, receipt = stage.shop, stage.at, work.fix, work.twin, work.receipt
    message = f"Merge pull request #51 from harbor-shop/{FIX}\n\nCharge a checkout only once"
    files = ("api/checkout/payment.py", "web/checkout/pay.ts")
    merge = Commit(shop, MIRA, at(1, "23:30"), message, changed=files, by_button=True)
    stage.tell(
        "the hook is tried", github.ping(shop, TOMAS, at(1, "23:00")), "filtered", posted="23:00"
    )
    closed = github.pull_request(fix, "closed", MIRA, merge.at, merge=merge)
    merged = stage.tell("#51 merged by Mira", closed, posted="23:30")
    pushed = github.push_to_main(stage, MIRA, [*fix.commits, merge], merge.at)
    stage.tell("#51 on main", pushed, posted="23:30")
    stage.tell("#47 closed", github.issue(work.bug, "closed", MIRA, merge.at), posted="23:30")
    twin_closed = github.issue(twin, "closed", MIRA, at(1, "23:31"))
    stage.tell("payments-api#7 closed", twin_closed, posted="23:31")
    stage.tell("payments-api#7 reported (three days late)", github.issue(twin), posted="23:32")
    stage.repeat(merged)
    _refused(stage, work.bug)
    deleted = github.delete_branch(MIRA, FIX, fix.commits[-1], at(1, "23:37"))
    stage.tell("fix branch deleted", deleted, "filtered", posted="23:37")
    _released(stage, merge)
    stage.tell(
        "#49 closed again", github.issue(work.slow, "closed", TOMAS, at(1, "23:50")), posted="23:50"
    )
    ready = github.pull_request(receipt, "ready_for_review", JONAS, at(1, "23:55"))
    stage.tell("#53 ready for review", ready, posted="23:55")
    grown = github.push(JONAS, "guest-receipt", receipt.commits, at(1, "23:54"))
    stage.tell("receipt branch grows", grown, "filtered", posted="23:54")
    package = github.registry_package(TOMAS, receipt.commits[-1], at(1, "23:58"))
    stage.tell("an event nobody knows yet", package, "parked", posted="23:58")
    return merge


def _refused(stage: Stage, bug: NumberedItem) -> None:
    shop, at, files = stage.shop, stage.at(1, "23:35"), ("api/checkout/payment.py",)
    commit = Commit(shop, STRANGER, at, "Pay out to another account", changed=files)
    push = github.push(STRANGER, "main", [commit], at)
    stage.tell("a forged push", push, posted="23:35", trick="forged")
    closed = github.issue(bug, "closed", MIRA, stage.at(1, "23:36"))
    stage.tell("half a body", closed, posted="23:36", trick="malformed")


def _released(stage: Stage, merge: Commit) -> None:
    tagged = github.push_tag(TOMAS, "v1.4.1", merge, stage.at(1, "23:45"))
    stage.tell("v1.4.1 tagged", tagged, posted="23:45")
    notes = "- A checkout is charged only once, however often it is sent (#51)\n- Large carts are fast again (#49)"
    at = stage.at(1, "23:46")
    released = github.release(stage.shop, TOMAS, "v1.4.1", "1.4.1: charged once", notes, at)
    stage.tell("v1.4.1 released", released, posted="23:46")


def end_alarm(
    stage: Stage, problem: StoryIssue, ticket: Ticket, merge: Commit, fix: NumberedItem
) -> None:
    _deployed(stage, merge)
    _quiet(stage, problem, merge, fix)
    _closed(stage, ticket, fix)


def _deployed(stage: Stage, merge: Commit) -> None:
    deployment = Deployment(stage.site, merge, "main", MIRA)
    for transition, clock in (("created", "23:31"), ("succeeded", "23:33"), ("promoted", "23:34")):
        event = vercel.deployment(deployment, transition, stage.at(1, clock))
        scene = stage.tell(f"the fix is deployed: {transition}", event, posted=clock)
    stage.repeat(scene)


def _quiet(stage: Stage, problem: StoryIssue, merge: Commit, fix: NumberedItem) -> None:
    at, watch = stage.at, stage.watch
    stage.tell("an error, two days late", sentry.error(problem, at(3, "07:14")), posted="23:35")
    resolved = sentry.issue(
        problem,
        "resolved",
        at(1, "22:48"),
        count=41,
        by=PRIYA,
        assignee=PRIYA,
        resolved_by=(merge, fix),
    )
    stage.tell("STOREFRONT-1C resolved", resolved, posted="23:36")
    text = "Gone since the deployment. Thanks, Mira."
    comment = sentry.comment(problem, PRIYA, at(1, "23:38"), text)
    stage.tell("STOREFRONT-1C commented", comment, posted="23:38")
    began, ended = at(3, "07:24"), at(1, "23:44")
    over = sentry.metric_alert(watch, "resolved", METRIC, "0 events", began, ended)
    stage.tell("failed checkouts are over", over, posted="23:44")
    forged = sentry.metric_alert(watch, "critical", METRIC, "Sign in at once", at(1, "23:45"))
    stage.tell("a forged alert", forged, posted="23:45", trick="forged")


def _closed(stage: Stage, ticket: Ticket, fix: NumberedItem) -> None:
    at = stage.at
    linked = linear.linked_pull(ticket, PRIYA, at(2, "13:41"), fix)
    stage.tell("CHK-31 linked to #51 (late)", linked, posted="23:32")
    done = linear.moved(ticket, MIRA, at(1, "23:32"), PRIYA, before="In Progress", state="Done")
    stage.tell("CHK-31 done", done, posted="23:32")
    text = "All four customers have their money back and an apology."
    stage.tell(
        "CHK-31 commented", linear.comment(ticket, HANNE, at(1, "23:50"), text), posted="23:50"
    )
    stale = linear.comment(ticket, HANNE, at(1, "22:50"), "Still waiting for two of them.")
    stage.tell("a delivery of a day ago", stale, posted="23:51", trick="stale")
