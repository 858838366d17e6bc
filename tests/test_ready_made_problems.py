"""The ready-made problems against what is known about them."""

from __future__ import annotations

import inspect
import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from np_widgets import problems
from np_widgets.problems import Problem
from np_widgets.problems.links import CURVES, MULTI_INDEX_LINKS, SINGLE_INDEX_LINKS
from np_widgets.problems.random_network import TeacherNetwork
from np_widgets.problems.ready_made import IndexFunction

pytestmark = pytest.mark.exact_data(reason="inputs and targets are compared with formulas")

DRAWN: dict[str, Callable[..., Problem]] = {
    "kumar_haupt": problems.kumar_haupt,
    "single_index": problems.single_index,
    "multi_index": problems.multi_index,
    "sparse_parity": problems.sparse_parity,
    "random_teacher": problems.random_teacher,
    "curve": problems.curve,
    "two_moons": problems.two_moons,
}
REAL: dict[str, Callable[..., Problem]] = {"digits": problems.digits, "diabetes": problems.diabetes}


def tensors(problem: Problem) -> list[Tensor]:
    both = [problem.inputs, problem.targets, problem.test_inputs, problem.test_targets]
    return [tensor for tensor in both if tensor is not None]


def truth_of(problem: Problem) -> Callable[[Tensor], Tensor]:
    assert problem.truth is not None
    return problem.truth


def test_sets(problem: Problem) -> tuple[Tensor, Tensor]:
    assert problem.test_inputs is not None
    assert problem.test_targets is not None
    return problem.test_inputs, problem.test_targets


test_sets.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", [*DRAWN.values(), *REAL.values()], ids=[*DRAWN, *REAL])
def test_a_seed_gives_the_same_problem_again_and_another_seed_another(make: Callable[..., Problem]):
    state = torch.get_rng_state()
    first, again, other = make(seed=3), make(seed=3), make(seed=4)
    for a, b in zip(tensors(first), tensors(again), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.inputs, other.inputs)
    assert not torch.equal(test_sets(first)[0], test_sets(other)[0])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("make", [*DRAWN.values(), *REAL.values()], ids=[*DRAWN, *REAL])
def test_every_argument_is_described_once_and_no_other(make: Callable[..., Problem]):
    section = str(make.__doc__).split("Parameters\n----------\n")[1].split("\n\nRaises\n------\n")[0]
    described = [name for line in section.splitlines() if not line.startswith(" ") for name in line.split(", ")]
    assert sorted(described) == sorted(inspect.signature(make).parameters)


@pytest.mark.parametrize("name", DRAWN)
def test_training_and_test_set_are_drawn_independently(name: Any):
    make = DRAWN[name]
    problem, larger = make(samples=40, test_samples=60), make(samples=80, test_samples=60)
    assert problem.samples == 40
    assert len(test_sets(problem)[0]) == 60
    assert not torch.equal(problem.inputs, test_sets(problem)[0][:40])
    for a, b in zip(test_sets(problem), test_sets(larger), strict=True):
        assert torch.equal(a, b)
    assert make(samples=40, test_samples=0).test_inputs is None


@pytest.mark.parametrize("name", [name for name in DRAWN if name != "two_moons"])
def test_targets_are_the_truth_at_the_inputs_in_both_precisions(name: Any):
    problem = DRAWN[name](samples=200)
    truth = truth_of(problem)
    for inputs, targets in [(problem.inputs, problem.targets), test_sets(problem)]:
        assert torch.equal(truth(inputs), targets)
        single = truth(inputs.float())
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), targets, rtol=1e-4, atol=1e-4)


def kumar_haupt_in_numpy(x: np.ndarray) -> np.ndarray:
    def relu(z: np.ndarray) -> np.ndarray:
        return z * (z > 0)

    upper = relu(relu(2 * x[:, 0] + x[:, 2]) - relu(x[:, 2] - x[:, 1]))
    lower = relu(relu(2 * x[:, 1] + x[:, 3]) + relu(x[:, 3] + x[:, 2]))
    return np.asarray(2 * upper - lower)


@given(st.integers(0, 10_000))
def test_kumar_haupt_is_the_formula_of_the_paper(seed: int):
    problem = problems.kumar_haupt(samples=20, seed=seed, test_samples=20)
    for inputs, targets in [(problem.inputs, problem.targets), test_sets(problem)]:
        np.testing.assert_array_equal(targets[:, 0].numpy(), kumar_haupt_in_numpy(inputs.numpy()))


