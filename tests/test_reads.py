"""What a pointer reads: of every kind of mark, and nothing but what is there."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.pictures.alignment import alignment
from np_widgets.pictures.function import function
from np_widgets.pictures.images import MOST_IMAGES
from np_widgets.pictures.labels import number
from np_widgets.pictures.loss import loss
from np_widgets.pictures.norms import norms
from np_widgets.pictures.plateaus import plateaus
from np_widgets.pictures.probe import probe
from np_widgets.pictures.scene import Dots, Scene
from np_widgets.pictures.weights import saddle_weights, weights
from np_widgets.problems import Display, Problem, digits, kumar_haupt, sparse_parity
from tests.saddle_frames import between_saddles
from tests.test_pictures import frame
from tests.test_scenes import GROWN, SCENES, one_layer

# Parts of something that is read beside them.
SILENT = {"minus"}


def read(scene: Scene, role: str) -> dict[str, tuple[float, float]]:
    mark = scene[role]
    return dict(zip(mark.reads, zip(mark.x.tolist(), mark.y.tolist(), strict=True), strict=True))


@pytest.mark.parametrize("make", SCENES.values(), ids=SCENES)
def test_every_marker_can_be_read_and_every_picture_has_some(make):
    scene = make()
    dots = [mark for mark in scene.marks if isinstance(mark, Dots) and mark.role not in SILENT]
    assert all(len(mark.reads) == len(mark.x) and all(mark.reads) for mark in dots)
    assert dots or not scene.marks or scene.title.startswith("Function: predicted and true")


def test_samples_are_read_with_their_numbers_and_targets():
    x, names = np.random.default_rng(0).normal(size=(7, 2)), ("width", "height")
    values = Problem(x, np.arange(7.0), input_names=names, output_names=["yield"])
    scene = function(one_layer([[1.0, 0], [-1, 0]], [[1.0, 1]]), probe(values))
    for index, (text, place) in enumerate(read(scene, "valued").items()):
        width, height = x[index]
        assert text == (
            f"sample {index + 1}: width = {number(width)}, height = {number(height)}, target {number(index)}"
        )
        assert place == pytest.approx((width, height))
    assert scene["valued"].keys == tuple(((("sample", index),)) for index in range(7))
    labels = Problem(x, np.arange(7) % 2, "cross_entropy", output_names=["cat", "dog"])
    scene = function(one_layer(np.eye(2), np.eye(2)), probe(labels))
    assert all(text.endswith(", dog") for text in scene["class 1"].reads)
    assert [label for label, _ in scene.legend][-2:] == ["cat", "dog"]
    four = Problem(np.eye(4), [0, 1, 2, 3], "cross_entropy", output_names=["a", "b", "c", "other things"])
    confused = function(one_layer(np.eye(4), np.eye(4)), probe(four))
    assert [text for _, text in confused.x.ticks] == ["a", "b", "c", "other t…"]


def test_test_samples_say_so():
    x = np.random.default_rng(0).normal(size=(9, 3))
    problem = Problem(x[:5], x[:5, 0], test=(x[5:], x[5:, 0]))
    scene = function(one_layer([[1.0, 0, 0]], [[1.0]]), probe(problem))
    assert list(read(scene, "training")) == [f"sample {i + 1}: target {number(x[i, 0])}" for i in range(5)]
    assert list(read(scene, "testing")) == [f"test sample {i + 1}: target {number(x[5 + i, 0])}" for i in range(4)]
    assert set(scene["testing"].keys) == {()}


def test_lines_are_read_where_they_are():
    line = Problem(np.linspace(-1, 1, 9)[:, None], np.linspace(-1, 1, 9), truth=lambda x: x)
    scene = function(one_layer([[1.0], [-1.0]], [[2.0, -2.0]]), probe(line))
    found = read(scene, "spot")
    assert 20 <= len(found) <= 25
    for text, (x, y) in found.items():
        assert text == f"x₁ = {number(x)}: learned {number(2 * x)}, true {number(x)}"
        assert y == pytest.approx(2 * x, abs=1e-2)
    parity = sparse_parity(4, 2, samples=20)
    seen = read(function(GROWN, probe(parity)), "spot")
    for text in seen:
        signs, truth = re.fullmatch(r"vertex \(([+−]{4})\): learned .*, true (.*)", text).groups()
        assert truth.replace("−", "-") == str(np.prod([1 if sign == "+" else -1 for sign in signs[:2]]))


def test_weights_are_read_in_their_cells():
    matrix = np.random.default_rng(0).normal(size=(3, 30))
    scene = weights(frame((matrix, np.ones((1, 3)))))
    found = read(scene, "spot")
    assert len(found) == matrix.size
    for text, (x, y) in found.items():
        row, column = int(y), int(x)
        name = "x" + str(column + 1).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
        assert text == f"weight {number(matrix[row, column])}, from {name} to neuron {row + 1} of layer 1"
    assert {keys[0][2] for keys in scene["spot"].keys} == {0, 1, 2}
    many = np.random.default_rng(0).normal(size=(20, 30)) * np.arange(1, 21)[:, None]
    spot = weights(frame((many, np.ones((1, 20)))))["spot"]
    assert {keys[0][2] for keys in spot.keys} == set(range(20))
    assert len(spot.x) == 160
    chosen = {(int(y), int(x)) for x, y in zip(spot.x, spot.y, strict=True)}
    assert {(row, int(np.abs(many[row]).argmax())) for row in range(20)} <= chosen
    flow = between_saddles()
    last = flow.history[-1][1]
    for text, (x, y) in read(saddle_weights(flow, layer=2), "spot").items():
        assert number(last.ravel()[np.argmin([abs(number(v) != text.split(",")[0][7:]) for v in last.ravel()])]) in text
        assert 0 < x < last.shape[1]
        assert 0 < y < last.shape[0]


def test_courses_of_a_flow_are_read_along_them():
    flow: Any = between_saddles()
    record = flow.record
    times = {number(time): index for index, time in enumerate(record.time.tolist())}
    for scene, name, values in (
        (plateaus(flow), "loss", record.loss),
        (norms(flow), "active weights moved by", record.active_shift),
    ):
        own = [text for text in scene["spot"].reads if f": {name} " in text]
        assert len(own) > 5
        for text in own:
            time, value = text.removeprefix("time ").split(f": {name} ")
            assert value == number(float(values[times[time]]))
    largest = alignment(flow)["spot"].reads
    assert all(re.fullmatch(r"time .*: neuron \d of layer \d, cosine .*", text) for text in largest)


def test_weights_of_pixels_are_images():
    matrix = np.random.default_rng(0).normal(size=(30, 7))
    problem = Problem(np.eye(7), np.arange(7.0), display=Display("scatter", image=(2, 3)))
    made = dataclasses.replace(frame((matrix, np.ones((1, 30)))), added=((1, 29),))
    scene = weights(made, probe=probe(problem))
    cells, largest = scene["cells"], np.abs(matrix[:, :6]).max()
    seen = [int(keys[0][2]) for keys in scene["tile"].keys]
    assert len(seen) == MOST_IMAGES
    assert 29 in seen
    for row, x, y, text in zip(seen, scene["tile"].x, scene["tile"].y, scene["spot"].reads, strict=True):
        left, top = int(x.min()), int(y.min())
        image = matrix[row, :6].reshape(2, 3)
        np.testing.assert_allclose(cells.values[top : top + 2, left : left + 3] * largest, image, atol=2e-3 * largest)
        assert text == f"neuron {row + 1} of layer 1: weights from {number(image.min())} to {number(image.max())}"
    new = seen.index(29)
    assert (scene["new"].x.min(), scene["new"].y.min()) == (scene["tile"].x[new].min(), scene["tile"].y[new].min())
    assert scene.notes == ("Shown: 24 of 30 neurons, 6 of 7 inputs",)
    assert weights(made, 2, probe(problem)).title == "Weights W₂"
    assert weights(made).title == "Weights W₁"
    assert digits().display.image == (8, 8)
    for wrong in ((3,), (0, 2), (3, 3)):
        with pytest.raises(ValueError, match="image"):
            Problem(np.eye(7), np.arange(7.0), display=Display("scatter", image=wrong))  # type: ignore[arg-type]


def test_where_one_network_ends_and_the_next_begins_each_loss_is_read_of_its_own():
    pursuit = NeuronPursuit(kumar_haupt(samples=60), starts=8, max_steps=60)
    pursuit.run(max_additions=2)
    made = pursuit.frame()
    read_out = [
        re.fullmatch(r"network (\d+) \((.*)\), step ([\d,]+): loss (.*)", text) for text in loss(made)["spot"].reads
    ]
    found = [(int(each[1]), int(each[3].replace(",", "")), each[4]) for each in read_out if each is not None]
    for index, record in enumerate(made.growth):
        end = record.first_step + record.steps
        at_end = [value for network, step, value in found if (network, step) == (index + 1, end)]
        assert at_end
        assert set(at_end) <= {number(record.loss), number(float(made.trace_losses[made.trace_steps == end][0]))}
        if index:  # it began where its neuron joined, lower than the network before had ended
            (start,) = (value for network, step, value in found if (network, step) == (index + 1, record.first_step))
            assert start == number(float(made.trace_losses[made.trace_steps == record.first_step][-1]))
