"""Runs side by side: what tables and pictures say is what the sessions are."""

from __future__ import annotations

import copy
from html import escape
from typing import Any

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.learning.course import MOST
from np_widgets.pictures import comparison
from np_widgets.pictures.labels import number, typeset
from np_widgets.pictures.probe import probe
from np_widgets.problems import curve, kumar_haupt, two_moons
from np_widgets.sessions.group import Group
from tests.session_engines import Counter
from tests.widget_looks import control, differ, figures, nothing_left_behind, shown, text, until

PROBLEM = kumar_haupt(samples=30, seed=1, test_samples=10)
SMALL: dict[str, Any] = {"starts": 3, "max_steps": 60, "max_additions": 2, "seed": 3}


def pursuit(problem: npw.Problem = PROBLEM, **options: Any) -> npw.NeuronPursuit:
    return npw.NeuronPursuit(problem, **SMALL | options)


@pytest.fixture(scope="module")
def sessions():
    """A pursuit, one with a decay, a branch of the first, and a fixed network: all of them at their ends."""
    first, priced = npw.Session(pursuit()), npw.Session(pursuit(weight_decay=0.01))
    fixed = npw.Session(npw.FixedNetwork(copy.copy(PROBLEM), (4, 3), "small", minimizer="adam", max_steps=2000))
    for session in (first, priced, fixed):
        session.resume()
        session.wait()
    branch = first.branch(next(m for m in first.history.moments if m.label.startswith("network 2 begun")))
    branch.step(5)
    found = [first, priced, branch, fixed]
    yield found
    for session in found:
        session.close()


def test_of_what_ran_before_its_session_the_steps_are_known_and_the_seconds_are_not():
    pursuit = npw.NeuronPursuit(PROBLEM, hidden_layers=1, starts=5, max_steps=60, max_additions=1)
    pursuit.run()
    frame = pursuit.frame()
    widget = npw.compare(pursuit)
    course = widget.session.frame.courses[0]
    x, _ = course.curve("steps")
    assert set(frame.trace_steps.tolist()) == set(x.tolist())
    assert len(set(x.tolist())) > 3
    assert len(course.curve("seconds")[0]) == 1
    assert (course.row["seconds"], course.row["steps"]) == (None, frame.total_steps)
    assert widget.message.endswith(" steps.")
    widget.close()


def test_the_table_is_what_the_sessions_are(sessions):
    group = Group(sessions)
    assert group.names == (
        "Neuron Pursuit (1)",
        "Neuron Pursuit, weight decay 0.01",
        "Neuron Pursuit (2)",
        "fixed network",
    )
    for session, course, row in zip(sessions, group.frame.courses, comparison.rows(group.frame.courses), strict=True):
        network, found = session.engine.network, course.row
        assert found["widths"] == network.widths
        assert found["weights"] == network.parameter_count
        assert found["loss"] == pytest.approx(PROBLEM.loss.value(network(PROBLEM.inputs), PROBLEM.targets).item())
        test = PROBLEM.loss.value(network(PROBLEM.test_inputs), PROBLEM.test_targets).item()
        assert found["test_loss"] == pytest.approx(test)
        assert found["steps"] == session.frame.total_steps
        assert found["seconds"] == session.history.seconds
        assert found["ended"] == str(session.engine.finished or session.status)
        written = (f"{found['weights']:,}", f"{found['steps']:,}", typeset(found["ended"]))
        assert (row[3], row[6], row[8]) == written
        assert row[4] == number(found["loss"])
    best = min(group.frame.courses, key=lambda course: course.row["loss"])
    assert best.name in group.frame.message


@pytest.mark.parametrize("against", comparison.AGAINST)
def test_losses_are_those_of_the_moments_and_of_the_trace_between_them(sessions, against):
    courses = Group(sessions).frame.courses
    training, test = (comparison.losses(courses, against, log=False, test=each) for each in (False, True))
    for index, session in enumerate(sessions):
        kept = [each for each in session.history.all_kept() if each.frame.loss is not None]
        where = [(each.frame.total_steps if against == "steps" else each.seconds, each.frame) for each in kept]
        line, tested = (scene[f"session {index}"] for scene in (training, test))
        assert (np.diff(line.x) >= 0).all()
        drawn = set(zip(line.x, line.y, strict=True))
        assert {(place, frame.loss) for place, frame in where} <= drawn
        assert {(place, frame.test_loss) for place, frame in where} == set(zip(tested.x, tested.y, strict=True))
        assert line.y[-1] == session.frame.loss
        if against == "steps":
            assert set(session.frame.trace_steps) <= set(line.x)
        assert (tested.x[-1], tested.y[-1]) == (line.x[-1], session.frame.test_loss)
        assert f"{session.frame.loss:.2g}"[:3] in str(training)
    assert [mark.label[0] for mark in training.marks[:-1]] == ["1", "2", "3", "4"]
    assert ", ".join(training["words"].texts).split(", ") in (["1", "2", "3", "4"], ["1", "3", "2", "4"])