def test_kumar_haupt_at_vertices_worked_out_by_hand():
    vertices = torch.ones(3, 20, dtype=torch.float64)
    vertices[1, :4] = torch.tensor([1.0, -1.0, 1.0, -1.0])
    vertices[2, :4] = -1
    # (1,1,1,1): 2σ(3 − 0) − σ(3 + 2) = 1;  (1,−1,1,−1): 2σ(3 − 2) − σ(0 + 0) = 2;  (−1,−1,−1,−1): 0.
    assert truth_of(problems.kumar_haupt())(vertices).tolist() == [[1.0], [2.0], [0.0]]


def test_kumar_haupt_is_the_acceptance_case():
    problem = problems.kumar_haupt()
    assert problem.inputs.shape == (1000, 20)
    assert problem.display.kind == "hypercube"
    assert bool((problem.inputs.abs() == 1).all())
    # Uniform: no mean of 20,000 coin flips is 5 standard deviations away.
    assert abs(float(problem.inputs.mean())) < 5 / np.sqrt(20_000)
    first = torch.zeros(4, 20, dtype=torch.float64)
    first[:, :4] = torch.tensor([[2, 0, 1, 0], [0, -1, 1, 0], [0, 2, 0, 1], [0, 0, 1, 1]])
    second = torch.tensor([[1, -1, 0, 0], [0, 0, 1, 1]], dtype=torch.float64)
    widths_4_2 = TeacherNetwork((first, second, torch.tensor([[2, -1]], dtype=torch.float64)), 1, 0.0)
    assert problems.hypercube_error(widths_4_2, problem) == 0


def test_hypercube_vertices_are_in_lexicographic_order():
    expected = list(itertools.product([1.0, -1.0], repeat=4))
    assert [tuple(vertex) for vertex in problems.hypercube_vertices(4).tolist()] == expected
    assert [tuple(vertex) for vertex in problems.hypercube_vertices(4, 5, 9).tolist()] == expected[5:9]
    assert problems.hypercube_vertices(4, 7, 7).shape == (0, 4)
    last = problems.hypercube_vertices(62, 2**62 - 2, dtype="float32")
    assert last.dtype == torch.float32
    assert last.sum(dim=1).tolist() == [-60.0, -62.0]


@pytest.mark.parametrize("chunk", [1, 3, 64, 10**6])
def test_hypercube_error_is_the_largest_over_all_vertices(chunk: int):
    problem = problems.sparse_parity(6, 2, samples=5)
    truth = truth_of(problem)

    def wrong_at_one_vertex(inputs: Tensor) -> Tensor:
        return truth(inputs) - 0.25 * (inputs.sum(dim=1, keepdim=True) == -6)

    assert problems.hypercube_error(wrong_at_one_vertex, problem, chunk=chunk) == 0.25
    assert problems.hypercube_error(truth, problem, chunk=chunk) == 0


def test_hypercube_error_does_not_lose_a_nan():
    problem = problems.sparse_parity(6, 2, samples=5)

    def nan_at_one_vertex(inputs: Tensor) -> Tensor:
        return torch.where(inputs.sum(dim=1, keepdim=True) == 6, torch.nan, 1.0).double()

    assert np.isnan(problems.hypercube_error(nan_at_one_vertex, problem, chunk=8))


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_sparse_parity_is_the_product_of_the_first_inputs(degree: int):
    problem = problems.sparse_parity(8, degree, samples=50)
    expected = np.where((problem.inputs[:, :degree].numpy() < 0).sum(axis=1) % 2 == 0, 1.0, -1.0)
    np.testing.assert_array_equal(problem.targets[:, 0].numpy(), expected)
    assert problem.display.kind == "hypercube"


@pytest.mark.parametrize("distribution", ["gaussian", "hypercube"])
def test_distributions_have_mean_zero_and_unit_covariance(distribution: Any):
    inputs = problems.single_index(4, distribution=distribution, samples=20_000).inputs.numpy()
    assert set(np.unique(inputs)) == {-1.0, 1.0} or distribution == "gaussian"
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=0.04)
    np.testing.assert_allclose(np.cov(inputs.T), np.eye(4), atol=0.06)


LINKS_OF_ONE: dict[str, Callable[..., Any]] = {
    "relu": lambda t: np.maximum(t, 0),
    "leaky_relu": lambda t: np.where(t > 0, t, t / 10),
    "absolute": np.abs,
    "linear": lambda t: t,
    "squared_relu": lambda t: np.where(t > 0, t * t, 0),
    "square": lambda t: t * t,
    "cube": lambda t: t * t * t,
}
LINKS_OF_MANY: dict[str, Callable[..., Any]] = {
    "alternating_relus": lambda t: sum((-1) ** j * np.maximum(t[:, j], 0) for j in range(t.shape[1])),
    "maximum": lambda t: np.max(t, axis=1),
    "norm": lambda t: np.linalg.norm(t, axis=1),
    "product": lambda t: np.multiply.reduce(t, axis=1),
}


