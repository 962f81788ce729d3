"""What may leave the process: text without control characters, without secrets, bounded in length.

Pure functions of text. Applied once, where text enters the tracker, so that no reader has to trust it;
readers still escape for their own medium.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tracker.model import LABELS_LIMIT, NAME_LIMIT

MASK = "…"
"""What stands where a secret or the rest of a long text was."""

# Patterns are texts, which re compiles at first use and keeps: most programs never need one of them.
_ESCAPES = (
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,2048}(?:\x07|\x1b\\|\x9c)"  # OSC: titles, links, clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]{0,2048}(?:\x1b\\|\x9c)"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]"  # CSI: colours, cursor
    r"|\x1b[ -/]{0,16}[0-~]"
)
_INVISIBLE = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_BREAKS = r"[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+"
_SURROGATES = r"[\ud800-\udfff]"

# Looked for first, cheapest first: most texts hold none of these and are done.
_KEY_WORDS = ("pass", "pwd", "token", "secret", "key", "authorization")

_PASSWORDS = r"(?:password|passwd|passphrase|pwd|secret)s?(?:[_-][\w-]{0,40})?"
_TOKENS = r"(?:token|api[_-]?key|access[_-]?key)s?(?:[_-][\w-]{0,40})?"
_VALUE = r"""(?:"[^"\n]{0,2048}"|'[^'\n]{0,2048}'|[^\s,;&"'<>}\])]+)"""

