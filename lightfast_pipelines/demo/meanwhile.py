"""Beside the main story: carts time out, the mobile app is worked on, sessions are signed anew."""

from __future__ import annotations

from lightfast_pipelines.demo import github_events as github
from lightfast_pipelines.demo import github_reviews as reviews
from lightfast_pipelines.demo import linear_events as linear
from lightfast_pipelines.demo import sentry_events as sentry
from lightfast_pipelines.demo import vercel_events as vercel
from lightfast_pipelines.demo.cast import HANNE, JONAS, PRIYA, TOMAS
from lightfast_pipelines.demo.github_events import Commit, NumberedItem
from lightfast_pipelines.demo.linear_events import Ticket
from lightfast_pipelines.demo.sentry_events import StoryIssue
from lightfast_pipelines.demo.stage import Stage
from lightfast_pipelines.demo.vercel_events import Deployment

APP = "Mobile app"
APP_BRANCH = "jonas/chk-22-guest-checkout-in-the-app"


def tell(stage: Stage) -> None:
    _totals_time_out(stage)
    _mobile_app(stage)
    _sessions(stage)


def _totals_time_out(stage: Stage) -> None:
    """About as often before the guest checkout is deployed as afterwards."""
    at, first = stage.at, stage.at(6, "09:15")
    carts = ("api/carts/totals.py",)
    slow = Commit(stage.shop, TOMAS, at(15, "16:10"), "Sum up a cart on the server", added=carts)
    problem = StoryIssue(
        stage.watch,
        "STOREFRONT-1A",
        "GatewayTimeout",
        "GET /carts/{id}/totals took longer than 5 s",
        carts[0],
        "totals",
        first,
        slow,
        number=2,
        transaction="GET /carts/{id}/totals",
        platform="python",
    )
    stage.tell("STOREFRONT-1A seen", sentry.issue(problem, "created", first, count=1))
    for when in (first, at(5, "09:40"), at(4, "16:20"), at(3, "13:05")):
        stage.tell(f"time-out at {when:%d %H:%M}", sentry.error(problem, when))


def _mobile_app(stage: Stage) -> None:
    at, board = stage.at, stage.board
    crash = Ticket(
        board,
        21,
        HANNE,
        at(5, "14:00"),
        "The app crashes when the cart is empty",
        "Every time, on Android.",
        "jonas/chk-21-empty-cart",
        priority=2,
        project=APP,
    )
    opened = linear.issue(crash, "create", HANNE, crash.created, assignee=JONAS)
    stage.tell("CHK-21 opened", opened)
    done = linear.moved(crash, JONAS, at(3, "10:20"), JONAS, before="Todo", state="Done")
    stage.tell("CHK-21 done", done)
    title = "Guest checkout in the app"
    text = "As on the web: payment with nothing but an e-mail address."
    guests = Ticket(
        board, 22, TOMAS, at(4, "11:00"), title, text, APP_BRANCH, priority=2, project=APP
    )
    planned = linear.issue(guests, "create", TOMAS, guests.created, assignee=JONAS)
    stage.tell("CHK-22 planned", planned)
    started = linear.moved(guests, JONAS, at(2, "09:30"), JONAS, before="Todo", state="In Progress")
    stage.tell("CHK-22 started", started)
    form = "app/checkout/GuestForm.kt"
    work = Commit(stage.app, JONAS, at(1, "13:50"), "Show the guest form", added=(form,))
    pull = NumberedItem(
        stage.app,
        8,
        JONAS,
        at(1, "14:00"),
        "Let guests check out in the app",
        "Calls `POST /checkout/guest`, which came with harbor-shop/storefront#43.",
        labels=("feature",),
        branch=APP_BRANCH,
        commits=(work,),
    )
    stage.tell("mobile-app#8 opened", github.pull_request(pull))
    linked = linear.linked_pull(guests, JONAS, at(1, "14:01"), pull)
    stage.tell("CHK-22 linked to mobile-app#8", linked)
    title, text = "Show the receipt in the app", "After harbor-shop/storefront#53."
    receipt = Ticket(board, 23, HANNE, at(1, "14:30"), title, text, "chk-23", project=APP)
    stage.tell("CHK-23 wished for", linear.issue(receipt, "create", HANNE, receipt.created))


def _sessions(stage: Stage) -> None:
    """Live this morning by UTC, which is still yesterday in Vancouver."""
    shop, at = stage.shop, stage.at
    files = ("api/auth/sessions.py", "api/settings/auth.py")
    title = "Sign sessions with a key that rotates"
    work = Commit(shop, TOMAS, at(1, "13:15"), title, changed=files)
    pull = NumberedItem(
        shop,
        54,
        TOMAS,
        at(1, "13:20"),
        title,
        "Authentication had one key since 2021. A session is now signed anew after a day.",
        labels=("security",),
        branch="rotate-session-keys",
        commits=(work,),
    )
    stage.tell("#54 opened", github.pull_request(pull))
    review = reviews.review(pull, PRIYA, "approved", "At last.", at(1, "18:05"))
    stage.tell("#54 approved", review)
    message = f"{title} (#54)"
    merge = Commit(shop, TOMAS, at(1, "23:52"), message, changed=files, by_button=True)
    merged = github.pull_request(pull, "closed", TOMAS, merge.at, merge=merge)
    stage.tell("#54 merged", merged, posted="23:52")
    stage.tell("#54 on main", github.push_to_main(stage, TOMAS, [merge], merge.at), posted="23:52")
    deployment = Deployment(stage.site, merge, "main", TOMAS)
    for transition, clock in (("created", "23:58"), ("succeeded", "24:00"), ("promoted", "24:01")):
        event = vercel.deployment(deployment, transition, at(1, clock))
        stage.tell(f"new sessions are deployed: {transition}", event, posted=clock)
    title, body = "Signed out in the middle of paying", "Three guests within two minutes."
    bug = NumberedItem(shop, 55, HANNE, at(1, "24:03"), title, body, labels=("bug",))
    stage.tell("#55 reported", github.issue(bug), posted="24:03")
