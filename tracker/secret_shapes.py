"""Secrets in running text: what they look like, and the text without them.

Pure functions of text. Every pattern is linear: runs are matched possessively and from their first character only,
so that no text, however hostile, is read again and again. Masking masked text changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from tracker.redact import MASK
from tracker.secret_names import is_header, may_count, names_secret, words_of

_HINTS = (
    "pass", "pw", "token", "secret", "key", "authorization", "credential", "cookie", "sess", "sig", "code=",
)  # fmt: skip
"""A text without any of these, in lower case, has no name that stands for a secret."""

_TOKENS = (
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|eyJ[\w-]{16,}+(?:\.[\w-]*+){0,4}"  # JSON Web Tokens
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_\w{20,}+|glpat-[\w-]{16,}+"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}+|xapp-[A-Za-z0-9-]{10,}+"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}+|whsec_[A-Za-z0-9+/=]{16,}+"
    r"|(?<!-)sk-(?=[A-Za-z_-]*+[0-9])[\w-]{20,}+"
    r"|trk_[\w-]{20,}+"
    r"|AIza[\w-]{30,}+|ya29\.[\w.-]{10,}+|SG\.[\w-]{10,}+\.[\w-]{10,}+"
    r"|npm_[A-Za-z0-9]{20,}+|hf_[A-Za-z0-9]{20,}+|dop_v1_[a-f0-9]{32,}+"
    r"|(?<!-)pypi-(?=[a-z0-9_-]*+[A-Z])[\w-]{30,}+"
    r")"
)
_SHAPES: tuple[tuple[str, str], ...] = (
    (
        r"(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r".*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        MASK,
    ),
    (_TOKENS, MASK),
    (r"\b(B(?:earer|EARER)\s{1,8})[A-Za-z0-9._~+/=-]++", rf"\1{MASK}"),
    # "the bearer 1st" is prose.
    (r"\b(bearer\s{1,8})(?=[A-Za-z._~+/=-]*+[0-9])[A-Za-z0-9._~+/=-]{8,}+", rf"\1{MASK}"),
    (r"(hooks\.slack\.com/[a-z]{1,16}/)[\w/-]++", rf"\1{MASK}"),
    # user:password@host/path without a scheme; the path or port tells it from mail addresses and versions.
    (
        r"(?<![\w./@:+-])(?!mailto:)[\w.+-]{1,64}:[^\s@/:\"'<>]{1,128}@(?!sha\d)(?=[A-Za-z0-9.-]{1,253}(?::\d{2,5}\b|/\w))",
        f"{MASK}@",
    ),
    # curl -u user:password, also as a list of arguments; two numbers are a user and a group.
    (
        r"((?<![\w-])(?:-[uU]|--(?:proxy-)?user)(?:[ =]|[\"'],\s?)[\"']?(?!\d{1,9}:\d{1,9}\b)[^\s:\"'/]{1,64}:)(?![/ ])"
        r"[^\s\"']++",
        rf"\1{MASK}",
    ),
)

_ADDRESS = r"://((?:(?!://|[\"'][,;:)}\]])\S)*+)((?: [^\s@\"'<>:]{1,64}){1,2}@)?"
_HOST = r"(?:\[[^\]\s]*\]|[^:\s]+)?(?::\d*)?"


def _user_info(found: re.Match[str]) -> str:
    """An address without user and password, up to its last ``@``: passwords are not always escaped."""
    run, more = found[1], found[2] or ""
    if "@" not in run and not more:
        return found[0]
    authority = re.split(r"[/?#]", run, maxsplit=1)[0]
    is_host = re.fullmatch(_HOST, authority) is not None and not _is_password(authority, run, found)
    if "@" not in authority and is_host:
        return found[0]
    if "@" in run:
        return f"://{MASK}@{run.rpartition('@')[2]}{more}"
    return f"://{MASK}@" if more else found[0]


def _is_password(authority: str, run: str, found: re.Match[str]) -> bool:
    """Whether what looks like host and port is user and password of digits: ``postgres://bob:1234/x@db``."""
    web = found.string[max(0, found.start() - 5) : found.start()].lower().endswith(("http", "https", "docker", "oci"))
    return ":" in authority and "@" in run and not run.rpartition("@")[2].startswith("sha256:") and not web


# ---- names and their values ----------------------------------------------------------------------