_SHAPES: tuple[tuple[str, str], ...] = (
    (r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", MASK),
    (r"://[^\s/?#\"'<>]{1,512}@", f"://{MASK}@"),
    (r"\b([Bb]earer\s+)(?=[A-Za-z._~+/=-]{0,200}[0-9])[A-Za-z0-9._~+/=-]+", rf"\1{MASK}"),
    (r"\b(Bearer\s+)[A-Za-z0-9._~+/=-]+", rf"\1{MASK}"),
    (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", MASK),
    (r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|xox[abprs]-[A-Za-z0-9-]{10,255}|sk-[A-Za-z0-9_-]{20,255})", MASK),
    (r"\beyJ[A-Za-z0-9_-]{8,2048}\.[A-Za-z0-9_-]{8,4096}(?:\.[A-Za-z0-9_-]{0,1024})?", MASK),
)
_PAIRS: tuple[tuple[str, str], ...] = (
    (
        r"(?i)\b(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:(?:basic|bearer|token|digest)\s{1,4})?)[^\s,\"']+",
        rf"\1{MASK}",
    ),
    (rf"(?i)((?:{_PASSWORDS}|{_TOKENS})[\"']?\s{{0,4}}=(?!=)\s{{0,4}}){_VALUE}", rf"\1{MASK}"),
    (rf"(?i)({_PASSWORDS}[\"']?\s{{0,4}}:\s{{0,4}}){_VALUE}", rf"\1{MASK}"),
    # "unexpected token: a name" is prose; a quoted key, a digit or sheer length makes it a value.
    (
        rf"(?i)({_TOKENS}(?:[\"']\s{{0,4}}:\s{{0,4}}"
        rf"|\s{{0,4}}:\s{{0,4}}(?=[\"'][^\"']{{4}}|[^\s\d]{{0,200}}\d|[^\s]{{16}}))){_VALUE}",
        rf"\1{MASK}",
    ),
)


DEPTH, ITEMS, TEXT = 8, 200, 2048
"""How deep arguments are looked at, how many entries of each level, and how much of each text."""

SHORT, KNOWN = 80, 1000
"""Names of so many characters are remembered as harmless, so many of them."""

_plain: set[str] = set()
_rule: Callable[[str], str] | None = None
_rule_failed = False


def clean(text: str, limit: int = NAME_LIMIT, *, lines: bool = False) -> str:
    """``text`` as plain characters, at most ``limit`` of them.

    Escape sequences, control, bidirectional and zero-width characters are dropped; line breaks and tabs become
    a blank, unless ``lines`` keeps them. What is too long ends in an ellipsis.

    >>> clean("\\x1b[31mred\\x1b[0m alert")
    'red alert'
    """
    if text.isprintable():
        return bound(text, limit)
    text = re.sub(_ESCAPES, "", text)
    text = text.replace("\r\n", "\n").replace("\t", "    ") if lines else re.sub(_BREAKS, " ", text)
    return bound(re.sub(_SURROGATES, "\ufffd", re.sub(_INVISIBLE, "", text)), limit)


def bound(text: str, limit: int) -> str:
    """The first ``limit`` characters; the last one is an ellipsis if some were cut off."""
    return text if len(text) <= limit else text[: limit - 1] + MASK


def use(rule: Callable[[str], str] | None) -> None:
    """Apply ``rule`` to every text after the rules of this module; ``None`` takes it back."""
    global _rule, _rule_failed
    _rule, _rule_failed = rule, False


def redact(text: str) -> str:
    """``text`` with passwords, tokens and keys masked, and what a rule of the user's own masks besides.

    A rule that fails, or gives no text, masks everything: nothing leaves unseen. Its own text is cleaned as well.
    """
    text = _masked(text)
    if _rule is None:
        return text
    try:
        ruled = _rule(text)
    except Exception as error:
        ruled = None
        _complain(f"raised {type(error).__name__}")
    if not isinstance(ruled, str):
        _complain(f"gave a {type(ruled).__name__}")
        return MASK
    return ruled


def _complain(what: str) -> None:
    global _rule_failed
    if not _rule_failed:
        _rule_failed = True
        import logging

        logging.getLogger("tracker").error(
            "tracker: configure(redact=…): the function %s, so texts are masked whole; this is said once", what
        )


def _masked(text: str) -> str:
    """``text`` with passwords, tokens and keys masked; ordinary prose stays as it is.

    >>> _masked("cannot reach redis://:hunter2@cache:6379")
    'cannot reach redis://…@cache:6379'
    """
    if not _suspicious(text):
        return text
    for pattern, mask in _SHAPES:
        text = re.sub(pattern, mask, text)
    lowered = text.lower()
    if any(word in lowered for word in _KEY_WORDS):
        for pattern, mask in _PAIRS:
            text = re.sub(pattern, mask, text)
    return text


def _suspicious(text: str) -> bool:
    # Spelled out, because this is several times faster than a loop or a pattern.
    return (
        "=" in text or ":" in text or "earer" in text or "sk-" in text or "eyJ" in text
        or "AKIA" in text or "ASIA" in text or "gh" in text or "xox" in text or "PRIVATE KEY" in text
    )  # fmt: skip


def line(value: object, limit: int = NAME_LIMIT) -> str:
    """One safe line: a name, title or detail."""
    # Nearly every name passes here; this is on the path of every step.
    if type(value) is str and len(value) <= limit and _rule is None:
        if value in _plain:
            return value
        if value.isprintable() and not _suspicious(value):
            _remember(value)
            return value
    return _ruled(clean(_cut(value, limit), 4 * limit), limit, lines=False)


def _remember(text: str) -> None:
    """Names come again and again; a known one need not be looked at."""
    if len(text) <= SHORT:
        if len(_plain) >= KNOWN:
            _plain.clear()
        _plain.add(text)


def _ruled(text: str, limit: int, *, lines: bool) -> str:
    safe = redact(text)
    return bound(safe if _rule is None else clean(safe, limit, lines=lines), limit)


def safe_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """At most ``LABELS_LIMIT`` labels, each key and value one safe line."""
    return {line(key): line(value) for key, value in list(labels.items())[:LABELS_LIMIT]}


def block(value: object, limit: int) -> str:
    """Safe text of several lines: an error message."""
    return _ruled(clean(_cut(value, limit), 4 * limit, lines=True), limit, lines=True)


def tail(value: object, limit: int) -> str:
    """Like ``block``, but keeps the end: a traceback, whose last lines say most."""
    text = _ruled(clean(safe_text(value)[-4 * limit :], 4 * limit, lines=True), 4 * limit, lines=True)
    return text if len(text) <= limit else MASK + text[1 - limit :]


def value(given: object, depth: int = 0) -> Any:
    """Arguments as they may be shown: texts made safe, values of keys that name a secret masked, all of it bounded.

    >>> value({"path": "a.txt", "login": {"password": "hunter2"}, "retries": 3})
    {'path': 'a.txt', 'login': {'password': '…'}, 'retries': 3}
    """
    if given is None or isinstance(given, bool | int | float):
        return given
    if depth >= DEPTH:
        return MASK
    if isinstance(given, Mapping):
        return {line(key): _pair(key, held, depth) for key, held in list(given.items())[:ITEMS]}
    if isinstance(given, list | tuple | set | frozenset):
        return [value(held, depth + 1) for held in list(given)[:ITEMS]]
    return block(given, TEXT)


def _pair(key: object, held: object, depth: int) -> Any:
    named = isinstance(key, str) and re.search(rf"(?i){_PASSWORDS}|{_TOKENS}|authorization", key)
    return MASK if named and held is not None else value(held, depth + 1)


def safe_text(value: object) -> str:
    """``str(value)``, or a stand-in when that raises: no object's text may hurt the work."""
    try:
        return value if type(value) is str else str(value)
    except Exception:
        return f"<{type(value).__name__} whose text cannot be read>"


def _cut(value: object, limit: int) -> str:
    # Secrets are masked before the final cut, or half of one could be left; ten megabytes are not searched for them.
    return safe_text(value)[: 4 * limit]
