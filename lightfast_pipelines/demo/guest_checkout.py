"""The first days: guests want to check out without an account; it is built, reviewed and released."""

from __future__ import annotations

from lightfast_pipelines.demo import github_events as github
from lightfast_pipelines.demo import github_reviews as reviews
from lightfast_pipelines.demo.cast import HANNE, JONAS, MIRA, PRIYA, ROBOT, TOMAS
from lightfast_pipelines.demo.github_events import Commit, NumberedItem
from lightfast_pipelines.demo.stage import Stage

# The branch that Linear proposes for its issue.
FEATURE = "mira/chk-12-guest-checkout"


def tell(stage: Stage) -> tuple[NumberedItem, Commit, Commit]:
    """Returns the feature's pull request, its merge, and the last commit before the release."""
    wish = _wished(stage)
    pull = _built(stage)
    _reviewed(stage, pull)
    return pull, *_released(stage, wish, pull)


def _wished(stage: Stage) -> NumberedItem:
    shop, at = stage.shop, stage.at
    title = "Guests cannot check out without an account"
    body = (
        "A third of the carts are left at the sign-up page. Support gets ten mails a day about it.\n\n"
        "Please let people pay with nothing but an e-mail address."
    )
    wish = NumberedItem(shop, 41, HANNE, at(7, "08:12"), title, body, labels=("checkout",))
    label = {"id": 1, "name": "checkout"}
    stage.tell("#41 wished for", github.issue(wish))
    stage.tell("#41 labelled", github.issue(wish, "labeled", MIRA, at(7, "08:40"), label=label))
    title = "How should guest checkout treat saved addresses?"
    body = "If the e-mail belongs to an account, do we offer its addresses? I think that leaks data. See #41."
    question = NumberedItem(shop, 42, PRIYA, at(7, "09:30"), title, body)
    stage.tell("#42 asked", github.discussion(question))
    message = "Add an address form component (#40)\n\nValidates postcodes per country."
    files = ("web/checkout/AddressForm.tsx", "web/checkout/postcodes.ts")
    form = Commit(shop, JONAS, at(7, "11:05"), message, added=files, by_button=True)
    stage.tell("address form lands", github.push_to_main(stage, JONAS, [form], at(7, "11:06")))
    assigned = github.issue(wish, "assigned", MIRA, at(7, "13:00"), assignees=[MIRA])
    stage.tell("#41 assigned", assigned)
    answer = (
        "A guest sees nothing of an account. We ask them to sign in if they want their addresses."
    )
    answered = github.discussion(question, answer=answer, by=MIRA, at=at(6, "08:55"))
    stage.tell("#42 answered", answered)
    return wish


def _built(stage: Stage) -> NumberedItem:
    shop, at = stage.shop, stage.at
    message = "Let a cart belong to an e-mail address\n\nCarts get a nullable user and an e-mail. Refs #41"
    changed, added = ("api/carts/models.py",), ("api/carts/migrations/0012_guest_email.py",)
    cart = Commit(shop, MIRA, at(6, "10:02"), message, changed=changed, added=added)
    message, changed = "Add POST /checkout/guest", ("api/urls.py",)
    files = ("api/checkout/guest.py", "api/checkout/tests/test_guest.py")
    route = Commit(shop, MIRA, at(6, "11:47"), message, changed=changed, added=files)
    message = "Show the guest form on the checkout page\n\nCo-authored-by: Mira Okafor <mira@harborshop.dev>"
    changed, added = ("web/checkout/CheckoutPage.tsx",), ("web/checkout/GuestForm.tsx",)
    form = Commit(shop, JONAS, at(6, "14:20"), message, changed=changed, added=added)
    work = (cart, route, form)
    title = "Let guests check out with an e-mail address"
    body = (
        "Adds `POST /checkout/guest` and the form for it. Accounts are never looked up by e-mail, as decided "
        "in #42.\n\nCloses #41"
    )
    pull = NumberedItem(
        shop,
        43,
        MIRA,
        at(6, "12:05"),
        title,
        body,
        labels=("checkout", "feature"),
        branch=FEATURE,
        commits=work,
    )
    grown = github.push(MIRA, FEATURE, work[:2], at(6, "12:01"))
    stage.tell("feature branch grows", grown, "filtered")
    stage.tell("#43 opened as a draft", github.pull_request(pull, draft=True))
    grown = github.push(JONAS, FEATURE, work[2:], at(6, "14:21"), before=route.sha)
    stage.tell("Jonas adds the form", grown, "filtered")
    synchronized = github.pull_request(pull, "synchronize", JONAS, at(6, "14:22"), draft=True)
    stage.tell("#43 synchronized", synchronized)
    return pull


