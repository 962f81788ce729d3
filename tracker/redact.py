"""What may leave the process: text without control characters, without secrets, bounded in length.

Pure functions of text. Applied once, where text enters the tracker, so that no reader has to trust it;
readers still escape for their own medium.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tracker.interrupts import pass_on
from tracker.limits import LABELS_LIMIT, NAME_LIMIT

MASK = "…"
"""What stands where a secret or the rest of a long text was."""

# Patterns are texts, which re compiles at first use and keeps: most programs never need one of them.
_ESCAPES = (
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,2048}(?:\x07|\x1b\\|\x9c)"  # OSC: titles, links, clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]{0,2048}(?:\x1b\\|\x9c)"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]"  # CSI: colours, cursor
    r"|\x1b[ -/]{0,16}[0-~]"
)
# Also letters and marks that show nothing: inside a word they would hide it from every pattern.
_INVISIBLE = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0e\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    + "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
    + "]+\ufe0f*|(?<=[\x20-\x7e])\ufe0f+(?!\u20e3)"  # U+FE0F belongs to emoji; after plain letters it hides them.
)
_BREAKS = r"[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+"
_LINE_BREAKS = r"\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]"
_SURROGATES = r"[\ud800-\udfff]"

_KEY_END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"

DEPTH, ITEMS, TEXT = 8, 200, 2048
"""How deep arguments are looked at, how many entries of each level, and how much of each text."""

_ROOM = 16
"""How many times the limit a text may have before its secrets are masked: four times, and tabs become four blanks."""

SHORT, KNOWN = 80, 1000
"""Names of so many characters are remembered as harmless, so many of them."""

_plain: set[str] = set()
_rule: Callable[[str], str] | None = None
_rule_failed = False


def clean(text: str, limit: int = NAME_LIMIT, *, lines: bool = False) -> str:
    """``text`` as plain characters, at most ``limit`` of them.

    Escape sequences, control, bidirectional and zero-width characters are dropped; line breaks and tabs become
    a blank; with ``lines`` all line breaks become ``\\n``. What is too long ends in an ellipsis.

    >>> clean("\\x1b[31mred\\x1b[0m alert")
    'red alert'
    """
    if text.isascii() and text.isprintable():
        return bound(text, limit)
    text = re.sub(_ESCAPES, "", text)
    text = re.sub(_LINE_BREAKS, "\n", text).replace("\t", "    ") if lines else re.sub(_BREAKS, " ", text)
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
        pass_on(error)
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
    if not _suspicious(text):
        return text
    # Loaded when asked for: most programs never need it.
    from tracker.secret_shapes import masked

    return masked(text)


def _suspicious(text: str) -> bool:
    """Whether ``text`` holds anything of which every secret that is looked for has at least one."""
    # Spelled out, because this is several times faster than a loop or a pattern.
    return (
        ":" in text or "=" in text
        or "earer" in text or "EARER" in text or "eyJ" in text or "AKIA" in text or "ASIA" in text or "AIza" in text
        or ("_" in text and (
            "gh" in text or "hub_" in text or "sk_" in text or "rk_" in text or "sec_" in text or "npm_" in text
            or "hf_" in text or "dop_" in text
        ))
        or ("-" in text and (
            "-" in text[:1] or " -" in text or "\n-" in text or "'-" in text or '"-' in text or "sk-" in text
            or "KEY-" in text or "pat-" in text or "xox" in text or "xapp-" in text or "pypi-" in text
        ))
        or ("." in text and ("SG." in text or "ya29." in text or "slack.com" in text))
        or ("," in text and ("'," in text or '",' in text))
        or "</" in text
    )  # fmt: skip


def line(value: object, limit: int = NAME_LIMIT) -> str:
    """One safe line: a name, title or detail."""
    # Nearly every name passes here; this is on the path of every step.
    if type(value) is not str or len(value) > limit or _rule is not None:
        return _safe_line(value, limit)
    if value in _plain:
        return value
    if value.isascii() and value.isprintable() and not _suspicious(value):
        _remember(value)
        return value
    safe = _safe_line(value, limit)
    if safe == value:
        _remember(value)
    return safe


def _safe_line(value: object, limit: int) -> str:
    return _ruled(clean(_cut(value, limit), _ROOM * limit), limit, lines=False)


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
    return {line(key): MASK if _hides(key, held) else line(held) for key, held in list(labels.items())[:LABELS_LIMIT]}


def block(value: object, limit: int) -> str:
    """Safe text of several lines: an error message."""
    return _ruled(clean(_cut(value, limit), _ROOM * limit, lines=True), limit, lines=True)


def tail(value: object, limit: int) -> str:
    """Like ``block``, but keeps the end: a traceback, whose last lines say most."""
    text = _ruled(clean(_last(value, limit), _ROOM * limit, lines=True), 4 * limit, lines=True)
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
    return MASK if _hides(key, held) else value(held, depth + 1)


def _hides(key: object, held: object) -> bool:
    from tracker.secret_names import hides

    return isinstance(key, str) and hides(clean(key), held)


def safe_text(value: object) -> str:
    """``str(value)``, or a stand-in when that raises: no object's text may hurt the work."""
    try:
        return value if type(value) is str else str(value)
    except Exception as error:
        pass_on(error)
        return f"<{type(value).__name__} whose text cannot be read>"


def _cut(value: object, limit: int) -> str:
    """The beginning of a long text; secrets are masked before the final cut, but ten megabytes are not searched.

    Half a secret looks like none, so the last run without blanks goes if it may be one.
    """
    text = safe_text(value)
    if len(text) <= 4 * limit:
        return text
    text = text[: 4 * limit]
    run = "" if text[-1:].isspace() else text.split()[-1]
    return text.removesuffix(run) + MASK if _suspicious(run) else text


def _last(value: object, limit: int) -> str:
    """The end of a long text, without the rest of a word, or of a private key, that began before it."""
    text = safe_text(value)
    if len(text) <= 4 * limit:
        return text
    text = text[-4 * limit :]
    text = re.sub(r"\A\S+(?=\s)", MASK, text)
    end = re.search(_KEY_END, text)
    if end is not None and "-----BEGIN" not in text[: end.start()]:
        return MASK + text[end.end() :]
    return re.sub(r"\A(…?)(?:\s*[A-Za-z0-9+/=]{32,}+(?=\s))+", MASK, text)
