"""The same days in Linear, Vercel and Sentry: planned, deployed, broken, found out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.demo import linear_payloads as linear
from lightfast_pipelines.demo import sentry_payloads as sentry
from lightfast_pipelines.demo import small_payloads as small
from lightfast_pipelines.demo import vercel_payloads as vercel
from lightfast_pipelines.demo.cast import HANNE, JONAS, MIRA, PRIYA, TOMAS, Person
from lightfast_pipelines.demo.guest_checkout import FEATURE, Shipped
from lightfast_pipelines.demo.linear_payloads import Ticket
from lightfast_pipelines.demo.payloads import Numbered
from lightfast_pipelines.demo.sentry_payloads import StoryIssue
from lightfast_pipelines.demo.story import Fate, Stage
from lightfast_pipelines.demo.today import FIX
from lightfast_pipelines.demo.vercel_payloads import Deployment

PAGE = "web/checkout/CheckoutPage.tsx"
RULE = "Checkout: a new error in production"
METRIC = "Failed checkouts"


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is broken, as Sentry and Linear know it."""

    trouble: StoryIssue
    ticket: Ticket


def tell(stage: Stage, shipped: Shipped, fix: Numbered) -> Alarm:
    """Returns what is still open this morning."""
    _planned(stage, shipped.pull)
    _deployed(stage, shipped)
    trouble = _broken(stage, shipped)
    ticket = _found_out(stage, trouble, fix)
    return Alarm(trouble, ticket)


def _planned(stage: Stage, pull: Numbered) -> None:
    at = stage.at
    ticket = Ticket(
        stage.board,
        12,
        TOMAS,
        at(7, "09:05"),
        "Guests check out without an account",
        "Asked for in harbor-shop/storefront#41. Payment with nothing but an e-mail address.",
        FEATURE,
        priority=2,
    )

    def said(
        name: str,
        when: datetime,
        by: Person,
        state: str,
        was: str | None = None,
        **more: Any,
    ) -> None:
        changed = more.pop("changed", None)
        if was is not None:
            changed = {"stateId": linear.state_id(stage.board, was)}
        action = "create" if changed is None else "update"
        payload = linear.issue(ticket, action, by, when, state=state, was=changed, **more)
        _tell(stage, "linear", name, "Issue", payload, when)

    said("CHK-12 planned", at(7, "09:05"), TOMAS, "Todo")
    said(
        "CHK-12 assigned",
        at(7, "13:01"),
        TOMAS,
        "Todo",
        assignee=MIRA,
        changed={"assigneeId": None},
    )
    said("CHK-12 started", at(6, "10:00"), MIRA, "In Progress", "Todo", assignee=MIRA)
    linked = linear.attachment(
        ticket,
        MIRA,
        at(6, "12:06"),
        url=pull.url("pull"),
        title=f"#{pull.number} {pull.title}",
        source="github",
    )
    _tell(stage, "linear", "CHK-12 linked to #43", "Attachment", linked, at(6, "12:06"))
    said("CHK-12 in review", at(5, "08:31"), MIRA, "In Review", "In Progress", assignee=MIRA)
    asked = linear.comment(
        ticket, PRIYA, at(5, "10:20"), "Not before it is rate limited: see my review."
    )
    _tell(stage, "linear", "CHK-12 commented", "Comment", asked, at(5, "10:20"))
    said("CHK-12 done", at(4, "09:01"), MIRA, "Done", "In Review", assignee=MIRA)


def _deployed(stage: Stage, shipped: Shipped) -> None:
    at, site = stage.at, stage.site
    preview = Deployment(
        site, shipped.pull.commits[-1], FEATURE, JONAS, target=None, pull=shipped.pull
    )
    _deploy(stage, "preview of #43 begun", preview, "created", at(6, "14:22"))
    _deploy(stage, "preview of #43 ready", preview, "succeeded", at(6, "14:24"))
    live = Deployment(site, shipped.merge, "main", TOMAS)
    _deploy(stage, "guest checkout deploys", live, "created", at(4, "09:01"))
    _deploy(stage, "guest checkout is deployed", live, "succeeded", at(4, "09:03"))
    _deploy(stage, "guest checkout is live", live, "promoted", at(4, "09:04"))
    failed = Deployment(site, shipped.bumped, "main", TOMAS)
    run = small.workflow_run(shipped.bumped, "main", 204, "failure", at(4, "09:20"), at(4, "09:26"))
    _tell(stage, "github", "tests fail on main", "workflow_run", run, at(4, "09:26"))
    _deploy(stage, "the bump deploys", failed, "created", at(4, "09:21"))
    _deploy(
        stage,
        "the bump does not build",
        failed,
        "error",
        at(4, "09:23"),
        error='Command "npm run build" exited with 1: payments-sdk 12.2.0 needs Node 22',
    )