def _reviewed(stage: Stage, pull: NumberedItem) -> None:
    shop, at = stage.shop, stage.at
    ready = github.pull_request(pull, "ready_for_review", MIRA, at(5, "08:30"))
    stage.tell("#43 ready for review", ready)
    asked = github.pull_request(pull, "review_requested", MIRA, at(5, "08:31"), reviewers=[PRIYA])
    stage.tell("#43 review asked for", asked)
    reason = "`POST /checkout/guest` must be rate limited, or anyone can probe for carts."
    review = reviews.review(pull, PRIYA, "changes_requested", reason, at(5, "10:15"))
    stage.tell("#43 changes requested", review)
    title = "Address form loses the postcode on back navigation"
    body = "Fill in the form, go on to payment, go back: the postcode is empty. Firefox and Safari."
    lost = NumberedItem(shop, 44, HANNE, at(5, "09:20"), title, body, labels=("bug",))
    stage.tell("#44 reported", github.issue(lost))
    files = ("web/checkout/AddressForm.tsx", "web/checkout/postcodes.ts")
    message = (
        "Keep the postcode when going back\n\nThe field was mounted before its country was known."
    )
    keep = Commit(shop, JONAS, at(5, "12:40"), message, changed=files)
    title = "Keep the postcode when going back"
    body = (
        "The field was mounted before its country was known, and validated to nothing.\n\nFixes #44"
    )
    small = NumberedItem(
        shop,
        45,
        JONAS,
        at(5, "12:44"),
        title,
        body,
        labels=("bug",),
        branch="fix/postcode",
        commits=(keep,),
    )
    stage.tell("#45 opened", github.pull_request(small))
    approval = reviews.review(small, MIRA, "approved", "Nice and small.", at(5, "13:02"))
    stage.tell("#45 approved", approval)
    message = "Keep the postcode when going back (#45)\n\nFixes #44"
    merged_at = at(5, "13:05")
    squashed = Commit(shop, JONAS, merged_at, message, changed=files, by_button=True)
    merged = github.pull_request(small, "closed", MIRA, merged_at, merge=squashed)
    stage.tell("#45 merged", merged)
    stage.tell("#45 on main", github.push_to_main(stage, MIRA, [squashed], merged_at))
    stage.tell("#44 closed", github.issue(lost, "closed", MIRA, merged_at))


def _released(stage: Stage, wish: NumberedItem, pull: NumberedItem) -> tuple[Commit, Commit]:
    """The fourth day: somebody other than its author merges the feature."""
    shop, at = stage.shop, stage.at
    text = "Rate limit looks right: five tries a minute."
    stage.tell("#43 approved", reviews.review(pull, PRIYA, "approved", text, at(4, "08:10")))
    message = "Limit guest checkout to five tries a minute"
    files = ("api/checkout/guest.py", "api/settings/limits.py")
    limit = Commit(shop, MIRA, at(4, "07:50"), message, changed=files)
    message = f"Merge pull request #43 from harbor-shop/{pull.branch}\n\nLet guests check out with an e-mail address"
    files = ("api/checkout/guest.py", "web/checkout/CheckoutPage.tsx")
    merge = Commit(shop, TOMAS, at(4, "09:00"), message, changed=files, by_button=True)
    merged = github.pull_request(pull, "closed", TOMAS, merge.at, merge=merge)
    stage.tell("#43 merged by Tomás", merged)
    pushed = github.push_to_main(stage, TOMAS, [*pull.commits, limit, merge], merge.at)
    stage.tell("#43 on main", pushed)
    stage.tell("#41 closed", github.issue(wish, "closed", TOMAS, merge.at))
    deleted = github.delete_branch(TOMAS, pull.branch, limit, at(4, "09:01"))
    stage.tell("feature branch deleted", deleted, "filtered")
    bumped = _bump(stage)
    stage.tell("v1.4.0 tagged", github.push_tag(TOMAS, "v1.4.0", bumped, at(4, "10:00")))
    notes = (
        "- Guests check out with an e-mail address (#43)\n- The postcode survives going back (#45)"
    )
    released = github.release(shop, TOMAS, "v1.4.0", "1.4.0: guest checkout", notes, at(4, "10:02"))
    stage.tell("v1.4.0 released", released)
    return merge, bumped


def _bump(stage: Stage) -> Commit:
    """A robot updates a dependency."""
    shop, opened_at, merged_at = stage.shop, stage.at(4, "06:00"), stage.at(4, "09:20")
    title, files = "Bump payments-sdk from 12.1.0 to 12.2.0", ("api/requirements.txt",)
    commit = Commit(shop, ROBOT, opened_at, "Bump payments-sdk to 12.2.0", changed=files)
    body = f"{title.replace('Bump', 'Bumps')}."
    bump = NumberedItem(
        shop,
        46,
        ROBOT,
        opened_at,
        title,
        body,
        labels=("dependencies",),
        branch="deps/payments-sdk-12.2.0",
        commits=(commit,),
    )
    stage.tell("#46 opened", github.pull_request(bump))
    bumped = Commit(shop, ROBOT, merged_at, f"{title} (#46)", changed=files, by_button=True)
    merged = github.pull_request(bump, "closed", TOMAS, merged_at, merge=bumped)
    stage.tell("#46 merged", merged)
    stage.tell("#46 on main", github.push_to_main(stage, TOMAS, [bumped], merged_at))
    return bumped
