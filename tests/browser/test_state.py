"""The page's state and words as pure functions, run in a real browser without any server of ours."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Script

PRELUDE = """
const { reduce, nothing, noNews, merge, trim } = await import('/state.js');
const { percentOf } = await import('/counts.js');
const { clean, duration, progress, titleOf } = await import('/format.js');
const { withSample, rateOf, timeLeft } = await import('/rate.js');
const op = (id, more = {}) => ({ id, name: 'n', title: id, status: 'running', created: 0, rev: 1, run: 'a',
  children: { version: 0 }, steps: null, ...more });
const step = (index, more = {}) => ({ index, name: 'step ' + index, ...more });
const snapshot = (topic, ...operations) => ({ type: 'snapshot', topic, operations });
const event = ([operation, one]) => ({ operation, step: one ?? null });
const events = (...list) => ({ type: 'events', events: list.map(event) });
const at = (version) => ({ children: { version, complete: version } });
const run = (topic, ...messages) => messages.reduce((held, message) => reduce(held, message, topic), nothing());
const revs = (held) => Object.fromEntries([...held.operations.values()].map((each) => [each.id, each.rev]));
"""


def test_a_snapshot_replaces_everything(script: Script) -> None:
    """After a snapshot only its operations are held, also when their rev is smaller than before."""
    seen = script("""
        const held = run('operations', snapshot('operations', op('x', { rev: 9 }), op('y')),
          snapshot('operations', op('x', { rev: 2 })));
        return [held.ready, revs(held)];
    """)
    assert seen == [True, {"x": 2}]


def test_only_a_newer_rev_is_taken(script: Script) -> None:
    """An older or equal rev changes nothing, a larger one replaces the operation."""
    seen = script("""
        const base = run('operations', snapshot('operations', op('x', { rev: 5 })));
        const old = reduce(base, events([op('x', { rev: 4 })]), 'operations');
        const equal = reduce(base, events([op('x', { rev: 5, status: 'error' })]), 'operations');
        return [old === base, equal === base, revs(reduce(base, events([op('x', { rev: 6 })]), 'operations'))];
    """)
    assert seen == [True, True, {"x": 6}]


def test_newer_counts_of_children_are_taken_at_the_same_rev(script: Script) -> None:
    """A batch whose own rev stands still moves on with the version of its children's counts."""
    seen = script("""
        const held = run('operations', snapshot('operations', op('x', at(3))),
          events([op('x', at(4))], [op('x', at(2))]));
        return held.operations.get('x').children.complete;
    """)
    assert seen == 4


def test_steps_are_an_upsert_by_index(script: Script) -> None:
    """A step replaces the one with its index; the others stay, in order."""
    seen = script("""
        const held = run('operation:x', snapshot('operation:x', op('x', { steps: [step(1), step(3)] })),
          events([op('x', { rev: 2 }), step(2)], [op('x', { rev: 3 }), step(1, { status: 'complete' })]));
        return held.steps.map((each) => [each.index, each.status ?? 'pending']);
    """)
    assert seen == [[1, "complete"], [2, "pending"], [3, "pending"]]


def test_another_run_starts_with_no_steps(script: Script) -> None:
    """When the run changes, the steps of the run before are gone."""
    seen = script("""
        const held = run('operation:x', snapshot('operation:x', op('x', { steps: [step(1), step(2)] })),
          events([op('x', { rev: 2, run: 'b' }), step(1)]));
        return held.steps.map((each) => each.index);
    """)
    assert seen == [1]


def test_applying_twice_leads_to_the_same_state(script: Script) -> None:
    """The same events again, as after a lost answer, change nothing that is seen."""
    seen = script("""
        const again = events([op('x', { rev: 2 }), step(1, { status: 'running' })],
          [op('x', { rev: 3 }), step(1, { status: 'complete' })]);
        const once = run('operation:x', snapshot('operation:x', op('x', { steps: [] })), again);
        const before = JSON.stringify([...once.operations, once.steps]);
        const twice = reduce(once, again, 'operation:x');
        return JSON.stringify([...twice.operations, twice.steps]) === before;
    """)
    assert seen


def test_a_late_step_does_not_take_a_newer_one_back(script: Script) -> None:
    """A step that comes with an older rev is ignored with its operation."""
    seen = script("""
        const steps = [step(1, { status: 'complete' })];
        const held = run('operation:x', snapshot('operation:x', op('x', { rev: 5, steps })),
          events([op('x', { rev: 4 }), step(1, { status: 'running' })]));
        return held.steps[0].status;
    """)
    assert seen == "complete"


def test_an_operation_that_appears_later_is_taken(script: Script) -> None:
    """After an empty snapshot, events bring the operation and its steps."""
    seen = script("""
        const held = run('operation:x', snapshot('operation:x'), events([op('x'), step(1)]));
        return [held.ready, held.operations.size, held.steps.length];
    """)
    assert seen == [True, 1, 1]


