"""What marks stand for: a neuron has one key and one color in every picture, and a new one is always drawn."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from np_widgets.learning.pursuit.candidate import Candidate
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.growth import GrowthRecord, PursuitFrame
from np_widgets.pictures.architecture import MOST_NEURONS, architecture
from np_widgets.pictures.candidates import candidates
from np_widgets.pictures.labels import percent
from np_widgets.pictures.loss import loss
from np_widgets.pictures.neurons import neurons
from np_widgets.pictures.probe import probe
from np_widgets.pictures.scene import Cells, Dots, Edges, Texts
from np_widgets.pictures.weights import MOST_ROWS, weights
from np_widgets.problems import Problem, kumar_haupt
from tests.test_pictures import frame

PROBLEM = kumar_haupt(samples=60)


@pytest.fixture(scope="module")
def grown() -> PursuitFrame:
    """Of a pursuit that has added two neurons, at its end."""
    pursuit = NeuronPursuit(PROBLEM, starts=8, minimizer="lbfgs")
    pursuit.run(max_additions=2)
    return pursuit.frame()


def record(widths: tuple[int, ...], layer: int, removed: tuple[tuple[int, int], ...] = ()) -> GrowthRecord:
    return GrowthRecord(widths, layer, 1.0, (), 1.0, None, 0, 10, "because", removed=removed)


def random_weights(*sizes: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    return tuple(rng.normal(size=(above, below)) for below, above in pairwise(sizes))


class TestNeurons:
    def test_each_came_with_a_network_and_keeps_its_color_when_another_goes(self):
        before = frame(
            random_weights(3, 3, 2, 1), iteration=3, growth=(record((2, 1), 0), record((3, 1), 1), record((3, 2), 2))
        )
        assert [[each.network for each in layer] for layer in neurons(before)] == [[1, 1, 2], [1, 3]]
        assert [each.key for each in neurons(before)[0]] == [("neuron", 1, 0), ("neuron", 1, 1), ("neuron", 1, 2)]
        colors = [each.color for layer in neurons(before) for each in layer]
        assert len(set(colors)) == 5
        gone = dataclasses.replace(
            before,
            weights=random_weights(3, 2, 2, 1),
            growth=(record((2, 1), 0), record((3, 1), 1), record((2, 2), 2, removed=((1, 1),))),
        )
        assert [each.color for each in neurons(gone)[0]] == [colors[0], colors[2]]
        assert [each.place for each in neurons(gone)[0]] == [0, 1]
        under_way = dataclasses.replace(gone, weights=random_weights(3, 3, 2, 1), iteration=4, added=((1, 2),))
        assert neurons(under_way)[0][2].network == 4
        assert neurons(under_way)[0][2].color not in {each.color for each in neurons(gone)[0]}

    def test_the_first_network_and_one_without_growth_are_known_too(self):
        assert [each.network for each in neurons(frame(random_weights(3, 2, 1)))[0]] == [1, 1]
        alone = dataclasses.replace(frame(random_weights(3, 2, 1)), iteration=1, growth=(record((5,), 0),))
        assert [each.network for each in neurons(alone)[0]] == [0, 0]
        assert neurons(frame()) == ()

    @given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.randoms(use_true_random=False))
    def test_the_growth_of_a_pursuit_tells_of_all_neurons(self, start, random):
        sizes, growth, came = list(start), [record(tuple(start), 0)], [[1] * width for width in start]
        for network in range(2, 6):
            layer = random.randrange(len(sizes))
            came[layer].append(network)
            removed = []
            if len(came[layer]) > 2 and random.random() < 0.4:
                removed = [(layer + 1, random.randrange(len(came[layer])))]
                came[layer].pop(removed[0][1])
            sizes[layer] = len(came[layer])
            growth.append(record(tuple(sizes), layer + 1, tuple(removed)))
        made = frame(random_weights(2, *sizes, 1), iteration=5, growth=tuple(growth))
        assert [[each.network for each in layer] for layer in neurons(made)] == came


class TestKeys:
    def test_every_neuron_is_in_the_architecture_and_the_weights_with_its_color(self, grown):
        known = {each.key: each for layer in neurons(grown) for each in layer}
        nodes = architecture(grown, probe(PROBLEM))["neuron"]
        assert [key for (key,) in nodes.keys] == list(known)
        assert list(nodes.tints) == [each.color for each in known.values()]
        for layer in range(1, 4):
            cells = weights(grown, layer)["cells"]
            assert isinstance(cells, Cells)
            assert [key for (key,) in cells.keys] == [key for key in known if key[1] == layer]
            assert [key for (key,) in cells.across] == [key for key in known if key[1] == layer - 1]

    def test_edges_belong_to_their_neurons_and_read_their_weights(self, grown):
        scene = architecture(grown, probe(PROBLEM))
        for mark in scene.marks:
            if not isinstance(mark, Edges) or mark.role == "many":
                continue
            for ends, keys in zip(mark.x.tolist(), mark.keys, strict=True):
                layers = {int(key[1]) for key in keys if key[0] == "neuron"}
                assert layers == {int(end) for end in ends if 0 < end < len(grown.weights)}
        reads = scene["spot"].reads
        strongest = float(np.max(grown.weights[0]))
        where = np.unravel_index(int(grown.weights[0].argmax()), grown.weights[0].shape)
        name = "x" + "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(where[1] + 1))
        assert f"weight {strongest:.3g}, from {name} to neuron {where[0] + 1} of layer 1" in reads

    def test_neurons_read_on_how_many_samples_they_are_active(self, grown):
        read = architecture(grown, probe(PROBLEM))["neuron"].reads[0]
        z = PROBLEM.inputs.numpy() @ grown.weights[0][0]
        assert f"active on {percent((z > 0).mean())} of the samples" in read
        assert read.endswith("since network 1")

    def test_the_newest_neuron_is_one_with_its_candidate_and_its_mark_on_the_loss(self, grown):
        (newest,) = (each.key for layer in neurons(grown) for each in layer if each.network == grown.iteration)
        assert grown.taken is not None
        taken = candidates(grown)["taken"].keys
        assert taken == ((("candidate", grown.taken), newest),)
        additions = loss(grown)["addition"]
        assert isinstance(additions, Dots)
        assert newest in additions.keys[-1]
        assert not any(newest in keys for keys in additions.keys[:-1])

    def test_every_candidate_has_its_own_key_on_both_axes(self):
        found = (Candidate(1, 0.5, 0.0, 0.3, 0.0), Candidate(2, 0.3, 0.1), Candidate(1, 0.2, 0.0, 0.02, 0.0))
        scene = candidates(frame(random_weights(2, 1, 1, 1), candidates=found, taken=2))
        by_role = {mark.role: mark.keys for mark in scene.marks if mark.keys}
        assert by_role["point"] == ((("candidate", 0),),)
        assert by_role["direction"] == ((("candidate", 1),),)
        assert by_role["taken"][0][0] == ("candidate", 2)
        assert [keys[0] for keys in by_role["look-ahead"]] == [("candidate", 0), ("candidate", 2)]

    def test_a_new_neuron_is_drawn_however_weak_and_however_many_there_are(self):
        matrices = list(random_weights(4, 60, 1))
        matrices[0][40], matrices[1][:, 40] = 1e-6, 1e-6
        made: Any = frame(tuple(matrices), added=((1, 40),))
        for keys, most in (
            (architecture(made)["neuron"].keys, MOST_NEURONS - 1),
            (weights(made)["cells"].keys, MOST_ROWS),
        ):
            assert (("neuron", 1, 40),) in keys
            assert len(keys) == most


def test_inputs_and_outputs_have_the_names_of_the_problem():
    problem = Problem(np.eye(2), np.eye(2), input_names=("age", "blood pressure"), output_names=("mine", "yours"))
    made, points = frame(random_weights(2, 1, 2)), probe(problem)
    scene = architecture(made, points)
    words = [text for mark in scene.marks if isinstance(mark, Texts) and mark.role == "words" for text in mark.texts]
    assert words == ["age", "blood p…", "mine", "yours"]
    assert scene["end"].reads == ("age", "blood pressure", "mine", "yours")
    assert [name for _, name in weights(made, 1, points).x.ticks or ()] == ["age", "blood p…"]
    assert [name for _, name in weights(made, 2, points).y.ticks or ()] == ["mine", "yours"]
    assert points.output_name(1) == "yours"
    assert points.axis_labels == ("age", "blood pressure")
