"""Two weeks ago: orders are refunded twice. An incident like that of the double charge, and its fix."""

from __future__ import annotations

from lightfast_pipelines.demo import github_events as github
from lightfast_pipelines.demo import github_reviews as reviews
from lightfast_pipelines.demo import linear_events as linear
from lightfast_pipelines.demo import sentry_events as sentry
from lightfast_pipelines.demo import vercel_events as vercel
from lightfast_pipelines.demo.cast import HANNE, MIRA, PRIYA, TOMAS
from lightfast_pipelines.demo.github_events import Commit, NumberedItem
from lightfast_pipelines.demo.linear_events import Ticket
from lightfast_pipelines.demo.sentry_events import AlertRule, StoryIssue
from lightfast_pipelines.demo.stage import Stage
from lightfast_pipelines.demo.vercel_events import Deployment

FIX = "tomas/chk-9-double-refund"
RULE = "Refunds: a new error in production"
METRIC = AlertRule("16", "Failed refunds", "97", "POST /refunds")
REFUNDS = "api/refunds/views.py"


def tell(stage: Stage) -> None:
    problem = _broken(stage, _refunds_are_built(stage))
    _fixed(stage, problem)


def _refunds_are_built(stage: Stage) -> Commit:
    shop, at = stage.shop, stage.at
    title = "Let support refund an order"
    body = "Adds `POST /refunds` and a button on the order page. Until now support asked Tomás."
    files = (REFUNDS, "web/orders/RefundButton.tsx")
    work = Commit(shop, MIRA, at(14, "10:40"), title, added=files)
    pull = NumberedItem(
        shop,
        38,
        MIRA,
        at(14, "10:45"),
        title,
        body,
        labels=("feature",),
        branch="support-refunds",
        commits=(work,),
    )
    stage.tell("#38 opened", github.pull_request(pull))
    message = f"{title} (#38)"
    merge = Commit(shop, MIRA, at(13, "09:00"), message, added=files, by_button=True)
    stage.tell("#38 merged", github.pull_request(pull, "closed", MIRA, merge.at, merge=merge))
    stage.tell("#38 on main", github.push_to_main(stage, MIRA, [merge], merge.at))
    _deployed(stage, merge, "refunds", 13, ("09:01", "09:03", "09:04"))
    return merge


def _deployed(
    stage: Stage, merge: Commit, what: str, days_ago: int, clocks: tuple[str, str, str]
) -> None:
    deployment = Deployment(stage.site, merge, "main", merge.author)
    for transition, clock in zip(("created", "succeeded", "promoted"), clocks, strict=True):
        event = vercel.deployment(deployment, transition, stage.at(days_ago, clock))
        stage.tell(f"{what}: deployment {transition}", event)


def _broken(stage: Stage, merge: Commit) -> StoryIssue:
    at, watch = stage.at, stage.watch
    first, last = at(12, "15:10"), at(12, "15:32")
    problem = StoryIssue(
        watch,
        "STOREFRONT-0R",
        "DuplicateRefund",
        "POST /refunds: the order has a refund already",
        REFUNDS,
        "create_refund",
        first,
        merge,
        number=1,
        transaction="POST /refunds",
        platform="python",
    )
    stage.tell("STOREFRONT-0R seen", sentry.issue(problem, "created", first, count=1))
    for when in (first, last):
        stage.tell(f"error at {when:%d %H:%M}", sentry.error(problem, when))
    stage.tell("the alert of refunds rings", sentry.event_alert(problem, RULE, last))
    critical = sentry.metric_alert(
        watch, "critical", METRIC, "3 events in the last 10 minutes", at(12, "15:35")
    )
    stage.tell("failed refunds are critical", critical)
    return problem


def _fixed(stage: Stage, problem: StoryIssue) -> None:
    shop, at = stage.shop, stage.at
    title = "Orders are refunded twice"
    text = "Whoever presses the button twice pays twice. Two customers, 184 euros."
    ticket = Ticket(stage.board, 9, HANNE, at(12, "15:50"), title, text, FIX, priority=1)
    opened = linear.issue(ticket, "create", HANNE, ticket.created, assignee=TOMAS)
    stage.tell("CHK-9 opened", opened)
    message = "Refuse a second refund of an order"
    refuse = Commit(stage.payments, TOMAS, at(12, "16:40"), message, changed=("refunds/views.py",))
    stage.tell("payments-api refuses", github.push_to_main(stage, TOMAS, [refuse], at(12, "16:41")))
    title = "Refund an order only once"
    body = "The button sends a key, and the second request gets the first one's answer.\n\n"
    body += "Fixes CHK-9 and resolves STOREFRONT-0R"
    work = Commit(shop, TOMAS, at(12, "17:00"), title, changed=(REFUNDS,))
    pull = NumberedItem(
        shop,
        39,
        TOMAS,
        at(12, "17:05"),
        title,
        body,
        labels=("bug",),
        branch=FIX,
        commits=(work,),
    )
    stage.tell("#39 opened", github.pull_request(pull))
    stage.tell("CHK-9 linked to #39", linear.linked_pull(ticket, TOMAS, at(12, "17:06"), pull))
    review = reviews.review(pull, PRIYA, "approved", "Charges need this, too.", at(11, "08:20"))
    stage.tell("#39 approved", review)
    message = f"{title} (#39)"
    merge = Commit(shop, TOMAS, at(11, "08:30"), message, changed=(REFUNDS,), by_button=True)
    stage.tell("#39 merged", github.pull_request(pull, "closed", PRIYA, merge.at, merge=merge))
    stage.tell("#39 on main", github.push_to_main(stage, PRIYA, [merge], merge.at))
    _deployed(stage, merge, "fix of refunds", 11, ("08:31", "08:33", "08:34"))
    done = linear.moved(ticket, TOMAS, at(11, "08:40"), TOMAS, before="Todo", state="Done")
    stage.tell("CHK-9 done", done)
    resolved = sentry.issue(
        problem,
        "resolved",
        at(12, "15:32"),
        count=2,
        at=at(11, "08:45"),
        by=TOMAS,
        resolved_by=(merge, pull),
    )
    stage.tell("STOREFRONT-0R resolved", resolved)
    began, ended = at(12, "15:35"), at(11, "09:00")
    over = sentry.metric_alert(stage.watch, "resolved", METRIC, "0 events", began, ended)
    stage.tell("failed refunds are over", over)