def test_neurons_step_where_they_came(sessions):
    scene = comparison.neurons(Group(sessions).frame.courses, log=False)
    for index, session in enumerate(sessions):
        line = scene[f"session {index}"]
        assert line.y[-1] == sum(session.frame.widths)
        assert ((np.diff(line.x) == 0) | (np.diff(line.y) == 0)).all()
        assert str(session.frame.widths) in line.label


@pytest.mark.parametrize("kind", ["hypercube", "curve", "regions", "scatter", "confusion"])
def test_functions_are_those_of_the_networks(kind):
    rows = np.random.default_rng(0).normal(size=(20, 4))
    problem = {
        "hypercube": lambda: PROBLEM,
        "curve": lambda: curve("hat", samples=20),
        "regions": lambda: two_moons(20, seed=1),
        "scatter": lambda: npw.Problem(rows, rows[:, 0], test=(rows, rows[:, 1])),
        "confusion": lambda: npw.Problem(rows, np.arange(20) % 3, "cross_entropy"),
    }[kind]()
    engines = [npw.FixedNetwork(problem, 3, seed=seed, minimizer="adam", max_steps=20) for seed in range(2)]
    with npw.Session(engines[0]) as one, npw.Session(engines[1]) as other:
        for session in (one, other):
            session.step(1)
        where, courses = probe(problem), Group([one, other]).frame.courses
        scene = comparison.functions(courses, where)
        if kind == "confusion":
            assert scene.title.startswith(courses[0].name)
            others = comparison.functions(courses, where, 1)
            assert not np.array_equal(scene["cells"].values, others["cells"].values)
            return
        for index, session in enumerate((one, other)):
            values = where.values(session.frame.network(where.points))[:, 0]
            if kind in ("hypercube", "curve"):
                line, width = scene[f"session {index}"], scene.y.high - scene.y.low
                np.testing.assert_allclose(line.y, values, atol=width / 500)
                assert scene.y.low <= values.min() < values.max() <= scene.y.high
            elif kind == "scatter":
                dots = scene[f"samples {index}"]
                np.testing.assert_allclose(dots.y, values[where.data_is_test], atol=(scene.y.high - scene.y.low) / 500)
        assert len([mark for mark in scene.marks if mark.role == "truth"]) == (kind in ("hypercube", "curve"))
        npw.plots.comparison(one, other)


def test_notes_of_runs_are_one_note():
    assert comparison._together(["Largest error: 1", "Largest error: 2"]) == "Largest error: 1 (1), 2 (2)"
    assert comparison._together(["98% right", "", "97% right"]) == "1: 98% right; 3: 97% right"


def test_numbers_of_single_points_do_not_cover_each_other():
    engines = [npw.NeuronPursuit(PROBLEM, hidden_layers=1, starts=5, max_steps=steps) for steps in (40, 42)]
    for engine in engines:
        engine.run(max_additions=0)
    widget = npw.compare(*engines)
    assert comparison.neurons(widget.session.frame.courses)["words"].texts == ("1, 2",)
    widget.close()


def test_a_run_begins_anew_when_its_engine_starts_over():
    with npw.Session(pursuit()) as session:
        session.step(40)
        took, seconds = session.frame.total_steps, session.history.seconds
        session.reset(seed=5)
        session.step(1)
        course = session.course("x")
        assert took > 0
        assert (np.diff(course.steps) >= 0).all()
        assert course.steps[-1] == session.frame.total_steps
        assert course.seconds[-1] == pytest.approx(session.history.seconds - seconds)


def test_saddle_flows_are_compared_too():
    problem = npw.Problem(PROBLEM.inputs, PROBLEM.targets)
    flow = npw.SaddleFlow(None, problem, (1,), scale=2e-2, power=2, starts=2, hidden_layers=1)
    with npw.Session(flow) as session, npw.Session(pursuit(problem)) as other:
        session.step(6)
        group = Group([session, other], names=["flow", "pursuit"])
        first, second = group.frame.courses
        assert (first.row["loss"], first.row["steps"]) == (session.frame.loss, session.frame.steps)
        assert first.row["widths"] == tuple(int(own.sum()) for own in session.frame.active)
        assert second.row["loss"] is None
        assert comparison.rows([second])[0][4] == "none yet"
        assert "session 1" not in comparison.losses([first, second])
        assert "test set" in comparison.losses([first], test=True).empty


def test_what_cannot_be_compared_is_refused(sessions):
    with npw.Session(pursuit(kumar_haupt(samples=30, seed=2))) as other, npw.Session(Counter()) as counter:
        cases: list[tuple[Any, Any, str]] = [
            ([], None, "1 to 8"),
            ([pursuit() for _ in range(MOST + 1)], None, "1 to 8"),
            ([sessions[0], other], None, "same data"),
            ([counter], None, "learns a Problem"),
            ([sessions[0], 3], None, r"sessions\[1\]"),
            ([sessions[0], sessions[0]], None, "twice"),
            (sessions, ["a", "b"], "names must be 4"),
            (sessions, ["a", "a", "b", "c"], "different"),
        ]
        for given, names, message in cases:
            with pytest.raises((TypeError, ValueError), match=message):
                Group(given, names)
        with pytest.raises(TypeError, match=r"sessions\[0\]"):
            npw.plots.comparison(PROBLEM)
        with pytest.raises(ValueError, match="against"):
            npw.plots.comparison(*sessions, against="hours")


