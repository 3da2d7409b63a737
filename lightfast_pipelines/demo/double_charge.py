"""The last days: guests are charged twice, and the fix in two repositories."""

from __future__ import annotations

from dataclasses import dataclass

from lightfast_pipelines.demo import payloads, today
from lightfast_pipelines.demo.cast import HANNE, JONAS, MIRA, PRIYA, TOMAS
from lightfast_pipelines.demo.payloads import Commit, Numbered
from lightfast_pipelines.demo.story import Stage


@dataclass(frozen=True, slots=True)
class MergedFix:
    """The report, the pull request that fixed it, and its merge."""

    bug: Numbered
    fix: Numbered
    merge: Commit


def tell(stage: Stage) -> MergedFix:
    bug, twin = _reports(stage)
    slow = _slow_carts(stage)
    fix = _the_fix(stage)
    receipt = _meanwhile(stage, fix)
    merge = today.tell(stage, bug, twin, slow, fix, receipt)
    return MergedFix(bug, fix, merge)


def _reports(stage: Stage) -> tuple[Numbered, Numbered]:
    shop, at = stage.shop, stage.at
    bug = Numbered(
        shop,
        47,
        HANNE,
        at(3, "07:45"),
        "Guests are charged twice when the payment page is reloaded",
        "Four customers since yesterday, all guests, all on slow connections. They press reload while the "
        "spinner turns and pay again.",
        labels=("bug", "urgent"),
    )
    stage.tell(
        "#47 reported",
        "issues",
        payloads.issue(bug, "opened", HANNE, at(3, "07:45")),
        at(3, "07:45"),
    )
    stage.tell(
        "#47 made urgent",
        "issues",
        payloads.issue(bug, "labeled", TOMAS, at(3, "07:50"), label={"id": 2, "name": "urgent"}),
        at(3, "07:50"),
    )
    twin = Numbered(
        stage.payments,
        7,
        PRIYA,
        at(3, "08:30"),
        "POST /charges has no idempotency key",
        "A repeated request makes a second charge. Seen in harbor-shop/storefront#47.",
        labels=("bug",),
    )
    # Its report is lost on the way and arrives today, after it was closed.
    log = Commit(
        shop,
        PRIYA,
        at(3, "09:12"),
        "Log the payment intent on every attempt\n\nSo that we can tell a retry from a second purchase. Refs #47",
        changed=("api/checkout/payment.py",),
    )
    stage.tell(
        "attempts are logged",
        "push",
        payloads.push(shop, PRIYA, "main", [log], at=at(3, "09:13")),
        at(3, "09:13"),
    )
    asked = Numbered(
        shop,
        48,
        PRIYA,
        at(3, "10:00"),
        "Should a retried checkout be idempotent by default?",
        "Both the shop and payments-api would need a key. Who makes it, and for how long is it good? See #47.",
    )
    stage.tell(
        "#48 asked",
        "discussion",
        payloads.discussion(asked, "created", PRIYA, at(3, "10:00")),
        at(3, "10:00"),
    )
    stage.tell(
        "#48 answered",
        "discussion",
        payloads.discussion(
            asked,
            "answered",
            TOMAS,
            at(2, "09:00"),
            answer="The browser makes it with the cart, and it is good for a day. Anything later is a new purchase.",
        ),
        at(2, "09:00"),
    )
    return bug, twin


def _slow_carts(stage: Stage) -> Numbered:
    shop, at = stage.shop, stage.at
    slow = Numbered(
        shop,
        49,
        TOMAS,
        at(3, "13:20"),
        "Checkout times out for carts over 50 items",
        "GET /carts/{id}/totals takes 9 s for the wholesale customers; the gateway gives up after 5 s.",
        labels=("performance",),
    )
    stage.tell(
        "#49 reported",
        "issues",
        payloads.issue(slow, "opened", TOMAS, at(3, "13:20")),
        at(3, "13:20"),
    )
    retry = Numbered(
        shop,
        50,
        JONAS,
        at(3, "15:00"),
        "Retry the payment when it times out",
        "Tries again up to three times. Should help with #49.",
        branch="retry-payment",
        commits=(
            Commit(
                shop, JONAS, at(3, "14:58"), "Retry the payment", changed=("web/checkout/pay.ts",)
            ),
        ),
    )
    stage.tell(
        "#50 opened",
        "pull_request",
        payloads.pull_request(retry, "opened", JONAS, at(3, "15:00")),
        at(3, "15:00"),
    )
    stage.tell(
        "#50 turned down",
        "pull_request",
        payloads.pull_request(retry, "closed", PRIYA, at(2, "08:00")),
        at(2, "08:00"),
    )
    index = Commit(
        shop,
        TOMAS,
        at(2, "10:30"),
        "Add an index on cart_items.cart_id\n\nTotals of 200 items: 9.1 s before, 40 ms after.\n\nFixes #49",
        changed=("api/carts/models.py",),
        added=("api/carts/migrations/0013_cart_items_index.py",),
    )
    stage.tell(
        "index lands",
        "push",
        payloads.push(shop, TOMAS, "main", [index], at=at(2, "10:31")),
        at(2, "10:31"),
    )
    stage.tell(
        "#49 closed",
        "issues",
        payloads.issue(slow, "closed", TOMAS, at(2, "10:31")),
        at(2, "10:31"),
    )
    stage.tell(
        "#49 reopened",
        "issues",
        payloads.issue(slow, "reopened", HANNE, at(2, "16:40")),
        at(2, "16:40"),
    )
    return slow