def _broken(stage: Stage, shipped: Shipped) -> StoryIssue:
    at, watch = stage.at, stage.watch
    trouble = StoryIssue(
        watch,
        "STOREFRONT-1C",
        "DuplicateCharge",
        "the cart has a charge already",
        PAGE,
        "submitPayment",
        at(4, "19:12"),
        shipped.merge,
    )
    seen = at(3, "07:20")

    def hears(name: str, event: str, payload: dict[str, Any], when: datetime) -> None:
        _tell(stage, "sentry", name, event, payload, when)

    first = sentry.issue(trouble, "created", at(4, "19:12"), count=1)
    hears("STOREFRONT-1C seen", "issue", first, at(4, "19:12"))
    for day, clock in ((4, "19:12"), (4, "19:40"), (3, "07:02"), (3, "07:09"), (3, "07:20")):
        when = at(day, clock)
        hears(f"error at {when:%d %H:%M}", "error", sentry.error(trouble, when), when)
    hears("the alert rings", "event_alert", sentry.event_alert(trouble, RULE, seen), seen)
    critical = sentry.metric_alert(
        watch, "critical", METRIC, "7 events in the last 10 minutes", at(3, "07:24"), None
    )
    hears("failed checkouts are critical", "metric_alert", critical, at(3, "07:24"))
    taken = sentry.issue(trouble, "assigned", seen, count=5, by=TOMAS, assignee=PRIYA)
    hears("STOREFRONT-1C assigned", "issue", taken, at(3, "08:00"))
    return trouble


def _found_out(stage: Stage, trouble: StoryIssue, fix: Numbered) -> Ticket:
    at = stage.at
    ticket = Ticket(
        stage.board,
        31,
        TOMAS,
        at(3, "07:52"),
        "Guests are charged twice",
        "The checkout page submits again when it is reloaded. Customers' words are in harbor-shop/storefront#47.",
        FIX,
        priority=1,
    )

    def says(name: str, event: str, payload: dict[str, Any], when: datetime) -> None:
        _tell(stage, "linear", name, event, payload, when)

    opened = linear.issue(ticket, "create", TOMAS, at(3, "07:52"), assignee=PRIYA)
    says("CHK-31 opened", "Issue", opened, at(3, "07:52"))
    found = linear.attachment(
        ticket,
        TOMAS,
        at(3, "07:53"),
        url=trouble.page,
        title=trouble.title,
        source="sentry",
        shortId=trouble.short_id,
    )
    says("CHK-31 linked to Sentry", "Attachment", found, at(3, "07:53"))
    started = linear.issue(
        ticket,
        "update",
        PRIYA,
        at(2, "10:55"),
        state="In Progress",
        assignee=PRIYA,
        was={"stateId": linear.state_id(stage.board, "Todo")},
    )
    says("CHK-31 started", "Issue", started, at(2, "10:55"))
    why = "It is the retry: two requests, one cart. Both shop and payments-api must know the second one."
    said = small.issue_comment(
        Numbered(fix.place, 47, HANNE, at(3, "07:45"), "", "", ("bug", "urgent")),
        PRIYA,
        at(2, "11:20"),
        why,
    )
    _tell(stage, "github", "#47 commented", "issue_comment", said, at(2, "11:20"))
    run = small.workflow_run(fix.commits[-1], FIX, 211, "success", at(2, "13:43"), at(2, "13:49"))
    _tell(stage, "github", "tests of #51 pass", "workflow_run", run, at(2, "13:49"), "filtered")
    preview = Deployment(stage.site, fix.commits[-1], FIX, PRIYA, target=None, pull=fix)
    _deploy(stage, "preview of #51 begun", preview, "created", at(2, "13:42"))
    _deploy(stage, "preview of #51 ready", preview, "succeeded", at(2, "13:44"))
    remark = small.review_comment(
        fix, MIRA, at(2, "15:02"), "How long is this lock held?", "api/checkout/payment.py", 41
    )
    _tell(stage, "github", "#51 remarked on", "pull_request_review_comment", remark, at(2, "15:02"))
    return ticket


def _deploy(
    stage: Stage,
    name: str,
    deployment: Deployment,
    transition: str,
    at: datetime,
    error: str | None = None,
) -> None:
    payload = vercel.deployment(deployment, transition, at, error=error)
    _tell(stage, "vercel", name, f"deployment.{transition}", payload, at)


def _tell(
    stage: Stage,
    provider: str,
    name: str,
    event: str,
    payload: dict[str, Any],
    at: datetime,
    fate: Fate = "delivered",
) -> None:
    stage.tell(name, event, payload, at, fate, provider=provider)
