"""Problem: what it keeps, how it is standardized and moved, and how it chooses its display."""

from __future__ import annotations

import copy
import json
import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

import np_widgets
from np_widgets.problems import Display, Problem, curve, kumar_haupt, two_moons
from np_widgets.problems.predicting import predicted, probabilities, score
from np_widgets.problems.samples import FIELDS
from np_widgets.sessions.code import is_recipe
from np_widgets.sessions.values import Packer, unpacked

pytestmark = pytest.mark.exact_data(reason="what a Problem keeps is compared with what it was given")


def first_input(inputs: Tensor) -> Tensor:
    return inputs[:, :1]


def small(**options: Any) -> Problem:
    generator = np.random.default_rng(0)
    return Problem(generator.normal(size=(12, 3)), generator.normal(size=12), **options)


def test_it_keeps_copies_of_the_data_in_the_shapes_that_it_promises():
    inputs, targets = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0])
    problem = Problem(inputs, targets, test=(inputs + 1, targets + 1))
    inputs[:], targets[:] = 0, 0
    assert problem.inputs.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert problem.targets.tolist() == [[5.0], [6.0]]
    assert problem.test_inputs is not None
    assert problem.test_inputs.tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert problem.test_targets is not None
    assert problem.test_targets.tolist() == [[6.0], [7.0]]
    assert (problem.samples, problem.input_size, problem.output_size) == (2, 2, 1)
    assert problem.inputs.dtype == problem.targets.dtype == torch.float64
    assert problem.loss.name == "square"


def test_numpy_arrays_lists_and_tensors_give_the_same_problem():
    values = [[1.0, 2.0], [3.0, 4.0]]
    problems = [Problem(kind(values), kind([1.0, 2.0])) for kind in (list, np.array, torch.tensor)]
    for problem in problems[1:]:
        assert torch.equal(problem.inputs, problems[0].inputs)
        assert torch.equal(problem.targets, problems[0].targets)


def test_vector_targets_keep_their_columns():
    assert Problem(np.ones((4, 2)), np.ones((4, 3))).output_size == 3


def test_classes_come_from_the_labels_unless_given():
    inputs = np.ones((4, 2))
    assert Problem(inputs, [0, 1, 2, 1], "cross_entropy").output_size == 3
    assert Problem(inputs, [0, 0, 0, 0], "cross_entropy").output_size == 2
    assert Problem(inputs, [0, 1, 2, 1], "cross_entropy", classes=5, test=(inputs, [4, 4, 4, 4])).output_size == 5
    assert Problem(inputs, [0, 1, 2, 1], "cross_entropy").targets.dtype == torch.int64


def test_single_precision():
    problem = small(dtype=torch.float32, test=(np.ones((2, 3)), np.ones(2)))
    tensors = (problem.inputs, problem.targets, problem.test_inputs, problem.test_targets)
    assert {tensor.dtype for tensor in tensors if tensor is not None} == {torch.float32}


def test_truth_is_tried_without_touching_the_data():
    def greedy(inputs: Tensor) -> Tensor:
        return inputs.zero_()[:, :1]

    assert bool((small(truth=greedy).inputs != 0).all())


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["random", "one"], Display("curve", (0,))),
        (["one", "random"], Display("curve", (1,))),
        (["random", "one", "random"], Display("regions", (0, 2))),
        (["random", "random", "random"], Display("scatter")),
        (["sign", "sign", "sign"], Display("hypercube")),
        (["sign", "sign", "random"], Display("scatter")),
        (["sign"] * 41, Display("scatter")),
    ],
)
def test_display_is_chosen_from_the_data(columns: list[str], expected: Display):
    generator = np.random.default_rng(0)
    kinds = {
        "random": generator.normal(size=30),
        "one": np.ones(30),
        "sign": np.sign(generator.normal(size=30)),
    }
    inputs = np.stack([kinds[column] * (1 if column == "one" else generator.choice([-1, 1], 30)) for column in columns])
    assert Problem(inputs.T, np.zeros(30)).display == expected


def test_display_columns_are_normalized():
    assert Display("regions", [np.int64(1), 0]) == Display("regions", (1, 0))  # type: ignore[arg-type]


reasonable = st.floats(-1e6, 1e6, allow_subnormal=False)
tables = hnp.arrays(np.float64, st.tuples(st.integers(2, 8), st.integers(1, 4)), elements=reasonable)


