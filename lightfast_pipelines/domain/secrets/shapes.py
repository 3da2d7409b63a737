"""Formats of tokens that have no common prefix, but a shape or an address of their own.

Each has a piece of text that every such token contains, which is searched first. The formats are those
that the providers document and that gitleaks and CredSweeper have.
"""

from __future__ import annotations

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# A digit, lower case and capitals within a few characters, which no name has.
_ALL_KINDS = r"(?=[A-Za-z]{0,30}[0-9])(?=[a-z0-9]{0,30}[A-Z])(?=[A-Z0-9]{0,30}[a-z])"

_ALL_KINDS_OF_BASE64URL = (
    r"(?=[A-Za-z_-]{0,30}[0-9])(?=[a-z0-9_-]{0,30}[A-Z])(?=[A-Z0-9_-]{0,30}[a-z])"
)

# (a piece of text that it contains, the format)
SHAPES: tuple[tuple[str, str], ...] = (
    ("AIza", r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    ("AQ.A", r"AQ\.A[A-Za-z0-9_-]{40,}"),
    ("ATATT", r"ATATT[A-Za-z0-9_=-]{16,}"),
    ("ATCTT", r"ATCTT[A-Za-z0-9_=-]{16,}"),
    ("ATBB", r"ATBB(?=[A-Za-z]{0,64}[0-9])[A-Za-z0-9]{24,}"),
    ("1//0", r"1//0[A-Za-z0-9_-]{40,}"),
    ("dapi", r"dapi[0-9a-f]{32}(?:-[0-9])?"),
    ("8Q~", r"[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,34}"),
    ("oy2", r"oy2[a-z0-9]{43}(?![a-z0-9])"),
    ("ABSK", r"ABSK[A-Za-z0-9+/]{100,}={0,2}"),
    ("AZDO", r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])"),
    ("+A", r"[A-Za-z0-9+/]{33,42}\+A(?:CR|SB|RM|EH|IoT)[A-Za-z0-9+/=]{5,7}(?![A-Za-z0-9+/])"),
    ("AzSe", r"[A-Za-z0-9]{42}AzSe[A-D][A-Za-z0-9]{5}(?![A-Za-z0-9])"),
    ("v1.", r"v1\.(?:[0-9a-f]{40}|0-[0-9a-f]{24}-[0-9a-f]{146})(?![A-Za-z0-9])"),
    (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    ("NRAL", r"[0-9a-f]{36}NRAL(?![A-Za-z0-9])"),
    ("dt0", r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    ("cio", rf"cio{_ALL_KINDS}[A-Za-z0-9]{{32}}(?![A-Za-z0-9])"),
    ("CLOJARS_", r"CLOJARS_[A-Za-z0-9]{60}"),
    ("EAA", rf"EAA[A-Z]{_ALL_KINDS_OF_BASE64URL}[A-Za-z0-9_-]{{56,}}"),
    ("AKC", r"AKC[a-z][A-Za-z0-9]{60,}"),
    ("cmVmdGtu", r"cmVmdGtu[A-Za-z0-9]{56}"),
    ("dG9rO", r"dG9rO[A-Za-z0-9+/]{50,}=?"),
    ("EZ", rf"EZ[AT]K{_ALL_KINDS}[A-Za-z0-9]{{50,}}"),
    ("LTAI", rf"LTAI{_ALL_KINDS}[A-Za-z0-9]{{16,24}}(?![A-Za-z0-9])"),
    ("AKID", rf"AKID{_ALL_KINDS}[A-Za-z0-9]{{28,}}(?![A-Za-z0-9])"),
    ("A3-", r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}"),
    ("pat-", rf"pat-(?:na|eu|ap)[0-9]-{_UUID}"),
    ("pk_", r"pk_[0-9]{6,9}_[A-Z0-9]{32}"),
    ("re_", rf"re_(?=[A-Za-z0-9_]{{0,32}}[0-9])[A-Za-z0-9]{{8}}_{_ALL_KINDS}[A-Za-z0-9]{{24}}"),
    ("sk.eyJ", r"sk\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    ("key-", r"key-[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("sk-", rf"sk-{_ALL_KINDS}[A-Za-z0-9]{{40,}}|sk-[0-9a-f]{{32}}(?![A-Za-z0-9])"),
    ("ak-", rf"ak-{_ALL_KINDS}[A-Za-z0-9]{{22}}(?![A-Za-z0-9_-])"),
    ("as-", rf"as-{_ALL_KINDS}[A-Za-z0-9]{{22}}(?![A-Za-z0-9_-])"),
    ("u+", rf"u\+{_ALL_KINDS_OF_BASE64URL}[A-Za-z0-9_-]{{18}}(?![A-Za-z0-9_-])"),
    ("sl.", r"sl\.(?:u\.)?[A-Za-z0-9_-]{100,}"),
    ("fc-", r"fc-[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("access_token$", r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[0-9a-f]{32}"),
    ("access-", rf"access-(?:sandbox|development|production)-{_UUID}"),
    ("sdk-", rf"sdk-{_UUID}"),
    ("oauth:", r"oauth:(?=[a-z]{0,30}[0-9])[a-z0-9]{30}(?![A-Za-z0-9])"),
    ("signkey-", r"signkey-(?:prod|test|branch)-[0-9a-f]{32,}"),
    ("agent:", r"agent:[a-z0-9-]{1,64}:[0-9a-f]{32}"),
    ("user:", r"user:[0-9a-f]{32}"),
    # Hashes of passwords, from which a password can be guessed.
    ("$2", r"\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}"),
    ("$argon2", r"\$argon2(?:id|i|d)\$[^\s\"'`]{40,}"),
    # Addresses to which anyone who knows them can write.
    ("/webhooks/", r"discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{16,22}/[A-Za-z0-9_-]{40,}"),
    ("hooks.slack", r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9_/-]{20,}"),
    ("webhook.office.com", r"webhook\.office\.com/webhookb?2?/[A-Za-z0-9@/_-]{40,}"),
    ("hooks.zapier.com", r"hooks\.zapier\.com/hooks/catch/[0-9]{3,}/[A-Za-z0-9]{6,}"),
    ("maker.ifttt.com", r"maker\.ifttt\.com/trigger/[^/\s]{1,100}/(?:json/)?with/key/[A-Za-z0-9_-]{16,}"),
    ("/deploy/prj_", r"api\.vercel\.com/v1/integrations/deploy/prj_[A-Za-z0-9]{20,}/[A-Za-z0-9]{6,}"),
    ("/build_hooks/", r"api\.netlify\.com/build_hooks/[0-9a-f]{24}"),
)  # fmt: skip

# Formats whose piece of text is in many other texts: (the piece, a pattern of what every such token contains,
# the format). The pattern begins with plain text, which is found ten times as fast as one of several letters.
COMMON_SHAPES: tuple[tuple[str, str, str], ...] = (
    ("pat", r"pat[A-Za-z0-9]{14}\.", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    ("at.", r"at\.[A-Za-z0-9_-]{22}\.", r"[ps]at\.[A-Za-z0-9_-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}"),
    ("st.", r"st\.[0-9a-f]{24}\.", r"st\.[0-9a-f]{24}(?:\.[0-9a-f]{32}){2}"),
    (".", r"\.[A-Za-z0-9]{24}", rf"[sb]\.{_ALL_KINDS}[A-Za-z0-9]{{24}}(?![A-Za-z0-9_.-])"),
    ("|", r"\|[A-Za-z0-9+/=]{40}", r"(?:prod|dev|preview):[a-z0-9-]{3,64}\|[A-Za-z0-9+/=]{40,}"),
    ("0.", r"0\.[0-9a-f]{8}-", rf"0\.{_UUID}\.[A-Za-z0-9]{{30}}:[A-Za-z0-9+/]{{22}}=="),
    ("/", r"/[0-9]{16}", r"[12]/[0-9]{16}(?:/[0-9]{16})?:[0-9a-f]{32}"),
    # Discord's bots; nothing else has three parts of these lengths.
    (
        ".",
        r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}",
        r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}(?![A-Za-z0-9_-])",
    ),
)  # fmt: skip
