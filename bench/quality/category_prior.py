"""What a person would say about words and files without data: the prior of the category model.

Training pulls the weights towards it, so that words which the measured projects hardly use (they have
eleven commits for performance in 7,100) keep a sensible weight. A line is a weight and the features that
have it: `w:` where no kind is written, `1:` the first word, `b:` a pair; see category_features.py.
"""

from __future__ import annotations

from lightfast_pipelines.domain.category_features import stem

_TEXT = """
@testing
3 all:test
1.2 most:test
2 1:test
1.3 test tests testing
1.5 xfail unittest b:unit_test b:test_case b:test_suite b:add_test b:more_test b:test_for
1.5 b:test_coverage b:regression_test b:integration_test b:flaky_test b:skip_test b:fix_test
1.5 b:failing_test
1 e2e coverage pytest flaky jest cypress playwright snapshot mock fixture assertion testcase
1 vitest testsuite tests
.6 parametrize assert stub smoke fuzz hypothesis doctest
@documentation
2.7 all:doc
1.8 all:log
1.3 most:doc
2 readme docs doc documentation docstring whatsnew b:what's_new 1:document 1:docs
1.5 document documented changelog wording tutorial spelling grammar godoc jsdoc javadoc sphinx
1.5 mkdocs readthedocs faq b:release_note b:fix_typo b:broken_link
1.2 typo typos contributing guide changelog
1 clarify comment sponsors sponsor cookbook license copyright badge faq translation 1:clarify
1 1:mention 1:explain 1:note b:code_comment
.6 example link explain instruction page describe section
@infrastructure
2.3 all:ci all:deps
2 all:lock
1.8 all:ops all:tool
1.3 all:build
1.2 all:dep
2 bump b:bump_version b:lock_file b:file_maintenance b:update_dependency b:update_dependencies
2 b:update_dep
1.7 1:bump 1:pin 1:unpin deps b:ci_cd b:github_action b:github_actions b:requirement_from renovate
1.7 dependabot lockfile
1.3 ci dep dependency dependencies workflow travis appveyor circleci jenkins codecov lockfile
1.3 b:pre_commit precommit
1 dockerfile docker helm kubernetes terraform pypi packaging requirements manifest wheel makefile
1 gitignore cmake bazel webpack rollup gradle maven npm yarn pnpm poetry uv toolchain runner cron
1 nightly artifact registry 1:upgrade 1:downgrade release
.8 build version pipeline husky eslint tox nox setup installer action vendor bundle bundler
.8 compile python3 node
.5 script config configuration update upgrade env container image publish
@performance
2.6 perf performance faster speedup 1:optimize 1:optimise
2.2 optimize optimise optimization optimisation speed throughput latency memoize b:speed_up
1.3 slow slower slowness benchmark quadratic cpu overhead b:memory_usage b:reduce_memory
1.3 preallocate allocation
1.2 all:bench 1:cache 1:batch 1:parallelize
.8 cache caching lazy lazily batch efficient efficiently parallel parallelize vectorize prefetch
.5 reduce unnecessary memory expensive redundant avoid
@refactor
2.6 refactor refactoring refactored 1:refactor
1.9 cleanup b:clean_up simplify simplification restructure reorganize reorganise modularize
1.9 decouple deduplicate dedupe reformat autoformat b:dead_code b:code_style tidy rework
1.6 1:rename 1:move 1:extract 1:simplify 1:inline 1:split 1:consolidate 1:unify 1:tidy
1.6 1:reorganize
1.2 rename unused lint linter formatting style prettier black isort ruff flake8 pylint gofmt
1.2 rustfmt clippy indentation whitespace
1 format modernize abstraction b:type_hint b:type_annotation annotation mypy typing typehints
1 pathlib b:f_string fstring deprecated legacy boilerplate redundant obsolete duplicate
1 duplication 1:remove 1:replace 1:migrate 1:convert 1:clean 1:drop 1:delete
.6 extract move split merge use consolidate unify migrate helper separate reuse remove naming
.6 constant private b:instead_of replace b:drop_support b:rename_to
.4 1:use 1:make 1:switch
@feature
1.5 1:implement 1:introduce
1.3 1:add 1:adds 1:support 1:allow 1:added 1:adding
1 1:enable 1:expose 1:provide 1:create 1:extend 1:let b:add_support b:support_for b:ability_to
1 b:new_feature b:initial_support feature 1:initial 1:new
.8 support implement introduce new ability 1:show 1:display 1:accept 1:include 1:improve 1:enhance
.8 1:integrate 1:register 1:generate
.5 allow option enable add endpoint integrate integration command flag ui dashboard plugin button
.5 page custom 1:init 1:collect 1:return b:opt_in
@bug_fix
2.4 fix fixed fixing fixes
.6 1:fix 1:fixes
2 bug bugfix hotfix b:bug_fix
1.5 crash regression incorrect incorrectly wrong wrongly broken segfault deadlock panic
1.5 b:race_condition typeerror keyerror valueerror attributeerror nullpointerexception npe
1.5 traceback
1.2 1:prevent 1:correct 1:handle 1:avoid 1:ensure 1:restore 1:resolve 1:don't 1:stop 1:guard
1.2 1:preserve 1:revert leak infinite overflow mismatch undefined nil null b:not_found b:not_work
.8 error exception fail fails failing failure failed missing invalid prevent avoid unexpected
.8 properly correctly issue problem empty duplicate stale hang timeout workaround escape encode
.8 revert
.5 1:do 1:set 1:check 1:skip 1:always 1:only 1:use cannot can't doesn't not when ignore ensure
.5 handle correct edge case resolve should without instead
"""


def prior() -> dict[str, dict[str, float]]:
    """The weight of each feature for each category that it speaks for."""
    weights: dict[str, dict[str, float]] = {}
    category = ""
    for line in _TEXT.split("\n"):
        if line.startswith("@"):
            category = line[1:]
            continue
        weight, *names = line.split() or [""]
        for name in names:
            weights.setdefault(_feature(name), {})[category] = float(weight)
    return weights


def _feature(name: str) -> str:
    kind, _, rest = name.rpartition(":")
    if kind in {"", "w", "1"}:
        return f"{kind or 'w'}:{stem(rest)}"
    if kind == "b":
        return f"b:{' '.join(map(stem, rest.split('_')))}"
    return name