@given(tables)
def test_standardized_inputs_have_mean_zero_and_variance_one(table: np.ndarray):
    spread = np.ptp(table, axis=0)
    # Where rounding errors are a visible part of the spread, so they are of the result.
    assume(bool(((spread == 0) | (spread > 1e-6 * np.abs(table).max(axis=0))).all()))
    problem = Problem(table, np.zeros(len(table))).standardized(constant=False)
    np.testing.assert_allclose(problem.inputs.mean(dim=0).numpy(), 0, atol=1e-8)
    variance = problem.inputs.var(dim=0, correction=0).numpy()
    np.testing.assert_allclose(variance[spread > 0], 1, rtol=1e-8)
    np.testing.assert_array_equal(problem.inputs.numpy()[:, spread == 0], 0)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_standardized_does_not_depend_on_the_units(size: float, dtype: torch.dtype):
    if dtype == torch.float32:
        size **= 0.1
    table = np.random.default_rng(0).normal(1, 2, (50, 2))
    inputs = Problem(size * table, np.zeros(50), dtype=dtype).standardized().inputs
    expected = Problem(table, np.zeros(50)).standardized().inputs
    torch.testing.assert_close(inputs.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("value", [0.1, -1234567.8, 0.0])
def test_standardized_sets_inputs_that_do_not_vary_to_zero(value: float, dtype: torch.dtype):
    problem = Problem(np.full((1000, 1), value), np.zeros(1000), test=([[value + 1]], [0.0]), dtype=dtype)
    standardized = problem.standardized(constant=False)
    assert standardized.test_inputs is not None
    assert bool((standardized.inputs == 0).all())
    assert standardized.test_inputs.tolist() == [[0.0]]


def test_standardized_appends_a_constant_to_both_sets():
    problem = small(test=(np.ones((2, 3)), np.ones(2))).standardized()
    assert problem.input_size == 4
    assert problem.test_inputs is not None
    assert bool((problem.inputs[:, 3] == 1).all())
    assert bool((problem.test_inputs[:, 3] == 1).all())


def test_standardized_transforms_the_test_set_with_the_numbers_of_the_training_set():
    # Mean 2 and deviation 1 for the inputs, mean 10 and deviation 5 for the targets.
    problem = Problem([[1.0], [3.0]], [5.0, 15.0], test=([[4.0], [2.0]], [20.0, 0.0])).standardized(targets=True)
    assert problem.test_inputs is not None
    assert problem.test_targets is not None
    torch.testing.assert_close(problem.test_inputs, torch.tensor([[2.0, 1.0], [0.0, 1.0]], dtype=torch.float64))
    torch.testing.assert_close(problem.test_targets, torch.tensor([[2.0], [-2.0]], dtype=torch.float64))


@pytest.mark.parametrize("targets", [False, True])
@pytest.mark.parametrize("constant", [False, True])
def test_standardized_carries_the_truth_over(constant: bool, targets: bool):
    inputs = np.random.default_rng(0).normal(3, 2, (40, 2))
    problem = Problem(inputs, inputs[:, 0], truth=first_input)
    standardized = problem.standardized(constant=constant, targets=targets)
    assert standardized.truth is not None
    torch.testing.assert_close(standardized.truth(standardized.inputs), standardized.targets)
    assert standardized.truth(standardized.inputs.float()).dtype == torch.float32
    assert torch.equal(problem.inputs, torch.from_numpy(inputs))


def test_standardized_keeps_what_the_display_means():
    assert curve().standardized().display == Display("curve", (0,))
    assert two_moons().standardized().display == Display("regions", (0, 1))
    assert kumar_haupt(50).standardized().display == Display("scatter")


def test_standardized_keeps_the_number_of_classes():
    problem = Problem(np.ones((4, 2)), [0, 1, 0, 1], "cross_entropy", classes=7, name="seven")
    assert problem.standardized().output_size == 7
    assert problem.standardized().name == "seven"


def test_to_keeps_values_and_leaves_the_original_alone():
    problem = kumar_haupt(50, test_samples=20)
    single = problem.to(dtype="float32")
    assert single.dtype == single.inputs.dtype == single.targets.dtype == torch.float32
    assert torch.equal(single.inputs.double(), problem.inputs)
    assert torch.equal(single.targets.double(), problem.targets)
    assert single.test_targets is not None
    assert single.test_targets.dtype == torch.float32
    assert problem.dtype == problem.inputs.dtype == torch.float64
    assert single.truth is problem.truth
    assert single.display == problem.display
    assert torch.equal(single.to(dtype=torch.float64).targets, problem.targets)


def test_to_keeps_labels_integers():
    assert two_moons(10).to(dtype=torch.float32).targets.dtype == torch.int64


def test_to_where_the_data_are_already_is_the_same_problem():
    problem = small()
    assert problem.to(device="cpu", dtype=torch.float64) is problem


def test_repr_says_what_the_problem_is():
    assert repr(kumar_haupt(50, test_samples=20)) == (
        "Problem(\"authors' example\": samples=50, test_samples=20, inputs=20, outputs=1, loss='square')"
    )
    assert repr(small(name="three")) == "Problem('three': samples=12, inputs=3, outputs=1, loss='square')"


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda problem: pickle.loads(pickle.dumps(problem))])
def test_a_problem_can_be_copied_and_pickled(duplicate: Any):
    problem = kumar_haupt(30).standardized(targets=True)
    other = duplicate(problem)
    assert torch.equal(other.inputs, problem.inputs)
    assert other.truth is not None
    assert problem.truth is not None
    assert torch.equal(other.truth(other.inputs), problem.truth(problem.inputs))


