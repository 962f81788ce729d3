"""The dashboard's files: small, whole, and from the server's own folder only."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from tests.web.client import ROOT, Server
from web import assets

STATIC = ROOT / "web/static"

MOST = 120 * 1024
"""Bytes of everything a browser may load, compressed."""


@pytest.fixture
def addresses(server: Server) -> list[str]:
    """All that the page names."""
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', server.get("/").body.decode())
    assert len(found) > 20
    return found


def test_every_file_comes_compressed_to_whoever_takes_it(server: Server, addresses: list[str]) -> None:
    """And as it is to everybody else."""
    for address in addresses:
        plain = server.get(address)
        packed = server.get(address, **{"Accept-Encoding": "br, gzip"})
        assert (plain.status, plain.headers.get("content-encoding")) == (200, None)
        assert (packed.status, packed.headers["content-encoding"]) == (200, "gzip")
        assert gzip.decompress(packed.body) == plain.body
        assert plain.headers["content-type"] == packed.headers["content-type"]
        assert plain.headers["vary"] == "Accept-Encoding"


def test_the_page_names_every_module_there_is(addresses: list[str]) -> None:
    """So a browser asks for all of them at once; charts alone come when they are needed, and logging in is a page."""
    named = {address.split("/", 3)[3] for address in addresses}
    present = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js")}
    assert present - named == {"vendor/uplot.js", "login.js"}


def test_all_of_the_front_end_is_small() -> None:
    """Charts included."""
    total = sum(len(assets.packed(name)) for name in filter(assets.is_sent, assets.FILES))
    assert total < MOST, f"{total / 1024:.1f} KiB"


def test_a_module_is_sent_without_its_comments_and_in_its_own_lines() -> None:
    """So what a browser says of a line is true of the source."""
    for name in assets.MODULES:
        source, sent = (STATIC / name).read_text().splitlines(), assets.content(name).decode().splitlines()
        assert [sent[at] for at, line in enumerate(sent) if line.strip()] == [
            source[at] for at, line in enumerate(sent) if line.strip()
        ]
        assert name.startswith("vendor/") or not any(line.lstrip().startswith(("//", "/**", "* ")) for line in sent)


def test_every_sheet_is_part_of_the_one_that_is_sent() -> None:
    """Behind what all pages share."""
    sent = assets.content("style.css").decode()
    assert sent.index(":root {") < sent.index(".jobs {")


@pytest.mark.parametrize("name", ["../site.py", "..%2fsite.py", "views", "nothing.js", "vendor/../../site.py"])
def test_nothing_but_the_dashboards_files_is_served(server: Server, addresses: list[str], name: str) -> None:
    """Whatever the path looks like."""
    folder = Path(addresses[0]).parent
    assert server.get(f"{folder}/{name}").status in (400, 404)
