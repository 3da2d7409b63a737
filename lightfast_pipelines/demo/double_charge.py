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
    """What is still open on GitHub this morning; `twin` is the bug in the other repository."""

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
    title = "Guests are charged twice when the payment page is reloaded"
    body = (
        "Four customers since yesterday, all guests, all on slow connections. They press reload while the "
        "spinner turns and pay again."
    )
    bug = NumberedItem(shop, 47, HANNE, at(3, "07:45"), title, body, labels=("bug", "urgent"))
    label = {"id": 2, "name": "urgent"}
    stage.tell("#47 reported", github.issue(bug))
    stage.tell("#47 made urgent", github.issue(bug, "labeled", TOMAS, at(3, "07:50"), label=label))
    # The delivery of this report is lost on the way and arrives today, after it was closed.
    title = "POST /charges has no idempotency key"
    body = "A repeated request makes a second charge. Seen in harbor-shop/storefront#47."
    twin = NumberedItem(stage.payments, 7, PRIYA, at(3, "08:30"), title, body, labels=("bug",))
    message = "Log the payment intent on every attempt\n\nSo that we can tell a retry from a second purchase. Refs #47"
    log = Commit(shop, PRIYA, at(3, "09:12"), message, changed=("api/checkout/payment.py",))
    stage.tell("attempts are logged", github.push_to_main(stage, PRIYA, [log], at(3, "09:13")))
    title = "Should a retried checkout be idempotent by default?"
    body = "Both the shop and payments-api would need a key. Who makes it, and for how long is it good? See #47."
    question = NumberedItem(shop, 48, PRIYA, at(3, "10:00"), title, body)
    stage.tell("#48 asked", github.discussion(question))
    answer = "The browser makes it with the cart, and it is good for a day. Anything later is a new purchase."
    answered = github.discussion(question, answer=answer, by=TOMAS, at=at(2, "09:00"))
    stage.tell("#48 answered", answered)
    return bug, twin


def _slow_carts(stage: Stage) -> NumberedItem:
    shop, at = stage.shop, stage.at
    title = "Checkout times out for carts over 50 items"
    body = "GET /carts/{id}/totals takes 9 s for the wholesale customers; the gateway gives up after 5 s."
    slow = NumberedItem(shop, 49, TOMAS, at(3, "13:20"), title, body, labels=("performance",))
    stage.tell("#49 reported", github.issue(slow))
    again = Commit(
        shop, JONAS, at(3, "14:58"), "Retry the payment", changed=("web/checkout/pay.ts",)
    )
    title = "Retry the payment when it times out"
    body = "Tries again up to three times. Should help with #49."
    retry = NumberedItem(
        shop, 50, JONAS, at(3, "15:00"), title, body, branch="retry-payment", commits=(again,)
    )
    stage.tell("#50 opened", github.pull_request(retry))
    declined = github.pull_request(retry, "closed", PRIYA, at(2, "08:00"))
    stage.tell("#50 turned down", declined)
    message = "Add an index on cart_items.cart_id\n\nTotals of 200 items: 9.1 s before, 40 ms after.\n\nFixes #49"
    changed, added = ("api/carts/models.py",), ("api/carts/migrations/0013_cart_items_index.py",)
    index = Commit(shop, TOMAS, at(2, "10:30"), message, changed=changed, added=added)
    landed_at = at(2, "10:31")
    stage.tell("index lands", github.push_to_main(stage, TOMAS, [index], landed_at))
    stage.tell("#49 closed", github.issue(slow, "closed", TOMAS, landed_at))
    stage.tell("#49 reopened", github.issue(slow, "reopened", HANNE, at(2, "16:40")))
    return slow


def _the_fix(stage: Stage) -> NumberedItem:
    shop, at = stage.shop, stage.at
    message = "Make an idempotency key with the cart"
    files = ("web/checkout/pay.ts", "api/carts/models.py")
    key = Commit(shop, PRIYA, at(2, "11:10"), message, changed=files)
    message = "Charge a checkout only once\n\nThe second request with a key waits for the first and gets its answer."
    changed, added = ("api/checkout/payment.py",), ("api/checkout/tests/test_charged_once.py",)
    once = Commit(shop, PRIYA, at(2, "13:35"), message, changed=changed, added=added)
    commits = (key, once)
    title = "Charge a checkout only once"
    body = (
        "The browser makes a key with the cart (decided in #48) and payments-api honours it.\n\n"
        "Fixes #47 and fixes harbor-shop/payments-api#7\n"
        "Fixes CHK-31 and resolves STOREFRONT-1C"
    )
    fix = NumberedItem(
        shop,
        51,
        PRIYA,
        at(2, "13:40"),
        title,
        body,
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
    message = "Accept an idempotency key on POST /charges\n\nKept for a day. Needed by harbor-shop/storefront#51"
    changed = ("charges/views.py",)
    added = ("charges/idempotency.py",)
    accept = Commit(payments, PRIYA, at(1, "08:20"), message, changed=changed, added=added)
    stage.tell(
        "payments-api accepts a key", github.push_to_main(stage, PRIYA, [accept], at(1, "08:21"))
    )
    message = "Describe idempotency keys in the checkout guide\n\nRefs #48"
    guide = Commit(shop, JONAS, at(1, "10:45"), message, changed=("docs/checkout.md",))
    stage.tell("guide written", github.push_to_main(stage, JONAS, [guide], at(1, "10:46")))
    title = "Show a receipt to guests after payment"
    body = 'Guests have no order page. Four of five mails to support are "did my order go through?"'
    wish = NumberedItem(
        shop, 52, HANNE, at(1, "11:30"), title, body, labels=("checkout", "feature")
    )
    stage.tell("#52 wished for", github.issue(wish))
    files = ("web/checkout/Receipt.tsx", "api/receipts/views.py")
    title = "Show guests a receipt"
    body = "A page behind a signed link, good for a week.\n\nCloses #52"
    receipt = NumberedItem(
        shop,
        53,
        JONAS,
        at(1, "15:10"),
        title,
        body,
        labels=("checkout", "feature"),
        branch="guest-receipt",
        commits=(Commit(shop, JONAS, at(1, "15:02"), "Show guests a receipt", added=files),),
    )
    stage.tell("#53 opened as a draft", github.pull_request(receipt, draft=True))
    stage.tell("#51 labelled", github.pull_request(fix, "labeled", TOMAS, at(1, "16:00")))
    return receipt