def test_to_standardize_twice_is_to_standardize_once():
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(20, 3, generator=generator) * 7 + 2, torch.randn(20, generator=generator)
    once = Problem(inputs, targets, test=(inputs[:5] + 1, targets[:5]), truth=lambda x: x.sum(1, keepdim=True))
    once = once.standardized()
    twice = once.standardized()
    assert twice.inputs.shape == once.inputs.shape == (20, 4)
    for one, other in ((once.inputs, twice.inputs), (once.test_inputs, twice.test_inputs)):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)
    assert bool((twice.inputs[:, -1] == 1).all())
    assert torch.allclose(once.truth(once.inputs), twice.truth(twice.inputs))


def first_two(x: Tensor) -> Tensor:
    return x[:, :2]


def test_a_split_holds_out_shares_without_losing_or_doubling_a_sample():
    inputs = np.arange(40.0).reshape(20, 2)
    problem = Problem(inputs, inputs[:, 0]).split(0.25, seed=3, validation=0.3)
    assert [len(part) for part in (problem.inputs, problem.test_inputs, problem.validation_inputs)] == [9, 5, 6]
    for which in ("", "test_", "validation_"):
        assert torch.equal(getattr(problem, f"{which}inputs")[:, :1], getattr(problem, f"{which}targets"))
    together = torch.cat([problem.targets, problem.test_targets, problem.validation_targets]).flatten()
    assert sorted(together.tolist()) == inputs[:, 0].tolist()
    again = Problem(inputs, inputs[:, 0]).split(0.25, seed=3, validation=0.3)
    assert torch.equal(again.test_inputs, problem.test_inputs)
    assert not torch.equal(Problem(inputs, inputs[:, 0]).split(0.25, seed=4).test_inputs, problem.test_inputs)


@given(st.integers(2, 5), st.floats(0.1, 0.6), st.integers(0, 5))
def test_a_split_takes_the_same_share_of_every_class(classes: int, share: float, seed: int):
    counts = [7 * (number + 1) for number in range(classes)]
    labels = np.repeat(np.arange(classes), counts)
    problem = Problem(np.ones((len(labels), 1)), labels, "cross_entropy").split(share, seed=seed)
    found = torch.bincount(problem.test_targets, minlength=classes)
    assert int(found.sum()) == round(share * len(labels))
    for number, count in enumerate(counts):
        assert abs(int(found[number]) - share * count) <= 1.5


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"test": 1.0}, ValueError, "test must be a finite number from 0 to 0.9"),
        ({"test": "half"}, TypeError, "test must be"),
        ({"test": 0.01}, ValueError, "test=0.01 of 12 samples must be at least one"),
        ({"test": 0.6, "validation": 0.4}, ValueError, "test=0.6, validation=0.4 must leave samples to learn from"),
        ({"seed": -1}, ValueError, "seed must be"),
        ({"stratify": 1}, TypeError, "stratify must be True or False"),
    ],
)
def test_a_split_is_checked(options: dict[str, Any], error: type[Exception], said: str):
    with pytest.raises(error, match="^" + re.escape(said)):
        small().split(**options)


def test_what_is_held_out_already_is_not_held_out_again():
    problem = small().split(0.25, validation=0.25)
    with pytest.raises(ValueError, match=r"^test must be 0 for a problem that has a test set, got 0.2"):
        problem.split()
    with pytest.raises(ValueError, match=r"^validation must be 0 for a problem that has a validation set, got 0.2"):
        problem.split(0, validation=0.2)


def test_a_recipe_goes_on_with_what_was_done():
    problem = kumar_haupt(60, test_samples=0).split(0.2, 3, validation=0.1).standardized()
    again = eval(f"np_widgets.{problem.recipe}", {"np_widgets": np_widgets})
    assert is_recipe(problem.recipe)
    assert torch.equal(again.inputs, problem.inputs)
    assert torch.equal(again.validation_inputs, problem.validation_inputs)
    assert small().split().recipe is None


