"""The source on a machine that reaches no more than the web server."""

from __future__ import annotations

from typing import Any


class Remote:
    """The namespace behind the server at ``address``, which is shown ``token`` if there is one."""

    def __init__(self, address: str, token: str = "") -> None:
        self.where = address
        self._token = token

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(name)