def test_a_group_is_steered_as_one_and_closes_what_it_made():
    with npw.Session(pursuit()) as theirs:
        group = Group([theirs, pursuit(seed=4)])
        before = group.frame
        assert group.frame is before
        assert (group.status, group.error) == ("paused", None)
        group.submit("resume").result(60)
        for session in group.sessions:
            session.wait(60)
        assert (group.status, group.frame is before) == ("finished", False)
        assert group.submit("resume").result(0) is None
        group.close()
        assert [session.status for session in group.sessions] == ["finished", "closed"]
        assert group.status == "paused"


def test_a_page_for_paper_has_all_of_it(sessions):
    figure = npw.plots.comparison(*sessions, names=list("abcd"), against="seconds", log=False)
    titles = {axes.get_title(loc="left") for axes in figure.axes}
    assert {"Training loss", "Test loss", "Hidden neurons", "Functions: learned by 4 runs"} <= titles
    (table,) = figure.axes[-1].tables
    assert [table[row + 1, 1].get_text().get_text() for row in range(4)] == list("abcd")
    assert table[0, 4].get_text().get_text() == "Loss"
    figure.draw_without_rendering()


class TestWidget:
    """It shows what the sessions are, while they run and afterwards, and leaves nothing behind."""

    def test_its_table_and_pictures_follow_the_sessions(self):
        with nothing_left_behind(), npw.Session(pursuit()) as first:
            fixed = npw.Session(npw.FixedNetwork(PROBLEM, 4, minimizer="adam", max_steps=3000))
            widget = npw.compare(first, fixed, names=["<grown>", "fixed"])
            assert (widget.status, len(figures(widget))) == ("paused", 4)
            assert "none yet" in text(widget)
            control(widget, "Play all").click()
            first.wait(60)
            fixed.wait(60)
            assert widget.status == "finished"
            assert control(widget, "Play all").disabled
            rows = comparison.rows(widget.session.frame.courses)
            for row in rows:
                assert all(f">{escape(each)}<" in text(widget) for each in row)
            assert typeset(widget.message) in text(widget).replace("&lt;", "<").replace("&gt;", ">")
            assert (first.engine.loss, fixed.engine.loss) == tuple(widget.to_frame()["loss"])  # type: ignore[attr-defined]
            assert list(widget.to_frame()["seconds"]) == [first.history.seconds, fixed.history.seconds]
            before = shown(widget)
            control(widget, "Against").value = "seconds"
            assert differ(before, shown(widget))
            ends = [mark.x[-1] for mark in figures(widget)[0].marks if type(mark).__name__ == "Lines" and mark.visible]
            assert set(ends) == {first.history.seconds, fixed.history.seconds}
            assert "Training loss" in {axes.get_title(loc="left") for axes in widget.figure().axes}
            bundle, about = widget._repr_mimebundle_()
            assert "Hidden widths now" in about["image/png"]["alt"]
            assert "image/png" in bundle
            assert bundle["text/plain"] == "<ComparisonWidget of '<grown>', 'fixed'>"
            widget.close()
            widget.close()
            assert (first.status, fixed.status) == ("finished", "finished")
            fixed.close()

    def test_it_is_live_and_pauses_all(self):
        with nothing_left_behind():
            engines = [
                npw.FixedNetwork(PROBLEM, 4, seed=seed, max_steps=10**7, learning_rate=1e-6) for seed in range(2)
            ]
            widget = npw.compare(*engines, hide=["test_loss", "function"])
            assert len(figures(widget)) == 2
            control(widget, "Play all").click()
            before = shown(widget)
            until(lambda: bool(differ(before, shown(widget))) and widget.status == "running")
            control(widget, "Pause all").click()
            until(lambda: widget.status == "paused")
            assert {session.status for session in widget.session.sessions} == {"paused"}
            widget.close()
            assert {session.status for session in widget.session.sessions} == {"closed"}

    def test_a_session_that_fails_is_told_with_the_others_still_there(self):
        with nothing_left_behind():
            engine, other = npw.FixedNetwork(PROBLEM, 3), npw.FixedNetwork(PROBLEM, 3, seed=1, max_steps=100)
            widget = npw.compare(engine, other)
            engine._advance = lambda: 1 / 0  # type: ignore[method-assign, assignment]
            control(widget, "Play all").click()
            until(lambda: widget.session.status == "failed")
            widget.catch_up()
            assert "ZeroDivisionError" in text(widget)
            assert ">failed<" in text(widget)
            widget.close()

    def test_bad_arguments_are_named(self):
        with nothing_left_behind():
            for given, message in [
                ({"hide": ["reset"]}, "hide"),
                ({"rate": 0}, "rate"),
                ({"names": ["a", "b"]}, "names"),
            ]:
                with pytest.raises((TypeError, ValueError), match=message):
                    npw.compare(pursuit(), **given)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="cannot be compared"):
                npw.compare(Lossless())


class Lossless(Counter):
    """It learns, but its frames do not say how well."""

    problem = PROBLEM
