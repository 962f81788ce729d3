"""Where operations stand on the page Now, and how they are chosen: pure functions, run in a real browser."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Script

PRELUDE = """
const { failuresFirst, inGroups, inSections, newestFirst, unfolded, waitingSince } = await import('/order.js');
const { slowestOf, withEarlier } = await import('/whereabouts.js');
const { choiceOf, isChosen, isEverything } = await import('/choice.js');
const { lengthsOf } = await import('/lengths.js');
const op = (id, more = {}) => ({ id, name: 'n', title: id, status: 'running', created: 0, started: null, ended: null,
  step: null, error: null, worker: null, labels: {}, batch: false, children: { error: 0, lost: 0 }, ...more });
const ids = (operations) => operations.map((each) => each.id);
const many = (count, more = {}) => Array.from({ length: count }, (_, at) => op('m' + at, { created: at, ...more }));
const sections = (operations, now = 100) =>
  Object.fromEntries(inSections(operations, now).map(({ key, operations }) => [key, ids(operations)]));
const at = (index, more = {}) => ({ step: { index, name: 'step ' + index }, ...more });
const place = (index, count) => ({ index, name: 'step ' + index, count, since: 0 });
const standing = (...places) => ({ name: 'n', running: 1, below: '', places });
const counts = (list) => list.map(({ name, running, places }) => [name, running, places.map((each) => each.count)]);
"""

pytestmark = pytest.mark.browser


def test_what_runs_and_what_waits_is_ordered_by_creation_the_oldest_first(script: Script) -> None:
    """So that newcomers come to the end and push nothing away."""
    seen = script("""
        const running = [op('b', { created: 2 }), op('a', { created: 1 }), op('c', { created: 3 })];
        const waiting = (id, created) => op(id, { created, status: 'queued' });
        return sections([...running, waiting('e', 5), waiting('d', 4)]);
    """)
    assert seen == {"failed": [], "running": ["a", "b", "c"], "queued": ["d", "e"], "ended": []}


def test_what_has_ended_is_ordered_by_its_end_the_last_first(script: Script) -> None:
    """Whatever its outcome, and however long ago it was made."""
    seen = script("""
        const ended = (id, ended, status = 'complete') => op(id, { status, ended, created: -ended });
        return sections([ended('a', 1), ended('c', 3, 'cancelled'), ended('b', 2)]).ended;
    """)
    assert seen == ["c", "b", "a"]


def test_a_failure_stands_above_everything_for_an_hour(script: Script) -> None:
    """Then it goes where everything is that has ended; the last failure comes first."""
    seen = script("""
        const failed = [op('error', { status: 'error', ended: 10 }), op('lost', { status: 'lost', ended: 20 })];
        const later = sections(failed, 3615);
        return [sections(failed, 3000).failed, later.failed, later.ended, inSections([], 0)[0].key];
    """)
    assert seen == [["lost", "error"], ["lost"], ["error"], "failed"]


def test_a_batch_whose_children_fail_comes_first_among_what_runs(script: Script) -> None:
    """However young it is."""
    seen = script("return sections([op('a'), op('b', { created: 9, children: { error: 0, lost: 1 } })]).running;")
    assert seen == ["b", "a"]


def test_failures_come_first_among_children(script: Script) -> None:
    """Children are ordered failures, running, all others as they were queued."""
    seen = script("""
        const statuses = ['complete', 'queued', 'running', 'lost', 'error'];
        return ids(statuses.map((status, created) => op(status, { status, created })).sort(failuresFirst));
    """)
    assert seen == ["lost", "error", "running", "complete", "queued"]


def test_children_of_a_batch_are_ordered_by_their_number(script: Script) -> None:
    """The tenth comes after the second."""
    seen = script("return ids(['b.10', 'b.2', 'b.1'].map((id) => op(id)).sort(failuresFirst));")
    assert seen == ["b.1", "b.2", "b.10"]


def test_operations_made_at_the_same_time_keep_their_places(script: Script) -> None:
    """The id decides then."""
    seen = script("""
        const all = [op('a', { created: 1 }), op('b', { created: 2, status: 'error' }), op('c', { created: 2 })];
        return ids(all.sort(newestFirst));
    """)
    assert seen == ["c", "b", "a"]


def test_many_of_one_name_are_one_row(script: Script) -> None:
    """Before all others, in the order of their names; what has ended is never grouped."""
    seen = script("""
        const shown = (operations, section = 'running') => inGroups({ key: section, operations }, new Set())
          .map((item) => typeof item === 'string' ? item : [item.name, item.operations.length]);
        return [shown([op('alone', { name: 'a' }), ...many(6), ...many(6, { name: 'b' })]), shown(many(5)).length,
          shown(many(6), 'ended').length];
    """)
    assert seen == [[["b", 6], ["n", 6], "alone"], 5, 6]


def test_a_failing_batch_is_never_hidden_in_a_group(script: Script) -> None:
    """It stands above them."""
    seen = script("""
        const bad = op('bad', { created: 9, children: { error: 1, lost: 0 } });
        const [, running] = inSections([...many(6), bad], 100);
        return inGroups(running, new Set()).map((item) => item.name ?? item);
    """)
    assert seen == ["bad", "n"]


def test_a_group_stays_one_until_it_is_empty(script: Script) -> None:
    """Otherwise rows would come and go whenever their number passes the limit."""
    seen = script("""
        const known = new Set(['running n']);
        const items = (operations) => inGroups({ key: 'running', operations }, known).map((item) => typeof item);
        return [items(many(1)), items([])];
    """)
    assert seen == [["object"], []]


def test_a_group_unfolds_into_its_rows(script: Script) -> None:
    """They follow it, as high as all others."""
    seen = script("""
        const items = inGroups({ key: 'queued', operations: many(6) }, new Set());
        return [unfolded(items, () => false).length, unfolded(items, (key) => key === 'queued n').slice(1)];
    """)
    assert seen == [1, ["m0", "m1", "m2", "m3", "m4", "m5"]]


def test_what_waits_tells_since_when(script: Script) -> None:
    """The oldest, and the one in the middle; nothing where nothing waits. What is to begin only later does not."""
    seen = script("""
        const later = [op('a', { next_at: 101 }), op('b', { next_at: 90 })];
        return [waitingSince(many(5), 100), waitingSince([], 100), waitingSince(later, 100)];
    """)
    assert seen == [{"oldest": 0, "median": 2}, None, {"oldest": 90, "median": 90}]


def test_the_step_of_the_longest_running_operation_is_the_slowest(script: Script) -> None:
    """Of the steps at which any stands; where none does there is none."""
    seen = script("""
        const places = [{ ...place(1, 2), since: 9 }, { ...place(2, 1), since: 5 }, { ...place(3, 0), since: 1 }];
        return [slowestOf({ places }).index, slowestOf({ places: [place(1, 0)] })];
    """)
    assert seen == [2, None]


def test_a_step_that_was_left_stays_where_it_was(script: Script) -> None:
    """With nothing at it, also when nothing of that name runs any more; names with variables in them are forgotten."""
    seen = script("""
        const before = [standing(place(1, 1), place(2, 1))];
        const others = Array.from({ length: 13 }, (_, index) => place(index, 1));
        return [counts(withEarlier(before, [standing(place(2, 1))])), counts(withEarlier(before, [])),
          counts(withEarlier([standing(...others)], [standing(place(20, 1))]))];
    """)
    assert seen == [[["n", 1, [0, 1]]], [["n", 0, [0, 0]]], [["n", 1, [1]]]]


def test_what_is_asked_for_is_in_the_query(script: Script) -> None:
    """Status, name, step and words, of which all have to fit; a step is asked for among what runs."""
    seen = script("""
        const error = { type: 'Refused', message: 'no' };
        const mail = op('a', { name: 'mail', labels: { tenant: 'acme' }, error, ...at(2) });
        const fits = (query, operation = mail) => isChosen(operation, choiceOf(new URLSearchParams(query)));
        return [fits(''), fits('name=mail&step=step 2'), fits('step=step 1'),
          fits('step=step 2', { ...mail, status: 'error' }), fits('q=ACME refused'),
          fits('q=acme other'), fits('status=queued'),
          isEverything(choiceOf(new URLSearchParams('q=  '))), isEverything(choiceOf(new URLSearchParams('name=x')))];
    """)
    assert seen == [True, True, False, False, True, False, False, True, False]


def test_how_long_a_name_usually_takes_is_said_once_it_is_known(script: Script) -> None:
    """From a few runs; of others, and of those kept before lengths were, nothing is said."""
    seen = script("""
        const summary = (name, count, p50) => ({ name, took: { count, p50 } });
        return [...lengthsOf([summary('a', 5, 3.5), summary('b', 4, 1), { name: 'c', took: null }])];
    """)
    assert seen == [["a", 3.5]]
