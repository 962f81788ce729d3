"""What the decoder says of a wrong body becomes a pointer into it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from web.bodies import BatchBody, check_labels, pointer_and_detail
from web.problems import Problem


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"job":1,"items":[]}', "/job"),
        (b'{"job":"a","items":{}}', "/items"),
        (b'{"job":"a","items":[{},[]]}', "/items/1"),
        (b'{"job":"a","items":[],"a/b~c":1}', "/a~1b~0c"),
        (b'{"items":[]}', "/job"),
        (b"3", ""),
        (b'{"job":"a","items":[],"labels":{"x":1},"title":null}', "/title"),
    ],
)
def test_the_pointer_leads_to_the_field(body: bytes, pointer: str) -> None:
    """RFC 6901, with its escapes; the sentence no longer repeats the place."""
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(body, type=BatchBody)
    found, detail = pointer_and_detail(str(refused.value))
    assert found == pointer
    assert "$" not in detail
    assert detail


@pytest.mark.parametrize(
    "labels",
    [{"": "empty"}, {"k" * 201: ""}, {"a": "v" * 201}, {"a": None}, {"a": ["b"]}, {str(n): "" for n in range(33)}],
)
def test_labels_are_few_short_texts(labels: dict[str, Any]) -> None:
    """One step over each bound is refused."""
    with pytest.raises(Problem) as refused:
        check_labels(labels)
    assert refused.value.status == 422


def test_labels_at_their_bounds_are_fine() -> None:
    """32 of them, 200 characters each."""
    check_labels({f"{n}".ljust(200, "k"): "v" * 200 for n in range(32)})