def _the_fix(stage: Stage) -> Numbered:
    shop, at = stage.shop, stage.at
    commits = (
        Commit(
            shop,
            PRIYA,
            at(2, "11:10"),
            "Make an idempotency key with the cart",
            changed=("web/checkout/pay.ts", "api/carts/models.py"),
        ),
        Commit(
            shop,
            PRIYA,
            at(2, "13:35"),
            "Charge a checkout only once\n\nThe second request with a key waits for the first and gets its answer.",
            changed=("api/checkout/payment.py",),
            added=("api/checkout/tests/test_charged_once.py",),
        ),
    )
    fix = Numbered(
        shop,
        51,
        PRIYA,
        at(2, "13:40"),
        "Charge a checkout only once",
        "The browser makes a key with the cart (decided in #48) and payments-api honours it.\n\n"
        "Fixes #47 and fixes harbor-shop/payments-api#7\n"
        "Fixes CHK-31 and resolves STOREFRONT-1C",
        labels=("bug", "checkout"),
        branch=today.FIX,
        commits=commits,
    )
    stage.tell(
        "fix branch grows",
        "push",
        payloads.push(shop, PRIYA, today.FIX, commits, at=at(2, "13:36")),
        at(2, "13:36"),
        "filtered",
    )
    stage.tell(
        "#51 opened",
        "pull_request",
        payloads.pull_request(fix, "opened", PRIYA, at(2, "13:40")),
        at(2, "13:40"),
    )
    stage.tell(
        "#51 review asked for",
        "pull_request",
        payloads.pull_request(fix, "review_requested", PRIYA, at(2, "13:41"), reviewers=[MIRA]),
        at(2, "13:41"),
    )
    stage.tell(
        "#51 commented",
        "pull_request_review",
        payloads.review(
            fix, MIRA, "commented", "What if the first request dies half way?", at(2, "15:05")
        ),
        at(2, "15:05"),
    )
    stage.tell(
        "#51 approved",
        "pull_request_review",
        payloads.review(
            fix, MIRA, "approved", "The lock's time-out answers my question.", at(1, "09:00")
        ),
        at(1, "09:00"),
    )
    return fix


def _meanwhile(stage: Stage, fix: Numbered) -> Numbered:
    shop, payments, at = stage.shop, stage.payments, stage.at
    accept = Commit(
        payments,
        PRIYA,
        at(1, "08:20"),
        "Accept an idempotency key on POST /charges\n\nKept for a day. Needed by harbor-shop/storefront#51",
        changed=("charges/views.py",),
        added=("charges/idempotency.py",),
    )
    stage.tell(
        "payments-api accepts a key",
        "push",
        payloads.push(payments, PRIYA, "main", [accept], at=at(1, "08:21")),
        at(1, "08:21"),
    )
    guide = Commit(
        shop,
        JONAS,
        at(1, "10:45"),
        "Describe idempotency keys in the checkout guide\n\nRefs #48",
        changed=("docs/checkout.md",),
    )
    stage.tell(
        "guide written",
        "push",
        payloads.push(shop, JONAS, "main", [guide], at=at(1, "10:46")),
        at(1, "10:46"),
    )
    wish = Numbered(
        shop,
        52,
        HANNE,
        at(1, "11:30"),
        "Show a receipt to guests after payment",
        'Guests have no order page. Four of five mails to support are "did my order go through?"',
        labels=("checkout", "feature"),
    )
    stage.tell(
        "#52 wished for",
        "issues",
        payloads.issue(wish, "opened", HANNE, at(1, "11:30")),
        at(1, "11:30"),
    )
    receipt = Numbered(
        shop,
        53,
        JONAS,
        at(1, "15:10"),
        "Show guests a receipt",
        "A page behind a signed link, good for a week.\n\nCloses #52",
        labels=("checkout", "feature"),
        branch="guest-receipt",
        commits=(
            Commit(
                shop,
                JONAS,
                at(1, "15:02"),
                "Show guests a receipt",
                added=("web/checkout/Receipt.tsx", "api/receipts/views.py"),
            ),
        ),
    )
    stage.tell(
        "#53 opened as a draft",
        "pull_request",
        payloads.pull_request(receipt, "opened", JONAS, at(1, "15:10"), draft=True),
        at(1, "15:10"),
    )
    stage.tell(
        "#51 labelled",
        "pull_request",
        payloads.pull_request(fix, "labeled", TOMAS, at(1, "16:00")),
        at(1, "16:00"),
    )
    return receipt
