"""The same days in Linear, Vercel and Sentry: the work is planned and deployed, breaks, and is traced."""

from __future__ import annotations

from lightfast_pipelines.demo import github_reviews as reviews
from lightfast_pipelines.demo import linear_events as linear
from lightfast_pipelines.demo import sentry_events as sentry
from lightfast_pipelines.demo import vercel_events as vercel
from lightfast_pipelines.demo.cast import HANNE, JONAS, MIRA, PRIYA, TOMAS
from lightfast_pipelines.demo.double_charge import FIX
from lightfast_pipelines.demo.github_events import Commit, NumberedItem
from lightfast_pipelines.demo.guest_checkout import FEATURE
from lightfast_pipelines.demo.linear_events import Ticket
from lightfast_pipelines.demo.sentry_events import AlertRule, StoryIssue
from lightfast_pipelines.demo.stage import Stage
from lightfast_pipelines.demo.vercel_events import Deployment

PAGE = "web/checkout/CheckoutPage.tsx"
RULE = "Checkout: a new error in production"
METRIC = AlertRule("17", "Failed checkouts", "118", "/checkout")


def tell(
    stage: Stage, pull: NumberedItem, merge: Commit, bumped: Commit, fix: NumberedItem
) -> tuple[StoryIssue, Ticket]:
    """Returns the issues in Sentry and Linear that are still open this morning."""
    _planned(stage, pull)
    _deployed(stage, pull, merge, bumped)
    problem = _broken(stage, merge)
    return problem, _traced(stage, problem, fix)


def _planned(stage: Stage, pull: NumberedItem) -> None:
    at = stage.at
    title = "Guests check out without an account"
    description = (
        "Asked for in harbor-shop/storefront#41. Payment with nothing but an e-mail address."
    )
    ticket = Ticket(stage.board, 12, TOMAS, at(7, "09:05"), title, description, FEATURE, priority=2)
    stage.tell("CHK-12 planned", linear.issue(ticket, "create", TOMAS, at(7, "09:05")))
    nobody = {"assigneeId": None}
    assigned = linear.issue(ticket, "update", TOMAS, at(7, "13:01"), assignee=MIRA, was=nobody)
    stage.tell("CHK-12 assigned", assigned)
    started = linear.moved(ticket, MIRA, at(6, "10:00"), MIRA, before="Todo", state="In Progress")
    stage.tell("CHK-12 started", started)
    stage.tell("CHK-12 linked to #43", linear.linked_pull(ticket, MIRA, at(6, "12:06"), pull))
    in_review = linear.moved(
        ticket, MIRA, at(5, "08:31"), MIRA, before="In Progress", state="In Review"
    )
    stage.tell("CHK-12 in review", in_review)
    text = "Not before it is rate limited: see my review."
    stage.tell("CHK-12 commented", linear.comment(ticket, PRIYA, at(5, "10:20"), text))
    done = linear.moved(ticket, MIRA, at(4, "09:01"), MIRA, before="In Review", state="Done")
    stage.tell("CHK-12 done", done)


def _deployed(stage: Stage, pull: NumberedItem, merge: Commit, bumped: Commit) -> None:
    at, site = stage.at, stage.site
    preview = Deployment(site, pull.commits[-1], FEATURE, JONAS, target=None, pull=pull)
    live = Deployment(site, merge, "main", TOMAS)
    for name, deployment, transition, when in (
        ("preview of #43 begun", preview, "created", at(6, "14:22")),
        ("preview of #43 ready", preview, "succeeded", at(6, "14:24")),
        ("guest checkout deploys", live, "created", at(4, "09:01")),
        ("guest checkout is deployed", live, "succeeded", at(4, "09:03")),
        ("guest checkout is live", live, "promoted", at(4, "09:04")),
    ):
        stage.tell(name, vercel.deployment(deployment, transition, when))
    run = reviews.workflow_run(bumped, "main", 204, "failure", at(4, "09:20"), at(4, "09:26"))
    stage.tell("tests fail on main", run)
    failed = Deployment(site, bumped, "main", TOMAS)
    stage.tell("the bump deploys", vercel.deployment(failed, "created", at(4, "09:21")))
    error = 'Command "npm run build" exited with 1: payments-sdk 12.2.0 needs Node 22'
    broken = vercel.deployment(failed, "error", at(4, "09:23"), error=error)
    stage.tell("the bump does not build", broken)


def _broken(stage: Stage, merge: Commit) -> StoryIssue:
    at, watch = stage.at, stage.watch
    first, last = at(4, "19:12"), at(3, "07:20")
    problem = StoryIssue(
        watch,
        "STOREFRONT-1C",
        "DuplicateCharge",
        "the cart has a charge already",
        PAGE,
        "submitPayment",
        first,
        merge,
    )
    stage.tell("STOREFRONT-1C seen", sentry.issue(problem, "created", first, count=1))
    for when in (first, at(4, "19:40"), at(3, "07:02"), at(3, "07:09"), last):
        stage.tell(f"error at {when:%d %H:%M}", sentry.error(problem, when))
    stage.tell("the alert rings", sentry.event_alert(problem, RULE, last))
    description = "7 events in the last 10 minutes"
    critical = sentry.metric_alert(watch, "critical", METRIC, description, at(3, "07:24"))
    stage.tell("failed checkouts are critical", critical)
    assigned = sentry.issue(
        problem, "assigned", last, count=5, at=at(3, "08:00"), by=TOMAS, assignee=PRIYA
    )
    stage.tell("STOREFRONT-1C assigned", assigned)
    return problem


def _traced(stage: Stage, problem: StoryIssue, fix: NumberedItem) -> Ticket:
    at = stage.at
    title = "Guests are charged twice"
    description = (
        "The checkout page submits again when it is reloaded. Customers' words are in "
        "harbor-shop/storefront#47."
    )
    ticket = Ticket(stage.board, 31, TOMAS, at(3, "07:52"), title, description, FIX, priority=1)
    opened = linear.issue(ticket, "create", TOMAS, ticket.created, assignee=PRIYA)
    stage.tell("CHK-31 opened", opened)
    linked = linear.attachment(
        ticket,
        TOMAS,
        at(3, "07:53"),
        url=problem.page,
        title=problem.title,
        source="sentry",
        shortId=problem.short_id,
    )
    stage.tell("CHK-31 linked to Sentry", linked)
    started = linear.moved(ticket, PRIYA, at(2, "10:55"), PRIYA, before="Todo", state="In Progress")
    stage.tell("CHK-31 started", started)
    text = "It is the retry: two requests, one cart. Both shop and payments-api must know the second one."
    bug = NumberedItem(fix.place, 47, HANNE, at(3, "07:45"), "", "", ("bug", "urgent"))
    stage.tell("#47 commented", reviews.issue_comment(bug, PRIYA, at(2, "11:20"), text))
    head = fix.commits[-1]
    run = reviews.workflow_run(head, FIX, 211, "success", at(2, "13:43"), at(2, "13:49"))
    stage.tell("tests of #51 pass", run, "filtered")
    preview = Deployment(stage.site, head, FIX, PRIYA, target=None, pull=fix)
    stage.tell("preview of #51 begun", vercel.deployment(preview, "created", at(2, "13:42")))
    stage.tell("preview of #51 ready", vercel.deployment(preview, "succeeded", at(2, "13:44")))
    text = "How long is this lock held?"
    remark = reviews.review_comment(fix, MIRA, at(2, "15:02"), text, "api/checkout/payment.py", 41)
    stage.tell("#51 remarked on", remark)
    return ticket