def directions_of(problem: Problem) -> np.ndarray:
    truth = problem.truth
    assert isinstance(truth, IndexFunction)
    return truth.directions.numpy()


@pytest.mark.parametrize("link", SINGLE_INDEX_LINKS)
def test_single_index_is_a_link_of_one_unit_direction(link: Any):
    problem = problems.single_index(6, link=link, samples=50, seed=2)
    (direction,) = directions_of(problem)
    assert np.linalg.norm(direction) == pytest.approx(1, rel=1e-12)
    expected = LINKS_OF_ONE[link](problem.inputs.numpy() @ direction)
    np.testing.assert_allclose(problem.targets[:, 0].numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("link", MULTI_INDEX_LINKS)
@pytest.mark.parametrize("directions", [1, 3])
def test_multi_index_is_a_link_of_orthonormal_directions(link: Any, directions: int):
    problem = problems.multi_index(6, directions, link=link, samples=50, seed=2)
    rows = directions_of(problem)
    np.testing.assert_allclose(rows @ rows.T, np.eye(directions), atol=1e-12)
    expected = LINKS_OF_MANY[link](problem.inputs.numpy() @ rows.T)
    np.testing.assert_allclose(problem.targets[:, 0].numpy(), expected, rtol=1e-12)


def test_links_can_be_functions_with_several_outputs():
    assert problems.single_index(link=torch.tanh).output_size == 1
    problem = problems.multi_index(5, 3, link=lambda t: torch.stack([t[:, 0], t[:, 1] * t[:, 2]], dim=1))
    assert problem.output_size == 2
    assert problem.targets.shape == (1000, 2)


teachers = st.fixed_dictionaries(
    {
        "widths": st.lists(st.integers(1, 4), min_size=1, max_size=4),
        "outputs": st.integers(1, 3),
        "power": st.integers(1, 2),
        "leak": st.sampled_from([0.0, 0.1, 1.0, -1.0]),
        "distribution": st.sampled_from(["gaussian", "hypercube"]),
        "seed": st.integers(0, 1000),
    }
)


@given(teachers)
def test_random_teacher_is_a_network_without_dead_neurons(options: dict[str, Any]):
    problem = problems.random_teacher(5, **options)
    teacher = problem.truth
    assert isinstance(teacher, TeacherNetwork)
    sizes = [5, *options["widths"], options["outputs"]]
    assert [weight.shape for weight in teacher.weights] == [(b, a) for a, b in itertools.pairwise(sizes)]
    hidden = problem.inputs.numpy()
    for weight in teacher.weights[:-1]:
        z = hidden @ weight.numpy().T
        hidden = np.where(z > 0, z, options["leak"] * z) ** options["power"]
        # Not one neuron is dead. How large it is differs: a deep polynomial of Gaussians has heavy tails, so the mean
        # square over the samples says little about that over the distribution.
        assert bool(((hidden != 0).mean(axis=0) > 0.01).all())
    outputs = hidden @ teacher.weights[-1].numpy().T
    np.testing.assert_allclose(problem.targets.numpy(), outputs, rtol=1e-9, atol=1e-9 * np.abs(outputs).max())


@pytest.mark.parametrize("distribution", ["gaussian", "hypercube"])
def test_random_teacher_has_outputs_of_unit_mean_square(distribution: Any):
    problem = problems.random_teacher(10, (3, 2), 3, distribution=distribution, samples=20_000)
    np.testing.assert_allclose(problem.targets.square().mean(dim=0).numpy(), 1, rtol=0.1)


@pytest.mark.parametrize("name", ["single_index", "multi_index", "random_teacher", "curve"])
def test_noise_is_in_the_training_targets_only(name: Any):
    quiet, noisy = DRAWN[name](samples=5000, seed=1), DRAWN[name](samples=5000, seed=1, noise=0.3)
    assert torch.equal(quiet.inputs, noisy.inputs)
    assert torch.equal(test_sets(quiet)[1], test_sets(noisy)[1])
    noise = noisy.targets - quiet.targets
    assert abs(float(noise.mean())) < 0.02
    assert float(noise.std()) == pytest.approx(0.3, rel=0.05)


CURVE_VALUES = {  # at x = −0.75, 0, 0.25
    "sine": [-np.sqrt(0.5), 0, np.sqrt(0.5)],
    "absolute": [0.75, 0, 0.25],
    "parabola": [0.5625, 0, 0.0625],
    "hat": [0, 1, 0.5],
    "step": [-1, 0, 1],
    "sawtooth": [0, -0.5, 0],
}


@pytest.mark.parametrize("name", CURVES)
def test_curves_at_known_places(name: Any):
    points = torch.tensor([[-0.75, 1], [0, 1], [0.25, 1]], dtype=torch.float64)
    values = truth_of(problems.curve(name))(points)
    np.testing.assert_allclose(values[:, 0].numpy(), CURVE_VALUES[name], atol=1e-12)


def test_curve_has_a_constant_input_and_is_drawn_as_one():
    problem = problems.curve(torch.cos, samples=30)
    assert bool((problem.inputs[:, 1] == 1).all())
    assert bool((problem.inputs[:, 0].abs() <= 1).all())
    assert problem.display == problems.Display("curve", (0,))
    torch.testing.assert_close(problem.targets[:, 0], torch.cos(problem.inputs[:, 0]))


def test_two_moons_without_noise_are_half_circles():
    problem = problems.two_moons(101, noise=0)
    points, labels = problem.inputs.numpy(), problem.targets.numpy()
    assert (labels == 0).sum() == 51
    assert (labels == 1).sum() == 50
    for label, center, side in [(0, (-0.5, -0.25), 1), (1, (0.5, 0.25), -1)]:
        arm = points[labels == label, :2] - center
        np.testing.assert_allclose(np.linalg.norm(arm, axis=1), 1, rtol=1e-12)
        assert bool((side * arm[:, 1] >= 0).all())
    assert bool((points[:, 2] == 1).all())
    assert problem.output_size == 2
    assert problem.display == problems.Display("regions", (0, 1))


def test_digits_are_all_there():
    problem = problems.digits()
    test_inputs, test_targets = test_sets(problem)
    assert problem.samples + len(test_inputs) == 1797
    assert len(test_inputs) == 359
    assert (problem.input_size, problem.output_size, problem.loss.name) == (65, 10, "cross_entropy")
    counts = torch.bincount(problem.targets) + torch.bincount(test_targets)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    varying = problem.inputs.std(dim=0, correction=0) > 0
    np.testing.assert_allclose(problem.inputs[:, varying].var(dim=0, correction=0).numpy(), 1, rtol=1e-9)
    assert bool((problem.inputs[:, 64] == 1).all())


def test_diabetes_is_all_there():
    from sklearn.datasets import load_diabetes

    problem = problems.diabetes(seed=5)
    test_inputs, test_targets = test_sets(problem)
    assert (problem.samples, len(test_inputs), problem.input_size, problem.output_size) == (354, 88, 11, 1)
    np.testing.assert_allclose(problem.targets.mean().item(), 0, atol=1e-12)
    np.testing.assert_allclose(problem.targets.var(correction=0).item(), 1, rtol=1e-12)
    # The targets are the published ones, up to a shift and a scale.
    published = load_diabetes().target
    ours = torch.cat([problem.targets, test_targets])[:, 0].numpy()
    scale = np.ptp(published) / np.ptp(ours)
    rebuilt = (np.sort(ours) - ours.min()) * scale + published.min()
    np.testing.assert_allclose(rebuilt, np.sort(published), rtol=1e-9)


@pytest.mark.parametrize("name", REAL)
def test_no_sample_is_lost_or_used_twice(name: Any):
    whole, split = REAL[name](test_fraction=0), REAL[name](test_fraction=0.5, seed=8)
    assert whole.test_inputs is None
    everything = torch.cat([split.inputs, test_sets(split)[0]])
    np.testing.assert_allclose(sorted_between_0_and_1(everything), sorted_between_0_and_1(whole.inputs), atol=1e-9)


def sorted_between_0_and_1(inputs: Tensor) -> np.ndarray:
    """One input, so that it does not depend on the order of the samples or on how they were standardized."""
    values = np.sort(inputs[:, 2].numpy())
    return np.asarray((values - values[0]) / (values[-1] - values[0]))


@pytest.mark.parametrize("name", REAL)
def test_without_scikit_learn_the_error_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(sys.modules, "sklearn.datasets", raising=False)
    with pytest.raises(ImportError, match=rf"{name} needs scikit-learn: pip install 'np_widgets\[data\]'"):
        REAL[name]()