def test_new_rows_are_standardized_as_the_training_samples_were():
    frame = pd.DataFrame(np.random.default_rng(0).normal(3, 2, (20, 3)), columns=list("abc"))
    problem = Problem(frame[["a", "b"]], frame["c"]).split(0.25)
    standard = problem.standardized(targets=True)
    twice = standard.standardized(constant=False).standardized(targets=True)
    for each in (standard, twice):
        torch.testing.assert_close(each.transform(problem.test_inputs), each.test_inputs)
        torch.testing.assert_close(each.transform(frame[["b", "a"]]), each.transform(frame[["a", "b"]].to_numpy()))
        back = each.scaling.inputs.backward(each.inputs), each.scaling.targets.backward(each.targets)
        torch.testing.assert_close(back, (problem.inputs, problem.targets))
    assert torch.equal(problem.transform(problem.inputs), problem.inputs)
    assert standard.predict_inputs(problem.inputs).shape == (15, 3)
    assert problem.scaling is None


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        (np.ones((4, 3)), ValueError, "rows must have 2 columns, got shape (4, 3)"),
        (np.ones(2), ValueError, "rows must have 2 dimensions"),
        (pd.DataFrame({"a": [1], "c": [2]}), ValueError, "rows must have the columns of inputs, got 'b' missing"),
        (pd.DataFrame({"a": [1], "b": [np.nan]}), ValueError, "rows must hold numbers, but column 'b' has 1 gap"),
    ],
)
def test_new_rows_must_be_of_the_original_columns(rows: Any, error: type[Exception], said: str):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]})
    with pytest.raises(error, match="^" + re.escape(said)):
        Problem(frame, [1.0, 2.0]).standardized().transform(rows)


def test_inputs_that_do_not_vary_go_through_standardizing_twice():
    problem = Problem([[1.0, 5.0], [3.0, 5.0]], [0.0, 1.0]).standardized().standardized()
    assert problem.transform([[1.0, 7.0]]).tolist() == [[-1.0, 0.0, 1.0]]
    assert problem.scaling.inputs.backward(problem.inputs).tolist() == [[1.0, 5.0], [3.0, 5.0]]


def test_predictions_are_in_the_units_of_the_original_data():
    frame = pd.DataFrame(np.random.default_rng(0).normal(3, 2, (20, 3)), columns=list("abc"))
    problem = Problem(frame[["a", "b"]], frame[["a", "b"]]).standardized(targets=True)
    np.testing.assert_allclose(predicted(first_two, problem, frame[["b", "a"]]), frame[["a", "b"]])
    assert score(first_two, problem, frame[["a", "b"]], frame[["b", "a"]]) == pytest.approx(1)
    one = Problem(frame[["a"]], frame["c"]).standardized(constant=False, targets=True)
    slope = np.polyfit(frame["a"], frame["c"], 1)
    correlation = np.corrcoef(frame["a"], frame["c"])[0, 1]

    def line(x: Tensor) -> Tensor:
        return correlation * x

    np.testing.assert_allclose(predicted(line, one, frame[["a"]]), np.polyval(slope, frame["a"]))
    assert score(line, one, frame[["a"]], frame["c"]) == pytest.approx(correlation**2)
    with pytest.raises(ValueError, match=r"^predict_proba needs classes, got a problem with loss='square'"):
        probabilities(line, one, frame[["a"]])


def test_predictions_of_classes_are_their_labels():
    problem = Problem([[0.0], [1.0], [2.0]], ["low", "high", "high"], "cross_entropy").standardized()

    def scores(x: Tensor) -> Tensor:
        return torch.cat([x[:, :1], -x[:, :1]], dim=1)

    assert problem.classes == ("high", "low")
    assert predicted(scores, problem, [[0.0], [2.0]]).tolist() == ["low", "high"]
    chances = probabilities(scores, problem, [[0.0], [1.0]])
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    np.testing.assert_allclose(chances[1], 0.5)
    assert score(scores, problem, [[0.0], [2.0], [2.0]], ["low", "high", "low"]) == pytest.approx(2 / 3)


def test_a_problem_is_saved_with_its_classes_its_scaling_and_its_validation_set():
    generator = np.random.default_rng(0)
    labels = np.array(["u", "v", "w"])[generator.integers(0, 3, 30)]
    weights = generator.uniform(1, 2, 30)
    problem = Problem(generator.normal(size=(30, 2)), labels, "cross_entropy", sample_weight=weights)
    problem = problem.split(0.2, validation=0.2).standardized()
    packer = Packer()
    packer.pack(problem)
    saved = unpacked(map(json.loads, packer.nodes), packer.arrays)
    assert (saved.classes, saved.output_names) == (("u", "v", "w"), ("u", "v", "w"))
    rows = generator.normal(size=(4, 2))
    assert torch.equal(saved.transform(rows), problem.transform(rows))
    for field in FIELDS:
        assert torch.equal(getattr(saved, field), getattr(problem, field))
