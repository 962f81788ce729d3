"""Which names stand for secrets: of arguments, labels, options, headers and variables.

Pure functions of a name. A name counts by its words: ``dbPassword``, ``DB_PASSWORD`` and ``db-password`` are one.
"""

from __future__ import annotations

import re
from functools import lru_cache

LOOKED_AT = 80
"""So many characters of a name are looked at, the last ones."""

_WORDS = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+"

_SECRET = r"(?:password|passwd|passphrase)s?|pwd|pw|secrets?|credentials?"
_JOINED = r"[a-z]*(?:password|passwd|passphrase|secret|authtoken|accesstoken|refreshtoken|apitoken|csrftoken)"
_EXACT = r"(?:db|smtp|user|ssh)pass|phpsessid|jsessionid|sessionid|csrfmiddlewaretoken"
_KEY = r"\b(?:api|access|account|private|secret|encryption|signing|master|auth|storage|hmac|aes|jwt) ?keys?\b"
_PLURALS = frozenset({"tokens", "keys", "secrets", "passwords", "passphrases", "credentials"})

_ABOUT = (
    r"(?:file|path|dir|count|limit|size|name|field|label|id|error|version|rule|index)s?|type|kind|len|length|min|max|url|uri"
    r"|expire[sd]|expiry|expiration|ttl|age|policy|status|enabled|required|changed|updated|reset|valid|check|strength|hint"
    r"|prompt|exception|warning|invalid|missing|found|budget|usage|used|rate|page|input|form|manager|provider|store"
)
"""Last words of names that say something about a secret: ``PASSWORD_FILE``, ``token_type``, ``api_key_count``."""

_COUNTED = frozenset(
    {"max", "min", "prompt", "completion", "total", "input", "output", "cached", "reasoning", "num", "n"}
)
"""Words before ``tokens`` that make them pieces of text."""

_PASSES = frozenset({"first", "second", "third", "last", "next", "final", "single", "one", "two", "multi", "forward"})
"""Words before ``pass`` that make it one of several."""


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case.

    >>> words_of("X-Api_keyOld2")
    ('x', 'api', 'key', 'old', '2')
    """
    return _words(name[-LOOKED_AT:])


@lru_cache(256)
def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in re.findall(_WORDS, name))


def names_secret(name: str) -> bool:
    """Whether the value of what is called so has to be masked.

    >>> [names_secret(name) for name in ("SMTP_PASS", "X-Api-Key", "password_file", "sort_key")]
    [True, True, False, False]
    """
    return _names_secret(_words(name[-LOOKED_AT:]))


@lru_cache(256)
def _names_secret(words: tuple[str, ...]) -> bool:
    if not words or re.fullmatch(_ABOUT, words[-1]):
        return False
    return bool(
        words[-1] in ("authorization", "cookie")
        or any(re.fullmatch(rf"{_SECRET}|{_JOINED}|{_EXACT}", word) for word in words)
        or re.fullmatch(_EXACT, "".join(words))
        or re.search(_KEY, " ".join(words))
        or _is_token(words)
        or _is_pass(words)
    )


def _is_token(words: tuple[str, ...]) -> bool:
    return "token" in words or (words[-1] == "tokens" and not _COUNTED.intersection(words))


def _is_pass(words: tuple[str, ...]) -> bool:
    return words[-1] == "pass" and not _PASSES.intersection(words)


def is_header(name: str) -> bool:
    """Whether the whole line is the value: ``Proxy-Authorization``, ``Set-Cookie``."""
    return _words(name[-LOOKED_AT:])[-1:] in (("authorization",), ("cookie",))


def may_count(name: str) -> bool:
    """Whether a number under this name is a count: ``tokens: 12`` and ``token_budget=4096``, but no ``token=12``."""
    words = _words(name[-LOOKED_AT:])
    return words[-1] in _PLURALS or ("token" in words and words[-1] not in ("token", "value"))


def hides(name: str, held: object) -> bool:
    """Whether ``held``, the value of an argument or a label called ``name``, has to be masked."""
    if held is None or not names_secret(name):
        return False
    is_number = isinstance(held, int | float) or (isinstance(held, str) and held.isdecimal())
    return not (is_number and may_count(name))