_PAIR = (
    r"(?<![\w.-])(?P<key>[\w.-]++)(?P<close>\\{0,8}[\"']?\]?)"
    r"(?P<sep>[^\S\n]{0,8}(?:=>|:=|=(?!=)|:(?!:|//))[^\S\n]{0,8}|,[^\S\n]{0,4}(?=[bru]?[\"']))"
)
_OPTION = (
    r"(?<![\w-])--?(?P<key>[A-Za-z][\w-]*+)(?P<sep>[^\S\n]{1,8}|[\"'],\s{0,4}[bru]?(?=[\"']))"
    r"(?!-|(?:is|are|to|or|and|was|for|if|must|needs?|requires?|cannot|has)\b)"
)
_ELEMENT = r"<(?:[\w.-]{1,40}:)?(?P<key>[\w.-]++)(?:\s[^<>]{0,200})?>(?=[^<]{0,4096}</)"

_QUOTED = r"[bBrRuUfF]{0,2}(?:\"(?:[^\"\\]|\\.){0,4096}+\"|'(?:[^'\\]|\\.){0,4096}+')"
_ESCAPED = r"\\+(?:\"(?:[^\"\\\n]|\\\\+[\"']?|\\[^\"'\\])*+(?:\\\")?|'(?:[^'\\\n]|\\\\+[\"']?|\\[^\"'\\])*+(?:\\')?)"
_LIST = rf"[\[({{](?:{_QUOTED}|[^\])}}\"'\n])*+[\])}}]?"
_BLOCK = r"[|>][-+]?[0-9]?(?:(?:\n[^\S\n]+[^\n]*)+|(?: {2,}+\S++)+| \S++)"
_STOP = r"\s|\Z|[,;&)\"'\]}>|]|</|\\[\"']|[\"']?[\w.-]{1,40}[\"']?\s{0,4}[=:]"
_PLAIN = rf"(?:[^\s,;&)\"'\]}}<>]|[,;&)\"'\]}}>](?!{_STOP})|<(?!/))++"
_VALUE = rf"(?s:{_QUOTED}|{_ESCAPED}|{_LIST}|{_BLOCK}|[\"'][^\n]*)(?:[^\s,;&)\"'\]}}<>])*+|{_PLAIN}"

_SCHEME = (
    r"(?i:basic|bearer|digest|negotiate|ntlm|api-?key|token|key|hawk|oauth|aws4-hmac-sha256|sharedkey(?:lite)?|hmac\S*)"
    r"\s{1,4}"
)
_PROSE = r"[A-Za-z]+(?=[^\S\n]+\w)"
_NUMBER = r"[\[(\"']?[0-9][0-9,._]*[\"']?(?:\s*[a-z%]{0,2})?(?=[\s,;)}\]&]|\Z)"
_QUERY = frozenset({"key", "code", "sig", "signature"})


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Kept here, because the cache of re itself is emptied by programs with many patterns.
    return re.compile(pattern)


def masked(text: str) -> str:
    """``text`` with passwords, tokens and keys masked; ordinary prose stays as it is.

    >>> masked("cannot reach redis://:hunter2@cache:6379")
    'cannot reach redis://…@cache:6379'
    """
    if "@" in text:
        text = _compiled(_ADDRESS).sub(_user_info, text)
    for pattern, mask in _SHAPES:
        text = _compiled(pattern).sub(mask, text)
    lowered = text.lower()
    if any(hint in lowered for hint in _HINTS):
        for pattern, value_of in ((_OPTION, _option_value), (_PAIR, _pair_value), (_ELEMENT, _element_value)):
            text = _swept(text, pattern, value_of)
    return text


Span = tuple[int, int] | None


def _swept(text: str, pattern: str, value_of: Callable[[re.Match[str]], Span]) -> str:
    """``text`` with the value of every name masked that ``value_of`` finds a value for."""
    kept: list[str] = []
    at = 0
    for found in _compiled(pattern).finditer(text):
        span = value_of(found) if found.start() >= at else None
        if span is not None and text[span[0] : span[0] + 1] != MASK:
            kept += (text[at : span[0]], MASK)
            at = span[1]
    return "".join(kept) + text[at:] if kept else text


def _value_at(text: str, start: int) -> Span:
    found = _compiled(_VALUE).match(text, start)
    return found.span() if found is not None else None


def _option_value(found: re.Match[str]) -> Span:
    """``--password x``, and the same as a list of arguments."""
    key, text, start = found["key"], found.string, found.end()
    if not names_secret(key) or (may_count(key) and _compiled(_NUMBER).match(text, start)):
        return None
    return _value_at(text, start)


