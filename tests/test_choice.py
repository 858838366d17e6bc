"""The picture of the choice: what is drawn multiplies to the NCF value of the candidate, and says so."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets import plots
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit import searching
from np_widgets.learning.pursuit.candidate import Candidate
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.pictures import choice as pictures_choice
from np_widgets.pictures.choice import choice
from np_widgets.pictures.labels import number
from np_widgets.pictures.probe import probe
from np_widgets.pictures.scene import Scene
from np_widgets.problems import Problem, curve, kumar_haupt, two_moons
from tests.test_pictures import frame

AUTHORS = kumar_haupt(samples=60)
ONE_INPUT, MOONS = curve(samples=24), two_moons(30)
RANK = Problem(np.eye(4), np.diag([3.0, 2.0, 1.0, 0.5]))
ROLES = ("silent", "opposing", "agreeing")


def grown(problem: Problem, additions: int = 1, **options: Any) -> NeuronPursuit:
    settings: dict[str, Any] = {"starts": 6, "minimizer": "lbfgs", "max_steps": 60} | options
    pursuit = NeuronPursuit(problem, **settings)
    pursuit.run(max_additions=additions)
    return pursuit


@pytest.fixture(scope="module")
def authors() -> NeuronPursuit:
    return grown(AUTHORS, additions=2)


def dots(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    marks = [mark for mark in scene.marks if mark.role in ROLES]
    return np.concatenate([mark.x for mark in marks]), np.concatenate([mark.y for mark in marks])


def written(scene: Scene) -> float:
    """The value that the sentence says."""
    found = re.search(r"N = ([^,]+),", str(scene))
    assert found is not None
    plain = found[1].translate(str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789"))
    return float(re.sub(r"^(-?)10(?=-)", r"\g<1>1×10", plain).replace("×10", "e"))


CASES: dict[str, Callable[[], NeuronPursuit]] = {
    "rectified": lambda: grown(AUTHORS),
    "one layer": lambda: grown(AUTHORS, hidden_layers=1),
    "leaky": lambda: grown(AUTHORS, leak=0.2),
    "squared": lambda: grown(AUTHORS, power=2),
    "paper": lambda: grown(AUTHORS, method="paper", minimizer="auto", max_steps=30),
    "classes": lambda: grown(Problem(np.eye(6), np.arange(6) % 3, "cross_entropy"), hidden_layers=1),
    "path": lambda: grown(RANK, leak=1.0, additions=1),
}


class TestTheValue:
    @pytest.mark.parametrize("make", CASES.values(), ids=CASES)
    def test_what_is_drawn_multiplies_to_the_ncf_of_every_candidate(self, make):
        pursuit = make()
        problem, points = pursuit.problem, probe(pursuit.problem)
        made = pursuit.frame()
        assert made.candidates
        for index, candidate in enumerate(made.candidates):
            scene = choice(made, points, ("candidate", index))
            x, y = dots(scene)
            value = float((x * y).mean())
            assert len(x) == problem.samples
            incoming, *inner, outgoing = candidate.factors
            network = HomogeneousNetwork(candidate.network, power=made.power, leak=made.leak)
            links = tuple(float(weight[0, 0]) for weight in inner)
            expected = npw.correlation(
                network, problem, candidate.layer, incoming[0], outgoing[:, 0], inner=links, unseen=candidate.unseen
            )
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)
            assert expected == pytest.approx(candidate.value, rel=1e-6)
            assert written(scene) == pytest.approx(value, rel=6e-3)
            parts = [float((scene[role].x * scene[role].y).sum()) / len(x) for role in ROLES[1:] if role in scene]
            labels = [label for label, _ in scene.legend if ": " in label]
            assert [label.split(": ")[1] for label in labels] == [number(part) for part in parts]
            assert sum(parts) == pytest.approx(value)

    def test_the_cases_have_paths_and_signals_from_both_sides_of_kinks(self):
        found = {name: CASES[name]().frame().candidates for name in ("path", "rectified", "paper")}
        assert any(len(each.factors) > 2 for each in found["path"])
        assert any(each.unseen for each in found["rectified"])
        assert not any(each.unseen for each in found["paper"])

    def test_at_the_origin_too(self):
        pursuit = grown(AUTHORS, additions=0)
        made = pursuit.frame()
        (incoming, *inner, outgoing) = made.candidates[0].factors
        answer = np.maximum(AUTHORS.inputs.numpy() @ incoming[0], 0.0)
        for weight in inner:
            answer = np.maximum(weight[0, 0] * answer, 0.0)
        x, y = dots(choice(made, probe(AUTHORS)))
        np.testing.assert_allclose(np.sort(x), np.sort(answer), atol=1e-12)
        np.testing.assert_allclose(np.sort(y), np.sort(AUTHORS.targets.numpy()[:, 0] * outgoing[0, 0]), atol=1e-12)
        assert (x * y).mean() == pytest.approx(made.candidates[0].value, rel=1e-6)

    def test_it_is_of_the_network_that_was_searched_while_another_is_trained(self, authors):
        made = authors.frame()
        before = str(choice(made, probe(AUTHORS)))
        trained = dataclasses.replace(made, weights=tuple(2 * weight for weight in made.weights))
        assert str(choice(trained, probe(AUTHORS))) == before

    def test_other_samples_than_those_of_the_search_are_said(self, authors):
        made, other = authors.frame(), kumar_haupt(samples=50, seed=7)
        assert "The search, on other samples" in str(choice(made, probe(other)))
        assert "the search" not in str(choice(made, probe(AUTHORS)))

    def test_of_many_samples_some_are_drawn_and_all_are_counted(self, monkeypatch, authors):
        monkeypatch.setattr(pictures_choice, "MOST_DRAWN", 20)
        scene = choice(authors.frame(), probe(AUTHORS))
        assert len(dots(scene)[0]) == 20
        assert "20 of the samples are drawn" in scene.notes
        assert sum(int(label.split()[0]) for label, _ in scene.legend) == AUTHORS.samples
        assert written(scene) == pytest.approx(authors.frame().candidates[authors.frame().taken].value, rel=1e-2)


class TestOverTheInputs:
    def test_over_one_input_the_answer_is_a_curve_beside_the_signals(self):
        pursuit = grown(ONE_INPUT, hidden_layers=1)
        made, points = pursuit.frame(), probe(ONE_INPUT)
        scene = choice(made, points)
        incoming, outgoing = made.candidates[made.taken or 0].factors
        np.testing.assert_allclose(scene["answer"].y, np.maximum(points.points.numpy() @ incoming[0], 0), atol=1e-12)
        assert scene["answer"].right
        x, y = dots(scene)
        network = HomogeneousNetwork(made.candidates[0].network)
        residual = (ONE_INPUT.targets - network(ONE_INPUT.inputs)).numpy()[:, 0] * outgoing[0, 0]
        column = ONE_INPUT.display.columns[0]
        order = np.argsort(x)
        np.testing.assert_allclose(x[order], np.sort(ONE_INPUT.inputs[:, column].numpy()))
        np.testing.assert_allclose(y[order], residual[np.argsort(ONE_INPUT.inputs[:, column].numpy())], atol=1e-12)
        # Both axes have zero in the middle.
        assert scene.y.low == -scene.y.high
        assert scene.right is not None
        assert scene.right.low == -scene.right.high

    def test_over_two_inputs_it_is_a_map_with_the_samples_on_it(self):
        pursuit = grown(MOONS, hidden_layers=1)
        made, points = pursuit.frame(), probe(MOONS)
        scene = choice(made, points)
        incoming = made.candidates[made.taken or 0].factors[0][0]
        values = np.maximum(points.points.numpy() @ incoming, 0)
        np.testing.assert_allclose(scene["cells"].values.ravel(), values, atol=1e-12)
        assert sorted(zip(*map(list, dots(scene)), strict=True)) == sorted(map(tuple, points.places.tolist()))
        assert scene["cells"].shades.label == "what it would answer"


class TestWhichOne:
    def test_each_neuron_has_the_candidate_it_came_from(self, authors):
        made, points = authors.frame(), probe(AUTHORS)
        for network, record in enumerate(made.growth, start=1):
            for layer in record.layers or (1, 2):
                index = sum(layer in (each.layers or (1, 2)) for each in made.growth[:network]) - 1
                scene = choice(made, points, ("neuron", layer, index))
                assert scene.title == f"Choice: neuron {index + 1} of layer {layer}"
                assert written(scene) == pytest.approx(record.candidates[record.taken].value, rel=1e-2)

    def test_by_default_it_is_the_one_taken_or_the_first(self, authors):
        made, points = authors.frame(), probe(AUTHORS)
        assert made.taken is not None
        taken = choice(made, points)
        assert taken.title == "Choice: the candidate taken"
        assert dots(taken)[0].tolist() == dots(choice(made, points, ("candidate", made.taken)))[0].tolist()
        undecided = dataclasses.replace(made, taken=None)
        assert choice(undecided, points).title == "Choice: candidate 1"

    def test_samples_can_be_read(self, authors):
        scene = choice(authors.frame(), probe(AUTHORS))
        (read,) = [
            read for read, key in zip(scene["agreeing"].reads, scene["agreeing"].keys, strict=True)
            if key == scene["agreeing"].keys[0]
        ]  # fmt: skip
        ((_, sample),) = scene["agreeing"].keys[0]
        x, y = scene["agreeing"].x[0], scene["agreeing"].y[0]
        assert read == f"sample {sample + 1}: signal {number(y)} × answer {number(x)} = {number(x * y)}"

    @pytest.mark.parametrize(
        ("made", "selected", "why"),
        [
            (frame(), None, "No candidates yet"),
            (
                frame(finished=npw.learning.pursuit.growth.Finish("no_point", "No KKT point is good. Go.")),
                None,
                "No KKT point is good",
            ),
            (frame((np.eye(4), np.ones((1, 4)))), ("neuron", 1, 0), "came from no search"),
            (frame(candidates=(Candidate(1, 0.5, 0.0),)), None, "were not kept"),
            (frame(candidates=(Candidate(1, 0.5, 0.0),)), ("candidate", 3), "No candidates yet"),
        ],
    )
    def test_nothing_to_see_says_why(self, made, selected, why):
        scene = choice(made, probe(Problem(np.eye(4), np.arange(4.0))), selected)
        assert why in scene.empty


class TestWhatIsKept:
    def test_weights_of_candidates_are_bounded_and_the_best_are_kept(self, monkeypatch):
        monkeypatch.setattr(searching, "_MOST_KEPT", 100)
        found = grown(AUTHORS).frame().candidates
        kept = [bool(each.factors) for each in found]
        assert kept[0]
        assert kept == sorted(kept, reverse=True)
        assert sum(factor.size for each in found for factor in each.factors) <= 100

    def test_a_saved_session_still_knows_why(self, authors, tmp_path):
        with npw.Session(authors) as session:
            session.save(tmp_path / "why.npw")
            sentence = str(choice(session.frame, probe(AUTHORS), ("neuron", 1, 0)))
        with npw.load(tmp_path / "why.npw") as loaded:
            assert str(choice(loaded.frame, probe(AUTHORS), ("neuron", 1, 0))) == sentence

    def test_candidates_are_equal_by_what_they_are_and_not_by_their_arrays(self):
        one = Candidate(1, 0.5, 0.0, factors=(np.ones((1, 2)),))
        assert one == Candidate(1, 0.5, 0.0, factors=(np.zeros((1, 2)),))
        assert "factors" not in repr(one)


class TestPlots:
    def test_one_is_drawn_of_a_pursuit_a_frame_and_a_result(self, authors):
        title = plots.choice(authors).axes[0].get_title(loc="left")
        assert title == "Choice: the candidate taken"
        assert (
            plots.choice(authors.frame(), AUTHORS, ("candidate", 0)).axes[0].get_title(loc="left").startswith("Choice")
        )
        figure = plots.choice(authors, selected=("neuron", 1, 0))
        assert figure.axes[0].get_title(loc="left") == "Choice: neuron 1 of layer 1"

    @pytest.mark.parametrize(
        "selected", [("candidate", 1000), ("neuron", 1, 9), ("neuron", 3, 0), ("neuron", 1), 1, "x"]
    )
    def test_a_wrong_one_is_refused(self, authors, selected):
        with pytest.raises((ValueError, TypeError), match="selected must be"):
            plots.choice(authors, selected=selected)
        assert torch.is_grad_enabled()
