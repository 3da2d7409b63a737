"""The first days: guests ask to check out without an account, and a pull request lets them."""

from __future__ import annotations

from dataclasses import dataclass

from lightfast_pipelines.demo import first_release, payloads
from lightfast_pipelines.demo.cast import HANNE, JONAS, MIRA, PRIYA
from lightfast_pipelines.demo.payloads import Commit, Numbered
from lightfast_pipelines.demo.story import Stage

# As Linear proposes it for its issue.
FEATURE = "mira/chk-12-guest-checkout"


@dataclass(frozen=True, slots=True)
class Shipped:
    """The feature's pull request, its merge, and the last commit before the release."""

    pull: Numbered
    merge: Commit
    bumped: Commit


def tell(stage: Stage) -> Shipped:
    shop, at = stage.shop, stage.at
    wish = Numbered(
        shop,
        41,
        HANNE,
        at(7, "08:12"),
        "Guests cannot check out without an account",
        "A third of the carts are left at the sign-up page. Support gets ten mails a day about it.\n\n"
        "Please let people pay with nothing but an e-mail address.",
        labels=("checkout",),
    )
    stage.tell(
        "#41 wished for",
        "issues",
        payloads.issue(wish, "opened", HANNE, at(7, "08:12")),
        at(7, "08:12"),
    )
    stage.tell(
        "#41 labelled",
        "issues",
        payloads.issue(wish, "labeled", MIRA, at(7, "08:40"), label={"id": 1, "name": "checkout"}),
        at(7, "08:40"),
    )
    question = Numbered(
        shop,
        42,
        PRIYA,
        at(7, "09:30"),
        "How should guest checkout treat saved addresses?",
        "If the e-mail belongs to an account, do we offer its addresses? I think that leaks data. See #41.",
    )
    stage.tell(
        "#42 asked",
        "discussion",
        payloads.discussion(question, "created", PRIYA, at(7, "09:30")),
        at(7, "09:30"),
    )
    form = Commit(
        shop,
        JONAS,
        at(7, "11:05"),
        "Add an address form component (#40)\n\nValidates postcodes per country.",
        added=("web/checkout/AddressForm.tsx", "web/checkout/postcodes.ts"),
        by_button=True,
    )
    stage.tell(
        "address form lands",
        "push",
        payloads.push(shop, JONAS, "main", [form], at=at(7, "11:06")),
        at(7, "11:06"),
    )
    stage.tell(
        "#41 assigned",
        "issues",
        payloads.issue(wish, "assigned", MIRA, at(7, "13:00"), assignees=[MIRA]),
        at(7, "13:00"),
    )

    stage.tell(
        "#42 answered",
        "discussion",
        payloads.discussion(
            question,
            "answered",
            MIRA,
            at(6, "08:55"),
            answer="A guest sees nothing of an account. We ask them to sign in if they want their addresses.",
        ),
        at(6, "08:55"),
    )
    work = (
        Commit(
            shop,
            MIRA,
            at(6, "10:02"),
            "Let a cart belong to an e-mail address\n\nCarts get a nullable user and an e-mail. Refs #41",
            changed=("api/carts/models.py",),
            added=("api/carts/migrations/0012_guest_email.py",),
        ),
        Commit(
            shop,
            MIRA,
            at(6, "11:47"),
            "Add POST /checkout/guest",
            changed=("api/urls.py",),
            added=("api/checkout/guest.py", "api/checkout/tests/test_guest.py"),
        ),
        Commit(
            shop,
            JONAS,
            at(6, "14:20"),
            "Show the guest form on the checkout page\n\nCo-authored-by: Mira Okafor <mira@harborshop.dev>",
            changed=("web/checkout/CheckoutPage.tsx",),
            added=("web/checkout/GuestForm.tsx",),
        ),
    )
    pull = Numbered(
        shop,
        43,
        MIRA,
        at(6, "12:05"),
        "Let guests check out with an e-mail address",
        "Adds `POST /checkout/guest` and the form for it. Accounts are never looked up by e-mail, as decided "
        "in #42.\n\nCloses #41",
        labels=("checkout", "feature"),
        branch=FEATURE,
        commits=work,
    )
    stage.tell(
        "feature branch grows",
        "push",
        payloads.push(shop, MIRA, FEATURE, work[:2], at=at(6, "12:01")),
        at(6, "12:01"),
        "filtered",
    )
    stage.tell(
        "#43 opened as a draft",
        "pull_request",
        payloads.pull_request(pull, "opened", MIRA, at(6, "12:05"), draft=True),
        at(6, "12:05"),
    )
    stage.tell(
        "Jonas adds the form",
        "push",
        payloads.push(shop, JONAS, FEATURE, work[2:], at=at(6, "14:21")),
        at(6, "14:21"),
        "filtered",
    )
    stage.tell(
        "#43 synchronized",
        "pull_request",
        payloads.pull_request(pull, "synchronize", JONAS, at(6, "14:22"), draft=True),
        at(6, "14:22"),
    )

    stage.tell(
        "#43 ready for review",
        "pull_request",
        payloads.pull_request(pull, "ready_for_review", MIRA, at(5, "08:30")),
        at(5, "08:30"),
    )
    stage.tell(
        "#43 review asked for",
        "pull_request",
        payloads.pull_request(pull, "review_requested", MIRA, at(5, "08:31"), reviewers=[PRIYA]),
        at(5, "08:31"),
    )
    stage.tell(
        "#43 changes requested",
        "pull_request_review",
        payloads.review(
            pull,
            PRIYA,
            "changes_requested",
            "`POST /checkout/guest` must be rate limited, or anyone can probe for carts.",
            at(5, "10:15"),
        ),
        at(5, "10:15"),
    )
    lost = Numbered(
        shop,
        44,
        HANNE,
        at(5, "09:20"),
        "Address form loses the postcode on back navigation",
        "Fill in the form, go on to payment, go back: the postcode is empty. Firefox and Safari.",
        labels=("bug",),
    )
    stage.tell(
        "#44 reported",
        "issues",
        payloads.issue(lost, "opened", HANNE, at(5, "09:20")),
        at(5, "09:20"),
    )
    keep = Commit(
        shop,
        JONAS,
        at(5, "12:40"),
        "Keep the postcode when going back\n\nThe field was mounted before its country was known.",
        changed=("web/checkout/AddressForm.tsx", "web/checkout/postcodes.ts"),
    )
    small = Numbered(
        shop,
        45,
        JONAS,
        at(5, "12:44"),
        "Keep the postcode when going back",
        "The field was mounted before its country was known, and validated to nothing.\n\nFixes #44",
        labels=("bug",),
        branch="fix/postcode",
        commits=(keep,),
    )
    stage.tell(
        "#45 opened",
        "pull_request",
        payloads.pull_request(small, "opened", JONAS, at(5, "12:44")),
        at(5, "12:44"),
    )
    stage.tell(
        "#45 approved",
        "pull_request_review",
        payloads.review(small, MIRA, "approved", "Nice and small.", at(5, "13:02")),
        at(5, "13:02"),
    )
    squashed = Commit(
        shop,
        JONAS,
        at(5, "13:05"),
        "Keep the postcode when going back (#45)\n\nFixes #44",
        changed=("web/checkout/AddressForm.tsx", "web/checkout/postcodes.ts"),
        by_button=True,
    )
    stage.tell(
        "#45 merged",
        "pull_request",
        payloads.pull_request(small, "closed", MIRA, at(5, "13:05"), merge=squashed),
        at(5, "13:05"),
    )
    stage.tell(
        "#45 on main",
        "push",
        payloads.push(shop, MIRA, "main", [squashed], at=at(5, "13:05")),
        at(5, "13:05"),
    )
    stage.tell(
        "#44 closed", "issues", payloads.issue(lost, "closed", MIRA, at(5, "13:05")), at(5, "13:05")
    )

    merge, bumped = first_release.tell(stage, wish, pull)
    return Shipped(pull, merge, bumped)
