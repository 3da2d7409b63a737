"""Words that say how much a name tells: generic words, titles, short forms, and very common names.

Hand-written, and only as long as needed: a name that is missing here is at worst merged or listed as
doubtful like any other.
"""

from __future__ import annotations

from lightfast_pipelines.domain.people.first_names import FIRST_NAMES

GENERIC_WORDS = frozenset(
    {
        *("root", "admin", "administrator", "user", "users", "username", "unknown", "none"),
        *("null", "nil", "nobody", "noname", "anonymous", "anon", "guest", "default", "example"),
        *("tester", "testing", "dev", "devs", "developer", "developers", "team"),
        *("your", "firstname", "lastname", "fullname"),
        *("committer", "contributor", "maintainer", "owner", "system", "sysadmin", "webmaster"),
        *("postmaster", "hostmaster", "daemon", "localhost"),
        *("desktop", "laptop", "computer", "macbook", "windows", "ubuntu", "debian"),
        *("centos", "fedora", "vagrant", "docker", "build", "builder", "builds", "bot"),
        *("robot", "jenkins", "travis", "runner", "actions", "action", "workflow", "deploy"),
        *("deployer", "deployment", "releases", "automation", "automated"),
        *(
            "github",
            "gitlab",
            "bitbucket",
            "gitea",
            "git",
            "svn",
            "cvs",
            "hg",
            "mercurial",
            "vscode",
        ),
        *("codespace", "codespaces", "support", "info", "email"),
        *("noreply", "reply", "invalid", "baz", "foobar", "qwerty", "asdf", "asd"),
        *("tmp", "todo", "undefined", "placeholder", "account"),
        *("engineering", "engineer", "ops", "devops", "security"),
        *("organization", "community", "everyone", "mailing"),
        *("students", "ec2", "aws", "azure", "google"),
        *("copilot", "claude", "chatgpt", "openai", "cursor", "dependabot", "renovate", "weblate"),
        *("translations", "translation", "translator", "importer"),
        *("backport", "api", "www"),
        *("hidden", "redacted", "removed", "deleted", "ghost", "somebody", "someone"),
        *("llc", "gmbh", "corp", "software", "labs"),
        *("translators", "manager", "opensource", "website", "infra", "infrastructure", "backend"),
        *("frontend", "documentation", "docs", "official", "subversion", "nightly", "bots"),
        *("technologies", "solutions", "systems", "university", "institute"),
    }
)

# Generic words that are names too: `Travis Oakley`, `Nil Oakley` and `Ann Root` are people.
GENERIC_GIVEN = frozenset({"travis", "nil"})
GENERIC_FAMILY = frozenset({"travis", "jenkins", "guest", "root"})

# Generic only where nothing else is in the name: `Bar`, `Na` and `You` are names too.
GENERIC_ALONE = frozenset(
    {
        *("you", "me", "my", "first", "last", "na", "nan", "bar", "mac", "pi", "all", "list"),
        *("home", "work", "lab", "host", "the", "ci", "cd", "auto", "app", "web", "class", "group"),
        *(
            "machine",
            "local",
            "personal",
            "private",
            "mail",
            "master",
            "merge",
            "service",
            "person",
        ),
        *("human", "people", "hello", "help", "office", "staff", "student", "release", "name"),
        *("author", "server", "pc", "sync", "import", "mirror", "project", "contact", "company"),
        *("foo", "test", "tests", "temp", "inc", "ltd", "foundation", "a", "and", "of", "s"),
        *("no", "not", "any", "some", "new", "old", "real", "nick", "nickname", "login", "id"),
    }
)

# Placeholders made of words that are names as well.
GENERIC_NAMES = frozenset(
    {
        *("doe john", "doe jane", "doe jon", "bloggs joe", "max mustermann", "erika mustermann"),
        *("bar foo", "jane roe", "richard roe", "john public q", "joe schmoe"),
        # What BSD systems call root.
        "charlie root",
    }
)

TITLES = frozenset(
    {
        *("dr", "prof", "mr", "mrs", "ms", "sir", "ing", "dipl", "jr", "sr", "ii", "iii", "phd"),
        *("msc", "bsc", "md", "esq", "mba"),
    }
)

