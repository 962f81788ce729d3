"""What may leave the process: text without control characters, without secrets, bounded in length.

Pure functions of text. Applied once, where text enters the tracker, so that no reader has to trust it;
readers still escape for their own medium.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tracker.model import LABELS_LIMIT, NAME_LIMIT

MASK = "…"
"""What stands where a secret or the rest of a long text was."""

_ESCAPES = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,2048}(?:\x07|\x1b\\|\x9c)"  # OSC: titles, links, clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]{0,2048}(?:\x1b\\|\x9c)"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]"  # CSI: colours, cursor
    r"|\x1b[ -/]{0,16}[0-~]"
)
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_BREAKS = re.compile(r"[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_SURROGATES = re.compile("[\ud800-\udfff]")

# Looked for first, cheapest first: most texts hold none of these and are done.
_KEY_WORDS = ("pass", "pwd", "token", "secret", "key", "authorization")

_PASSWORDS = r"(?:password|passwd|passphrase|pwd|secret)s?(?:[_-][\w-]{0,40})?"
_TOKENS = r"(?:token|api[_-]?key|access[_-]?key)s?(?:[_-][\w-]{0,40})?"
_VALUE = r"""(?:"[^"\n]{0,2048}"|'[^'\n]{0,2048}'|[^\s,;&"'<>}\])]+)"""

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.S), MASK),
    (re.compile(r"://[^\s/?#\"'<>]{1,512}@"), f"://{MASK}@"),
    (re.compile(r"\b([Bb]earer\s+)(?=[A-Za-z._~+/=-]{0,200}[0-9])[A-Za-z0-9._~+/=-]+"), rf"\1{MASK}"),
    (re.compile(r"\b(Bearer\s+)[A-Za-z0-9._~+/=-]+"), rf"\1{MASK}"),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
    (re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|xox[abprs]-[A-Za-z0-9-]{10,255}|sk-[A-Za-z0-9_-]{20,255})"), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,2048}\.[A-Za-z0-9_-]{8,4096}(?:\.[A-Za-z0-9_-]{0,1024})?"), MASK),
)
_PAIRS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"(?i)\b(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:(?:basic|bearer|token|digest)\s{1,4})?)[^\s,\"']+"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(rf"(?i)((?:{_PASSWORDS}|{_TOKENS})[\"']?\s{{0,4}}=(?!=)\s{{0,4}}){_VALUE}"), rf"\1{MASK}"),
    (re.compile(rf"(?i)({_PASSWORDS}[\"']?\s{{0,4}}:\s{{0,4}}){_VALUE}"), rf"\1{MASK}"),
    # "unexpected token: a name" is prose; a quoted key, a digit or sheer length makes it a value.
    (
        re.compile(
            rf"(?i)({_TOKENS}(?:[\"']\s{{0,4}}:\s{{0,4}}"
            rf"|\s{{0,4}}:\s{{0,4}}(?=[\"'][^\"']{{4}}|[^\s\d]{{0,200}}\d|[^\s]{{16}}))){_VALUE}"
        ),
        rf"\1{MASK}",
    ),
)


def clean(text: str, limit: int = NAME_LIMIT, *, lines: bool = False) -> str:
    """``text`` as plain characters, at most ``limit`` of them.

    Escape sequences, control, bidirectional and zero-width characters are dropped; line breaks and tabs become
    a blank, unless ``lines`` keeps them. What is too long ends in an ellipsis.

    >>> clean("\\x1b[31mred\\x1b[0m alert")
    'red alert'
    """
    if text.isprintable():
        return bound(text, limit)
    text = _ESCAPES.sub("", text)
    text = text.replace("\r\n", "\n").replace("\t", "    ") if lines else _BREAKS.sub(" ", text)
    return bound(_SURROGATES.sub("\ufffd", _INVISIBLE.sub("", text)), limit)


def bound(text: str, limit: int) -> str:
    """The first ``limit`` characters; the last one is an ellipsis if some were cut off."""
    return text if len(text) <= limit else text[: limit - 1] + MASK


def redact(text: str) -> str:
    """``text`` with passwords, tokens and keys masked; ordinary prose stays as it is.

    >>> redact("cannot reach redis://:hunter2@cache:6379")
    'cannot reach redis://…@cache:6379'
    """
    if not _suspicious(text):
        return text
    for pattern, mask in _SHAPES:
        text = pattern.sub(mask, text)
    lowered = text.lower()
    if any(word in lowered for word in _KEY_WORDS):
        for pattern, mask in _PAIRS:
            text = pattern.sub(mask, text)
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
    if type(value) is str and len(value) <= limit and value.isprintable() and not _suspicious(value):
        return value
    return bound(redact(clean(_cut(value, limit), 4 * limit)), limit)


def safe_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """At most ``LABELS_LIMIT`` labels, each key and value one safe line."""
    return {line(key): line(value) for key, value in list(labels.items())[:LABELS_LIMIT]}


def block(value: object, limit: int) -> str:
    """Safe text of several lines: an error message."""
    return bound(redact(clean(_cut(value, limit), 4 * limit, lines=True)), limit)


def tail(value: object, limit: int) -> str:
    """Like ``block``, but keeps the end: a traceback, whose last lines say most."""
    text = redact(clean(safe_text(value)[-4 * limit :], 4 * limit, lines=True))
    return text if len(text) <= limit else MASK + text[1 - limit :]


def safe_text(value: object) -> str:
    """``str(value)``, or a stand-in when that raises: no object's text may hurt the work."""
    try:
        return value if type(value) is str else str(value)
    except Exception:
        return f"<{type(value).__name__} whose text cannot be read>"


def _cut(value: object, limit: int) -> str:
    # Secrets are masked before the final cut, or half of one could be left; ten megabytes are not searched for them.
    return safe_text(value)[: 4 * limit]