def _element_value(found: re.Match[str]) -> Span:
    """``<password>x</password>``."""
    start = found.end()
    end = found.string.index("<", start)
    return (start, end) if names_secret(found["key"]) and end > start else None


def _pair_value(found: re.Match[str]) -> Span:
    """``password=x``, ``"password": "x"``, ``('password', 'x')``, ``Authorization: Basic x``."""
    key, text = found["key"], found.string
    if not names_secret(key):
        return _value_at(text, found.end()) if _is_parameter(found) else None
    if "," in found["sep"]:
        return _paired_value(found)
    if is_header(key):
        return _header_value(found)
    return _value_at(text, found.end()) if _is_value(found) else None


def _is_parameter(found: re.Match[str]) -> bool:
    """``?key=x``, ``&sig=x``, ``&X-Amz-Signature=x`` of an address, and ``session=x``."""
    if "=" not in found["sep"]:
        return False
    name = found["key"].lower()
    if name == "session":
        return _compiled(_NUMBER).match(found.string, found.end()) is None
    before = found.string[max(0, found.start() - 5) : found.start()]
    return before.endswith(("?", "&", "&amp;")) and (name in _QUERY or words_of(name)[-1:] == ("signature",))


def _paired_value(found: re.Match[str]) -> Span:
    """A pair of quoted texts in brackets; a longer list is a list of names."""
    text = found.string
    opening = _compiled(r"[\[(][bru]?[\"']\Z").search(text[max(0, found.start() - 3) : found.start()])
    value = _compiled(_QUOTED).match(text, found.end())
    is_pair = opening and found["close"] and value and text[value.end() : value.end() + 1] in (")", "]")
    return value.span() if value is not None and is_pair else None


def _header_value(found: re.Match[str]) -> Span:
    """All of the value of a header: to its closing quote, or to the end of the line."""
    text, start = found.string, found.end()
    if "=" in found["sep"] and not _compiled(_SCHEME).match(text, start):
        return _value_at(text, start)
    quoted = _compiled(rf"{_QUOTED}|{_ESCAPED}|{_LIST}").match(text, start)
    if quoted is not None:
        return quoted.span()
    if not _is_header(found):
        return None
    scheme = _compiled(_SCHEME).match(text, start)
    start = scheme.end() if scheme else start
    opened = text[found.start() - 1 : found.start()]
    stop = rf"[^\n{opened}]+" if opened in ('"', "'") and not found["close"] else r"[^\n]+"
    value = _compiled(stop).match(text, start)
    return value.span() if value is not None else None


def _is_header(found: re.Match[str]) -> bool:
    """``Authorization: granted`` and ``Cookie: accepted`` are prose."""
    text, start = found.string, found.end()
    if "=" in found["sep"] or found["close"]:
        return True
    if found["key"].lower().endswith("cookie"):
        return _compiled(r"[^\s=;]+=").match(text, start) is not None
    return _compiled(rf"{_SCHEME}|(?![A-Za-z]+(?:\s|\Z|[.,;!)]))\S").match(text, start) is not None


def _is_value(found: re.Match[str]) -> bool:
    """Whether a secret follows, or prose: "Check tokens: 12 valid", "Reset password: send mail", "pwd: /home/x"."""
    key, text, start = found["key"], found.string, found.end()
    if may_count(key) and _compiled(_NUMBER).match(text, start):
        return False
    words = words_of(key)
    if words[-1] == "pwd" and _compiled(r"[\"']?(?:[/~]|[A-Za-z]:\\)").match(text, start):
        return False
    if "=" in found["sep"] or found["close"]:
        return True
    if text[max(0, found.start() - 1) : found.start()] == "/":  # /etc/passwd: …
        return False
    return _is_value_after_colon(key, words, text, start)


def _is_value_after_colon(key: str, words: tuple[str, ...], text: str, start: int) -> bool:
    """Names of several words are no prose, unless they are those of a class: ``InvalidToken: bad``."""
    is_class = key[:1].isupper() and not key.isupper() and "-" not in key and "_" not in key
    if (len(words) > 1 or key.isupper()) and not is_class:
        return True
    if _compiled(_PROSE).match(text, start) or (words == ("pass",) and _compiled(_NUMBER).match(text, start)):
        return False
    if len(words) == 1 and words[0] not in ("token", "tokens", "secrets", "passwords", "credentials", "pass"):
        return True
    # "unexpected token: a name" is prose as well; a digit or sheer length makes it a value.
    return _compiled(r"[\"'][^\"']{4}|[^\s\d]{0,200}\d|\S{16}").match(text, start) is not None
