"""Stop words, which do not say what a piece of work is about: topics and labels leave them out.

They are English function words, parts of contractions (`don't`), and words for what every change does
(`add`, `improved`). Nouns of software (`test`, `docs`) are not among them.
"""

from __future__ import annotations

_FUNCTION_WORDS = """
a able about above across after again against ago ahead all almost alone along already also although
always am among an and another any anybody anymore anyone anything anyway apart are aren around as
aside at away back badly be became because become been before behind being below besides between
beyond both but by came can cannot come could couldn currently d definitely despite did didn directly
do does doesn doing don done down due during each either else enough entirely especially etc even ever
every everyone everything everywhere exactly except far few finally first for former forth fortunately
found from fully further generally get gets getting give given gives go goes going gone good got great
had hadn hardly has hasn have haven having he hence her here him his hopefully how however i if ii in
inside instead into is isn it its itself just keep keeps kept kind largely last lately later least less
let lets like likely little ll long longer look looks lot lots mainly many may maybe me mean meanwhile
might more moreover most mostly much must my myself namely near nearly necessarily need needed needing
needs neither never nevertheless next nice no nobody none nor not nothing now nowhere obviously of off
often oh ok okay old on once one ones only onto or other others otherwise our out outside over overall
own part partially particular particularly past per perhaps please possibly pretty previous previously
probably properly purely put puts quite rather re really reasonably recently regarding s said same say
says second see seem seems seen several shall she should shouldn similarly simply since slightly small
so some somebody somehow someone something sometimes somewhat somewhere soon sorry still such
sufficiently sure t take taken takes tell than thank thanks that the their them themselves then there
therefore these they thing things think this those though through throughout thus till time to together
too toward towards tried tries truly try trying twice two under unfortunately unless unlike unlikely
until up upon us usually various ve very via want wants was wasn way we well went were weren what
whatever when whenever where whereas wherever whether which while who whole whom whose why will with
within without won wont would wouldn yes yet you your yourself
"""
_ROUTINE = """
actual actually add added adding adds address addresses adjust adjusted allow allowed allowing allows
appears apply applied approach attempt avoid avoids based basic better big bit bring brings broke broken
broader bug bugs bump bumped call called change changed changes changing check clean cleaned cleaner
cleanup close closed closes code commit commits complete completely consistent consistently copy correct
corrected correctly create created creates current default delete deleted describe description different
disable disabled draft drop dropped drops easier enable enabled ensure ensures existing explicit
explicitly expose extra feature file files finish first fix fixed fixes fixing fixup follow following
forgot further general good handle handled handles handling hack happen happens help helper hide http
https ignore implement implementation implemented implements improve improved improvement improvements
improves improving include included includes including initial instead introduce introduced issue
issued issues left link made main major make makes making manually master merge merged merges merging
minor misc miscellaneous missing mistake more move moved moves moving multiple new nit nits number
opened option optional optionally order original pass passed passes patch point polish possible pr pull
push pushed quick ready real reason recent reduce refactor refactored reference refs reintegrate relax
release released remove removed removes removing rename renamed reopened replace replaced replaces
request requested requests require required requires resolve resolved resolves restore result return
returned returns revert reverted reverts review rework run running set sets setting several show shows
simple simplify simplified single slight small solve solved solves some specific split start started
stop stopped stuff suggest suggested support supported supporting supports switch switched temporarily
temporary tidy tiny touch treat trivial turn tweak tweaks typo typos unify unnecessary unused update
updated updates updating use used useful user uses using value variable various version versions wip
work worked working works wrap wrong
"""

FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
STOP_WORDS = FUNCTION_WORDS | frozenset(_ROUTINE.split())