# First names that are written in different ways; a shorter beginning of a name needs no entry.
_SHORT_FORMS = """
alexander alex sasha aleksandr alexandr oleksandr aleksander alexandre alejandro
alexandra alex sasha
andrew andy drew andrei andrey andriy
anthony tony
antonio tony
barbara barb
benjamin ben benny
bradley brad
catherine cathy kate katherine kathryn
charles charlie chuck
christian chris
christina chris tina
christine chris
christopher chris kit
daniel dan danny
david dave davy
deborah deb debbie
dmitry dima dmitri dmitriy dmitrii dmytro
donald don
douglas doug
edward ed eddie ted
elizabeth liz beth eliza lisa
eugene gene evgeny yevgeny evgenii evgeniy
francis frank
frederick fred
gabriel gabe
geoffrey geoff jeff jeffrey
gerald gerry jerry
gregory greg grigory
henry hank harry
ivan vanya
jacob jake
james jim jimmy jamie
jennifer jen jenny
jeremiah jeremy
jessica jess
john jack johnny jon
jonathan jon john nathan
joseph joe joey
joshua josh
katherine kate katie
kenneth ken kenny
lawrence larry
leonard len leo
matthew matt mathew
matthias matt
maxim max
maximilian max
maxwell max
michael mike mick mikhail michal
mikhail misha mike
nathaniel nate nathan
nicholas nick nicolas nikolas
nikolai kolya nick
patrick pat paddy
peter pete
philip phil philipp phillip
raymond ray
rebecca becky
richard rich rick dick
robert bob rob bobby robbie bert
ronald ron
samuel sam
sergey sergei serge serhii sergiy
stephen steve steven stefan
steven steve stephen
stuart stu
susan sue
terence terry
theodore ted theo
thomas tom tommy
timothy tim
victor vic viktor
vincent vince
vladimir vlad volodymyr wladimir
walter walt
william bill will billy liam
yuri yury iurii yurii
zachary zach zack
"""
SHORT_FORMS: dict[str, frozenset[str]] = {}
for _line in _SHORT_FORMS.split("\n"):
    _long, *_short = _line.split() or [""]
    for _form in _short:
        SHORT_FORMS[_long] = SHORT_FORMS.get(_long, frozenset()) | {_form}
        SHORT_FORMS[_form] = SHORT_FORMS.get(_form, frozenset()) | {_long}

# Given and family names of one language of which many people have both. Written as text, as a list of
# strings would be four times as long.
_COMMON = {
    "english": (
        "james john robert michael mike david dave william bill richard thomas tom joseph joe charles"
        " chris christopher daniel dan matthew matt mark steven steve andrew andy paul brian kevin jason"
        " jeff scott eric peter jim tim adam alex sam ben mary sarah jennifer linda emily jessica",
        "smith johnson williams brown jones miller davis wilson anderson thomas taylor moore jackson"
        " martin lee thompson white harris clark robinson walker young allen",
    ),
    "german": (
        "peter michael thomas andreas wolfgang klaus stefan christian martin markus daniel frank"
        " matthias alexander sebastian tobias florian jan max",
        "mueller muller schmidt schneider fischer weber meyer wagner becker schulz hoffmann koch bauer"
        " richter klein wolf schroeder neumann schwarz zimmermann braun krueger hofmann hartmann lange",
    ),
    "spanish": (
        "jose juan antonio manuel francisco carlos luis javier jesus miguel david daniel pedro jorge"
        " maria ana alejandro pablo diego",
        "garcia rodriguez martinez gonzalez lopez hernandez sanchez perez fernandez gomez martin"
        " ramirez diaz torres silva santos souza oliveira pereira costa ferreira",
    ),
    "french": (
        "jean pierre michel philippe nicolas julien thomas alexandre david laurent sebastien",
        "martin bernard dubois thomas robert richard petit durand leroy moreau simon laurent michel",
    ),
    "russian": (
        "alexander alexey alex sergey andrey dmitry ivan vladimir mikhail igor nikolay pavel",
        "ivanov smirnov kuznetsov popov vasiliev petrov sokolov mikhailov novikov volkov morozov",
    ),
    "nordic": (
        "lars jens erik peter anders johan jan henrik martin mikael per ole hans thomas",
        "hansen johansen olsen larsen andersen nielsen jensen pedersen andersson johansson karlsson"
        " nilsson eriksson larsson olsson persson svensson",
    ),
    "indian": (
        "amit rahul raj rajesh sanjay anil sunil vijay ravi sandeep manish deepak ashish abhishek ankit"
        " rohit vivek vikas arun ajay kumar suresh ramesh mohit nikhil akash aditya gaurav saurabh"
        " priya neha pooja",
        "kumar singh sharma gupta verma patel shah jain mishra yadav agarwal reddy rao das khan joshi"
        " mehta nair pandey",
    ),
    "muslim": (
        "mohammed mohammad muhammad mohamed ahmed ahmad ali hassan hussein omar ibrahim abdullah",
        "ali khan ahmed ahmad hussain hussein hassan mohammed mohamed ibrahim rahman islam malik",
    ),
    "japanese": (
        "takashi hiroshi kenji satoshi makoto akira yuki kazuki daisuke takeshi",
        "sato suzuki takahashi tanaka watanabe ito yamamoto nakamura kobayashi kato",
    ),
}
COMMON_NAMES = tuple(
    (frozenset(given.split()), frozenset(family.split())) for given, family in _COMMON.values()
)
COMMON_GIVEN = frozenset().union(*(given for given, _ in COMMON_NAMES))
COMMON_FAMILY = frozenset().union(*(family for _, family in COMMON_NAMES))

# Family names in Latin letters of which a few hundred million people share a hundred: with a given name
# of one syllable, many people have the same name.
_SHARED = (
    "cai cao chan chang chen cheng cui dai deng ding dong du duan fan fang feng fu gao gong gu guo han"
    " hao he hou hu huang jia jiang jin kang kim kong lai lee lei li liang liao lim lin liu long lu luo"
    " ma mao meng ng nguyen pan park peng qian qiao qin qiu ren shao shen shi song su sun tan tang tao"
    " tian tran wan wang wei wen wong wu xia xiang xiao xie xiong xu xue yan yang yao ye yi yin yu yuan"
    " zeng zhang zhao zheng zhong zhou zhu zou"
)
SHARED_FAMILY = frozenset(_SHARED.split())

GIVEN_NAMES = COMMON_GIVEN | FIRST_NAMES | frozenset(SHORT_FORMS)
