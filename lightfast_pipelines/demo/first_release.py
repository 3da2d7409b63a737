"""The fourth day: guest checkout is merged by somebody other than its author, and released."""

from __future__ import annotations

from lightfast_pipelines.demo import github_events as github
from lightfast_pipelines.demo import github_reviews as reviews
from lightfast_pipelines.demo.cast import MIRA, PRIYA, ROBOT, TOMAS
from lightfast_pipelines.demo.github_events import Commit, NumberedItem
from lightfast_pipelines.demo.stage import Stage


def tell(stage: Stage, wish: NumberedItem, pull: NumberedItem) -> tuple[Commit, Commit]:
    """Returns the merge of the feature, and the commit that was merged after it."""
    shop, at = stage.shop, stage.at
    text = "Rate limit looks right: five tries a minute."
    stage.tell("#43 approved", reviews.review(pull, PRIYA, "approved", text, at(4, "08:10")))
    limit = Commit(
        shop,
        MIRA,
        at(4, "07:50"),
        "Limit guest checkout to five tries a minute",
        changed=("api/checkout/guest.py", "api/settings/limits.py"),
    )
    merge = Commit(
        shop,
        TOMAS,
        at(4, "09:00"),
        f"Merge pull request #43 from harbor-shop/{pull.branch}\n\nLet guests check out with an e-mail address",
        changed=("api/checkout/guest.py", "web/checkout/CheckoutPage.tsx"),
        by_button=True,
    )
    merged = github.pull_request(pull, "closed", TOMAS, merge.at, merge=merge)
    stage.tell("#43 merged by Tomás", merged)
    pushed = github.push(TOMAS, "main", [*pull.commits, limit, merge], merge.at)
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
    bump = NumberedItem(
        shop,
        46,
        ROBOT,
        opened_at,
        title,
        f"{title.replace('Bump', 'Bumps')}.",
        labels=("dependencies",),
        branch="deps/payments-sdk-12.2.0",
        commits=(commit,),
    )
    stage.tell("#46 opened", github.pull_request(bump))
    bumped = Commit(shop, ROBOT, merged_at, f"{title} (#46)", changed=files, by_button=True)
    merged = github.pull_request(bump, "closed", TOMAS, merged_at, merge=bumped)
    stage.tell("#46 merged", merged)
    stage.tell("#46 on main", github.push(TOMAS, "main", [bumped], merged_at))
    return bumped