def test_unchanged_operations_keep_their_identity(script: Script) -> None:
    """A new snapshot with the same operation keeps the held object, so that its row is not drawn again."""
    seen = script("""
        const held = run('operations', snapshot('operations', op('x')));
        const [news, x] = [noNews(), held.operations.get('x')];
        const again = reduce(held, snapshot('operations', op('x')), 'operations', news);
        return again.operations.get('x') === x && news.changed.size === 0;
    """)
    assert seen


def test_trimming_never_drops_what_has_not_ended(script: Script) -> None:
    """Of too many operations the oldest ended ones leave, a running one stays however old."""
    seen = script("""
        const ended = [1, 2, 3].map((created) => op('e' + created, { created, status: 'complete' }));
        const all = [op('old', { created: 0 }), ...ended];
        return [...trim(run('operations', snapshot('operations', ...all)), 2).operations.keys()];
    """)
    assert seen == ["old", "e2", "e3"]


def test_merging_takes_only_what_is_newer(script: Script) -> None:
    """A page read over HTTP adds what is missing and never takes a live row back."""
    seen = script("""
        const held = run('children:p', snapshot('children:p', op('x', { rev: 5 })));
        return revs(merge(held, [op('x', { rev: 4 }), op('y')]));
    """)
    assert seen == {"x": 5, "y": 1}


@pytest.mark.parametrize(("complete", "total", "percent"), [(0, 0, 0), (1999, 2000, 99), (2000, 2000, 100), (1, 3, 33)])
def test_percent_reaches_100_only_when_all_succeeded(script: Script, complete: int, total: int, percent: int) -> None:
    """Percent is floored, and nothing divided by nothing is zero."""
    assert script(f"return percentOf({{ complete: {complete}, total: {total} }})") == percent


def test_only_outcomes_are_announced(script: Script) -> None:
    """What was seen open and has ended is an outcome; a first snapshot and progress are none."""
    seen = script("""
        const [before, after] = [noNews(), noNews()];
        const opening = snapshot('operations', op('x'), op('y'), op('z', { status: 'error' }));
        const first = reduce(nothing(), opening, 'operations', before);
        reduce(first, events([op('x', { rev: 2, status: 'error' })], [op('y', { rev: 2 })]), 'operations', after);
        return [before.ended.length, after.ended.map((each) => each.id)];
    """)
    assert seen == [0, ["x"]]


def test_the_news_of_a_message_are_what_it_changed(script: Script) -> None:
    """Lists are ordered anew only for what comes, goes or belongs elsewhere; progress is none of that."""
    seen = script("""
        const held = run('operations', snapshot('operations', op('x'), op('y'), op('z')));
        const told = (message) => {
          const news = noNews();
          reduce(held, message, 'operations', news);
          return [[...news.changed], news.moved];
        };
        const failing = { children: { version: 1, error: 1 } };
        return [told(events([op('x', { rev: 2 })])), told(events([op('x', { rev: 2 })])),
          told(events([op('y', { rev: 2, status: 'complete' })])), told(events([op('x', { rev: 3, ...failing })])),
          told(events([op('x', { rev: 4, ...failing })])),
          told(snapshot('operations', op('x', { rev: 4, ...failing })))];
    """)
    progress, again, ended, failed, still, gone = seen
    assert [progress, again, ended] == [[["x"], False], [[], False], [["y"], True]]
    assert [failed, still] == [[["x"], True], [["x"], False]]
    assert gone == [["y", "z"], True]


def test_hostile_text_loses_what_cannot_be_seen(script: Script) -> None:
    """Control characters and direction overrides vanish, and 10 kB become a readable length."""
    seen = script(r"""
        const nameless = titleOf({ title: ' \u0000 ', name: '', id: 'i' });
        return [clean('\u001b[31mred\u0007 \u202egnp'), clean('A'.repeat(10000)).length, nameless];
    """)
    assert seen == ["[31mred gnp", 301, "i"]


def test_lengths_of_time_read_like_a_watch(script: Script) -> None:
    """Durations keep two figures below ten seconds and grow to minutes, hours and days."""
    seen = script("return [0.004, 0.42, 2.24, 9.96, 185, 7380, 352800].map(duration)")
    assert seen == ["4 ms", "0.42 s", "2.2 s", "10 s", "3 m 05 s", "2 h 03 m", "4 d 02 h"]


def test_amounts_carry_their_unit(script: Script) -> None:
    """Counts get separators, bytes a binary unit, and an unknown total is not invented."""
    seen = script("return [progress(1204, 5000, 'rows'), progress(5120, 10240, 'bytes'), progress(7, null, '')]")
    assert seen == ["1,204 / 5,000 rows", "5 KiB / 10 KiB", "7"]


def test_a_rate_needs_a_few_seconds_and_then_gives_the_time_left(script: Script) -> None:
    """No rate is shown before three seconds of samples; a count that falls starts over."""
    seen = script("""
        let samples = withSample([], 0, 10);
        const early = rateOf(samples, 2);
        samples = withSample(samples, 5, 20);
        const rate = rateOf(samples, 5);
        return [early, rate, timeLeft(40, rate), withSample(samples, 6, 0).length, timeLeft(40, 0)];
    """)
    assert seen == [None, 2, 20, 1, None]
