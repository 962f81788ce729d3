"""What a timeline draws, what a log holds and what counts as slow, as pure functions in a real browser."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Script

PRELUDE = """
const { axisOf, laneOf, placeOf, rowsOfChildren, rowsOfSteps, ticksOf, worthDrawing } = await import('/spans.js');
const { goesOn, withLines } = await import('/log.js');
const { isSlow, usualOf } = await import('/usual.js');
const op = (id, more = {}) => ({ id, status: 'running', created: 0, started: 0, ended: null, duration: null,
  worker: null, step: null, children: { total: 0 }, steps: null, attempt: 1, run: id, ...more });
const row = (key, kind, from, to) => ({ key, label: key, kind, bars: [{ kind, from, to }], id: key, host: '' });
const line = (number) => ({ number, ts: 0, text: '' });
"""


@pytest.mark.browser
def test_only_what_is_known_of_a_step_becomes_a_bar(script: Script) -> None:
    """Without a start there is none; one that never ended lasts as long as its operation did, or still."""
    seen = script("""
        const steps = [{ index: 1, name: 'a', started: 2, duration: 3 }, { index: 2, name: 'b' },
          { index: 3, name: 'c', started: 5 }, { index: 4, name: 'd', started: 5, duration: 0 }];
        const ends = (row) => row.bars.map(({ from, to }) => [from, to]);
        const bars = (operation) => rowsOfSteps(operation, steps, () => 'x').map(ends);
        return [bars(op('o')), bars(op('o', { status: 'lost', ended: 9 }))];
    """)
    assert seen[0] == [[[2, 5]], [], [[5, None]], [[5, 5]]]
    assert seen[1] == [[[2, 5]], [], [[5, 9]], [[5, 5]]]


@pytest.mark.browser
def test_children_that_failed_come_first_and_those_that_wait_have_no_row(script: Script) -> None:
    """All others in the order they began."""
    seen = script("""
        const children = [op('late', { started: 9 }), op('waits', { status: 'queued', started: null }),
          op('bad', { status: 'error', started: 5, ended: 6 }), op('early', { started: 1 })];
        return rowsOfChildren(children, (child) => child.id).map(({ key, opens }) => [key, opens]);
    """)
    assert seen == [["bad", False], ["early", False], ["late", False]]


@pytest.mark.browser
def test_of_too_many_rows_failures_running_ones_and_the_slowest_stay_in_their_order(script: Script) -> None:
    """Whatever their place."""
    seen = script("""
        const rows = [row('fast', 'complete', 0, 1), row('slow', 'complete', 0, 9), row('runs', 'running', 8, null),
          row('medium', 'complete', 0, 5), row('bad', 'error', 0, 0)];
        return [3, 4, 5].map((most) => worthDrawing(rows, most, 9).map(({ key }) => key));
    """)
    assert seen[0] == ["slow", "runs", "bad"]
    assert seen[1] == ["slow", "runs", "medium", "bad"]
    assert len(seen[2]) == 5


@pytest.mark.browser
def test_the_axis_reaches_from_the_first_to_the_last_with_round_lines(script: Script) -> None:
    """What runs reaches to now, and a bar that is outside has no place."""
    seen = script("""
        const axis = axisOf([row('a', 'complete', 10, 20), row('b', 'running', 15, null)], 50);
        const place = (from, to) => placeOf({ kind: '', from, to }, axis, 50);
        return [axis, place(20, 30), place(15, null), place(0, 5), place(20, 20), ticksOf(40, 4), ticksOf(0.1, 4),
          ticksOf(90000, 4), Number.isFinite(axisOf([], 5).from)];
    """)
    assert seen[0] == {"from": 10, "to": 50}
    assert seen[1:5] == [
        {"left": 0.25, "width": 0.25},
        {"left": 0.125, "width": 0.875},
        None,
        {"left": 0.25, "width": 0},
    ]
    assert seen[5] == [0, 10, 20, 30, 40]
    assert [len(seen[6]), seen[7], seen[8]] == [3, [0, 43200, 86400], False]


@pytest.mark.browser
def test_a_lane_is_an_attempt_with_its_steps_side_by_side(script: Script) -> None:
    """One without steps is one bar."""
    seen = script("""
        const step = (index, started, duration) => ({ index, name: 's', started, duration });
        const steps = [step(1, 2, 3), step(2, 5, 1)];
        const lane = (more) => laneOf(op('o', { status: 'error', ended: 7, duration: 7, ...more }), () => 'x');
        const ends = ({ label, bars }) => [label, bars.map(({ from, to }) => [from, to])];
        return [lane({ steps }), lane({ steps: [] })].map(ends);
    """)
    assert seen == [["Attempt 1", [[2, 5], [5, 6]]], ["Attempt 1", [[0, 7]]]]


@pytest.mark.browser
def test_lines_are_held_once_in_order_and_a_hole_is_noticed(script: Script) -> None:
    """Only the newest are kept."""
    seen = script("""
        const numbers = (lines) => lines.map(({ number }) => number);
        const held = withLines([line(1), line(2)], [line(2), line(3)]);
        const many = withLines([], Array.from({ length: 2500 }, (_, place) => line(place + 1)));
        const next = (...more) => goesOn(held, more.map(line));
        return [numbers(held), next(4, 5), next(5), next(4, 6),
          many.length, many[0].number, withLines(held, [line(3)]) === held];
    """)
    assert seen == [[1, 2, 3], True, False, False, 2000, 501, True]


@pytest.mark.browser
def test_slow_is_what_is_twice_as_long_as_usual_and_longer_than_nearly_all(script: Script) -> None:
    """What takes no time is never slow, and of too few runs nothing is said."""
    seen = script("""
        const usual = { name: 'a', count: 9, p50: 1, p95: 3 };
        const answer = (count) => ({ items: [{ steps: [{ ...usual, count }] }] });
        return [isSlow(2.5, usual), isSlow(3.5, usual), isSlow(0.15, { ...usual, p50: 0.01, p95: 0.02 }),
          usualOf(answer(4)).size, usualOf(answer(5)).size, usualOf(null).size];
    """)
    assert seen == [False, True, False, 0, 1, 0]
