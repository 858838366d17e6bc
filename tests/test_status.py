"""The lines above the pictures show any text as it is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import np_widgets as npw
from np_widgets.pictures.architecture import ADDED, architecture
from np_widgets.pictures.labels import typeset
from np_widgets.widgets.status import StatusLines
from np_widgets.widgets.tree import close_tree


def test_names_with_markup_are_shown_as_they_are():
    lines = StatusLines("Saddle <dynamics>", "a <b> & c")
    try:
        title = lines.heading.children[0].value
        assert "Saddle &lt;dynamics&gt;" in title
        assert "a &lt;b&gt; &amp; c" in title
        lines.tell("<i>no</i>")
        assert "&lt;i&gt;no&lt;/i&gt;" in lines.notice.value
    finally:
        close_tree(lines.heading, lines.sentence, lines.notice)


PROBLEM = npw.problems.kumar_haupt(samples=60, seed=0)


def shown(pursuit):
    """What the heading and the sentence say of a pursuit that has ended."""
    lines = StatusLines("Neuron Pursuit", "example")
    try:
        lines.show(pursuit.frame(), "finished", [])
        return lines.heading.children[1].children[1].value, lines.sentence.children[1].value
    finally:
        close_tree(lines.heading, lines.sentence, lines.notice)


def test_target_limit_and_stuck_look_different_and_say_what_can_be_done_next():
    ends = {}
    for outcome, pursuit in {
        "target": npw.NeuronPursuit(PROBLEM, hidden_layers=1, target_loss=0.9 * PROBLEM.zero_loss),
        "limit": npw.NeuronPursuit(PROBLEM, hidden_layers=1, target_loss=0.0),
        "stuck": npw.NeuronPursuit(npw.Problem(PROBLEM.inputs, 0.0 * PROBLEM.targets)),
    }.items():
        pursuit.run(max_additions=0)
        assert pursuit.finished.outcome == outcome
        ends[outcome], sentence = shown(pursuit)
        assert typeset(pursuit.finished.message) in sentence
        assert pursuit.finished.advice in sentence
        assert pursuit.finished.advice
    assert [word in ends[end] for end, word in [("target", "reached"), ("limit", "limit"), ("stuck", "stuck")]] == [
        True
    ] * 3
    assert len({end.split("aria-hidden")[1][:10] for end in ends.values()}) == 3  # a sign of its own for each


@pytest.mark.parametrize(
    ("status", "progress", "shown"),
    [
        ("running", 0.3, True),
        ("running", 0.0, True),
        ("running", None, False),
        ("paused", 0.3, True),
        ("paused", 0.0, False),
        ("paused", None, False),
        ("finished", 1.0, False),
        ("failed", 0.3, False),
        ("closed", 0.3, False),
    ],
)
def test_progress_is_shown_only_of_what_is_under_way(status, progress, shown):
    lines = StatusLines("Neuron Pursuit", "example")
    try:
        lines.show(SimpleNamespace(message="", progress=progress), status, [])
        bar = lines.heading.children[1].children[0]
        assert bar.layout.display == (None if shown else "none")
        assert bar.value == (progress or 0.0)
    finally:
        close_tree(lines.heading, lines.sentence, lines.notice)


def test_without_a_network_the_architecture_says_the_truth():
    pursuit = npw.NeuronPursuit(npw.Problem(PROBLEM.inputs, 0.0 * PROBLEM.targets))
    assert "press Play" in architecture(pursuit.frame()).empty
    pursuit.advance()
    assert "under way" in architecture(pursuit.frame()).empty
    pursuit.run()
    assert "led to none" in architecture(pursuit.frame()).empty


@pytest.mark.parametrize("additions", [0, 1])
def test_only_what_an_iteration_added_is_called_added(additions):
    pursuit = npw.NeuronPursuit(PROBLEM, hidden_layers=1, target_loss=0.0)
    pursuit.run(max_additions=additions)
    assert (ADDED in dict(architecture(pursuit.frame()).legend)) == (additions > 0)
    assert len(pursuit.frame().added) == additions


@pytest.mark.parametrize("method", ["fast", "paper"])
def test_searching_looking_ahead_and_training_say_so_and_how_far_they_are(method):
    pursuit = npw.NeuronPursuit(PROBLEM, method=method, max_additions=1, starts=5, max_steps=60)
    said = {
        "Searching the origin": "searching the origin",
        "searching layer": "searching for a neuron",
        "side by side": "looking ahead",
        " at step": "training",
    }
    seen = set()
    while pursuit.finished is None:
        pursuit.advance()
        frame = pursuit.frame()
        assert frame.progress is not None
        assert 0 <= frame.progress <= 1
        if frame.finished is None:
            seen.add(next(name for words, name in said.items() if words in frame.message))
    assert seen == set(said.values()) - ({"looking ahead"} if method == "paper" else set())


def test_the_search_of_a_flow_says_how_far_it_is():
    flow = npw.SaddleFlow(None, PROBLEM, dormant=(2,), hidden_layers=1, seed=0, starts=5)
    shares: list[float] = []
    flow.advance()
    while flow.frame().phase == "searching" and "Searching" in flow.frame().message:
        shares.append(flow.frame().progress)
        flow.advance()
    assert len(shares) > 2
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
