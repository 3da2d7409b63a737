"""The last days: guests are charged twice, and the fix in two repositories."""

from __future__ import annotations

from dataclasses import dataclass

from lightfast_pipelines.demo import github_events as github
from lightfast_pipelines.demo import github_reviews as reviews
from lightfast_pipelines.demo.cast import HANNE, JONAS, MIRA, PRIYA, TOMAS
from lightfast_pipelines.demo.github_events import Commit, NumberedItem
from lightfast_pipelines.demo.stage import Stage

# The branch that Linear proposes for its issue.
FIX = "priya/chk-31-double-charge"


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What GitHub still holds open this morning; `twin` is the bug in the other repository."""

    bug: NumberedItem
    twin: NumberedItem
    slow: NumberedItem
    fix: NumberedItem
    receipt: NumberedItem


def tell(stage: Stage) -> OpenWork:
    bug, twin = _reports(stage)
    slow = _slow_carts(stage)
    fix = _the_fix(stage)
    return OpenWork(bug, twin, slow, fix, _meanwhile(stage, fix))


def _reports(stage: Stage) -> tuple[NumberedItem, NumberedItem]:
    shop, at = stage.shop, stage.at
    bug = NumberedItem(
        shop,
        47,
        HANNE,
        at(3, "07:45"),
        "Guests are charged twice when the payment page is reloaded",
        "Four customers since yesterday, all guests, all on slow connections. They press reload while the "
        "spinner turns and pay again.",
        labels=("bug", "urgent"),
    )
    label = {"id": 2, "name": "urgent"}
    stage.tell("#47 reported", github.issue(bug))
    stage.tell("#47 made urgent", github.issue(bug, "labeled", TOMAS, at(3, "07:50"), label=label))
    # The delivery of this report is lost on the way and arrives today, after it was closed.
    twin = NumberedItem(
        stage.payments,
        7,
        PRIYA,
        at(3, "08:30"),
        "POST /charges has no idempotency key",
        "A repeated request makes a second charge. Seen in harbor-shop/storefront#47.",
        labels=("bug",),
    )
    log = Commit(
        shop,
        PRIYA,
        at(3, "09:12"),
        "Log the payment intent on every attempt\n\nSo that we can tell a retry from a second purchase. Refs #47",
        changed=("api/checkout/payment.py",),
    )
    stage.tell("attempts are logged", github.push(PRIYA, "main", [log], at(3, "09:13")))
    question = NumberedItem(
        shop,
        48,
        PRIYA,
        at(3, "10:00"),
        "Should a retried checkout be idempotent by default?",
        "Both the shop and payments-api would need a key. Who makes it, and for how long is it good? See #47.",
    )
    stage.tell("#48 asked", github.discussion(question))
    answer = "The browser makes it with the cart, and it is good for a day. Anything later is a new purchase."
    answered = github.discussion(question, answer=answer, by=TOMAS, at=at(2, "09:00"))
    stage.tell("#48 answered", answered)
    return bug, twin


def _slow_carts(stage: Stage) -> NumberedItem:
    shop, at = stage.shop, stage.at
    slow = NumberedItem(
        shop,
        49,
        TOMAS,
        at(3, "13:20"),
        "Checkout times out for carts over 50 items",
        "GET /carts/{id}/totals takes 9 s for the wholesale customers; the gateway gives up after 5 s.",
        labels=("performance",),
    )
    stage.tell("#49 reported", github.issue(slow))
    again = Commit(
        shop, JONAS, at(3, "14:58"), "Retry the payment", changed=("web/checkout/pay.ts",)
    )
    retry = NumberedItem(
        shop,
        50,
        JONAS,
        at(3, "15:00"),
        "Retry the payment when it times out",
        "Tries again up to three times. Should help with #49.",
        branch="retry-payment",
        commits=(again,),
    )
    stage.tell("#50 opened", github.pull_request(retry))
    declined = github.pull_request(retry, "closed", PRIYA, at(2, "08:00"))
    stage.tell("#50 turned down", declined)
    index = Commit(
        shop,
        TOMAS,
        at(2, "10:30"),
        "Add an index on cart_items.cart_id\n\nTotals of 200 items: 9.1 s before, 40 ms after.\n\nFixes #49",
        changed=("api/carts/models.py",),
        added=("api/carts/migrations/0013_cart_items_index.py",),
    )
    landed_at = at(2, "10:31")
    stage.tell("index lands", github.push(TOMAS, "main", [index], landed_at))
    stage.tell("#49 closed", github.issue(slow, "closed", TOMAS, landed_at))
    stage.tell("#49 reopened", github.issue(slow, "reopened", HANNE, at(2, "16:40")))
    return slow


def _the_fix(stage: Stage) -> NumberedItem:
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
    fix = NumberedItem(
        shop,
        51,
        PRIYA,
        at(2, "13:40"),
        "Charge a checkout only once",
        "The browser makes a key with the cart (decided in #48) and payments-api honours it.\n\n"
        "Fixes #47 and fixes harbor-shop/payments-api#7\n"
        "Fixes CHK-31 and resolves STOREFRONT-1C",
        labels=("bug", "checkout"),
        branch=FIX,
        commits=commits,
    )
    grown = github.push(PRIYA, FIX, commits, at(2, "13:36"))
    stage.tell("fix branch grows", grown, "filtered")
    stage.tell("#51 opened", github.pull_request(fix))
    asked = github.pull_request(fix, "review_requested", PRIYA, at(2, "13:41"), reviewers=[MIRA])
    stage.tell("#51 review asked for", asked)
    for name, verdict, text, reviewed_at in (
        ("#51 commented", "commented", "What if the first request dies half way?", at(2, "15:05")),
        ("#51 approved", "approved", "The lock's time-out answers my question.", at(1, "09:00")),
    ):
        stage.tell(name, reviews.review(fix, MIRA, verdict, text, reviewed_at))
    return fix


def _meanwhile(stage: Stage, fix: NumberedItem) -> NumberedItem:
    shop, payments, at = stage.shop, stage.payments, stage.at
    accept = Commit(
        payments,
        PRIYA,
        at(1, "08:20"),
        "Accept an idempotency key on POST /charges\n\nKept for a day. Needed by harbor-shop/storefront#51",
        changed=("charges/views.py",),
        added=("charges/idempotency.py",),
    )
    stage.tell("payments-api accepts a key", github.push(PRIYA, "main", [accept], at(1, "08:21")))
    guide = Commit(
        shop,
        JONAS,
        at(1, "10:45"),
        "Describe idempotency keys in the checkout guide\n\nRefs #48",
        changed=("docs/checkout.md",),
    )
    stage.tell("guide written", github.push(JONAS, "main", [guide], at(1, "10:46")))
    wish = NumberedItem(
        shop,
        52,
        HANNE,
        at(1, "11:30"),
        "Show a receipt to guests after payment",
        'Guests have no order page. Four of five mails to support are "did my order go through?"',
        labels=("checkout", "feature"),
    )
    stage.tell("#52 wished for", github.issue(wish))
    files = ("web/checkout/Receipt.tsx", "api/receipts/views.py")
    receipt = NumberedItem(
        shop,
        53,
        JONAS,
        at(1, "15:10"),
        "Show guests a receipt",
        "A page behind a signed link, good for a week.\n\nCloses #52",
        labels=("checkout", "feature"),
        branch="guest-receipt",
        commits=(Commit(shop, JONAS, at(1, "15:02"), "Show guests a receipt", added=files),),
    )
    stage.tell("#53 opened as a draft", github.pull_request(receipt, draft=True))
    stage.tell("#51 labelled", github.pull_request(fix, "labeled", TOMAS, at(1, "16:00")))
    return receipt
