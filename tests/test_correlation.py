"""The neural correlation function and the search for its KKT points, against the known answers."""

from __future__ import annotations

import math
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from scipy.optimize import lsq_linear, minimize_scalar

import np_widgets as npw
from np_widgets.learning.activation import Profile
from np_widgets.learning.correlation.field import Field
from np_widgets.learning.correlation.polish import polish

pytestmark = pytest.mark.rounding

KINKED = [0.0, 0.1, -0.4]


def normal(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def case(seed, *, widths=(3, 2), inputs=4, outputs=1, samples=60, power=1, leak=0.0, hypercube=False):
    """A random network, and a random problem for it."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [inputs, *widths, outputs]
    weights = [normal(generator, above, below) for below, above in pairwise(sizes)]
    x = normal(generator, samples, inputs)
    problem = npw.Problem(x.sign() if hypercube else x, normal(generator, samples, outputs))
    return npw.HomogeneousNetwork(weights, power=power, leak=leak), problem


def signals_and_features(network, problem, layer):
    """``s_{l+1}`` and ``h_{l-1}`` by automatic differentiation; at a kink the slope of the negative side."""
    h = problem.inputs
    below = h
    for index, weight in enumerate(network.weights, start=1):
        if index == layer:
            below = h
        z = h @ weight.T
        if index == layer + 1:
            z = z.detach().requires_grad_()
            target = z
        h = torch.where(z > 0, z, network.leak * z) ** network.power if index < len(network.weights) else z
    loss = problem.loss.value(h, problem.targets) * problem.samples
    (gradient,) = torch.autograd.grad(loss, target)
    return -gradient, below.detach()


# --------------------------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("widths", [(3,), (3, 2), (4, 3, 2)])
@pytest.mark.parametrize("outputs", [1, 3])
def test_linear_maximum_is_half_the_top_singular_value(widths, outputs):
    network, problem = case(1, widths=widths, outputs=outputs, leak=1.0)
    points = npw.find_kkt_points(network, problem, starts=20, seed=3)
    for layer in range(1, len(widths) + 1):
        s, h = signals_and_features(network, problem, layer)
        top = torch.linalg.svdvals(s.T @ h / problem.samples)[0]
        best = max(point.value for point in points if point.layer == layer)
        assert best == pytest.approx(float(top) / 2, rel=1e-9)


@pytest.mark.parametrize("layer_widths", [(3,), (3, 2), (2, 4, 3)])
def test_square_activation_maximum_is_the_largest_eigenvalue(layer_widths):
    network, problem = case(2, widths=layer_widths, power=2, leak=-1.0, inputs=5)
    layer = len(layer_widths)  # the layer above has one neuron: a scalar signal
    s, h = signals_and_features(network, problem, layer)
    matrix = (s * h).T @ h / problem.samples
    largest = float(torch.linalg.eigvalsh((matrix + matrix.T) / 2).abs().max())
    points = npw.find_kkt_points(network, problem, layers=(layer,), starts=30, seed=0)
    split = math.sqrt(1 / 3) * (2 / 3)
    assert points[0].value == pytest.approx(split * largest, rel=1e-9)


@pytest.mark.parametrize("hidden_layers", [1, 2, 3, 4])
@pytest.mark.parametrize("leak", [0.0, 0.3])
def test_origin_maximum_against_a_scan_of_the_circle(hidden_layers, leak):
    generator = torch.Generator().manual_seed(5)
    problem = npw.Problem(normal(generator, 25, 2), normal(generator, 25))
    x, r = problem.inputs.numpy(), problem.targets[:, 0].numpy()
    slope = leak**hidden_layers  # of the whole chain on its negative side

    def phi(angle):
        z = x @ np.array([np.cos(angle), np.sin(angle)])
        return np.abs(r @ np.where(z > 0, z, slope * z)) / len(r)

    angles = np.linspace(0, 2 * np.pi, 4001)
    top = angles[int(np.argmax([phi(angle) for angle in angles]))]
    width = angles[1] - angles[0]
    # Between two kinks φ is one sinusoid: the maximum of a cell around the best grid point.
    scan = minimize_scalar(
        lambda a: -phi(a), bounds=(top - width, top + width), method="bounded", options={"xatol": 1e-12}
    )
    layers = hidden_layers + 1
    points = npw.find_origin_points(problem, hidden_layers=hidden_layers, leak=leak, starts=30, seed=1)
    assert points[0].value == pytest.approx(layers ** (-layers / 2) * -scan.fun, rel=1e-6)


def test_linear_origin_maximum_is_a_product_of_singular_values():
    _, problem = case(3, inputs=4, outputs=2)
    top = float(torch.linalg.svdvals(problem.targets.T @ problem.inputs / problem.samples)[0])
    points = npw.find_origin_points(problem, hidden_layers=2, leak=1.0, starts=10)
    assert points[0].value == pytest.approx(3 ** (-3 / 2) * top, rel=1e-9)
    assert len(points) == 1  # all signs of the inner weights give the same neuron


# --------------------------------------------------------------------------------------------------- expansion


@pytest.mark.parametrize("power", [1, 2, 3])
@pytest.mark.parametrize("leak", [0.0, -0.5, 0.2, 1.0])
@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
def test_added_neuron_lowers_the_loss_by_the_correlation(power, leak, loss):
    network, problem = case(4, power=power, leak=leak, outputs=3, widths=(3, 3))
    network = npw.HomogeneousNetwork([0.5 * weight for weight in network.weights], power=power, leak=leak)
    # Where a whole ReLU layer is off the layer above sits exactly on its kink, and the expansion does not hold.
    smooth = torch.stack([z.abs().amin(dim=1) > 1e-3 for z in network.forward(problem.inputs).pre_activations]).all(
        dim=0
    )
    inputs = problem.inputs[smooth]
    if loss == "cross_entropy":
        problem = npw.Problem(inputs, torch.arange(len(inputs)) % 3, loss)
    else:
        problem = npw.Problem(inputs, problem.targets[smooth])
    generator = torch.Generator().manual_seed(6)

    def loss_of(net):
        return float(problem.loss.value(net(problem.inputs), problem.targets))

    for layer in (1, 2):
        below, above = network.weights[layer - 1].shape[1], network.weights[layer].shape[0]
        b, a = normal(generator, below).abs(), normal(generator, above)  # positive: not off above a ReLU layer
        value = npw.correlation(network, problem, layer, b, a)
        scales = 2.0 ** -np.arange(6, 9)
        falls = [loss_of(network) - loss_of(network.with_neuron(layer, e * b, e * a)) for e in scales]
        ratios = [fall / (e ** (power + 1) * value) for fall, e in zip(falls, scales, strict=True)]
        order = math.log2(abs(falls[-2] / falls[-1]))
        assert order == pytest.approx(power + 1, abs=0.05)
        assert ratios[-1] == pytest.approx(1, abs=0.05)


# --------------------------------------------------------------------------------------------------- KKT points


def clarke_residual(network, problem, point):
    """``min ‖g − (p+1)·N·(a, b)‖ / N`` over the subdifferential, from its definition by bounded least squares."""
    s, h = (tensor.numpy() for tensor in signals_and_features(network, problem, point.layer))
    a, b = point.outgoing.numpy(), point.incoming.numpy()
    n, p, leak = problem.samples, network.power, network.leak
    z = h @ b
    rectified = np.maximum(z, leak * z)
    value = float(a @ (s.T @ rectified**p) / n)
    assert value == pytest.approx(point.value, rel=1e-9)
    slope = np.where(z > 0, 1.0, leak)
    kinked = (np.abs(z) < 1e-10 * np.linalg.norm(h, axis=1)) & (p == 1) & (leak != 1)
    weight = (s @ a) * p * (rectified ** (p - 1) if p > 1 else 1.0) / n
    rest_a = s.T @ rectified**p / n - (p + 1) * value * a
    rest_b = h.T @ (weight * np.where(kinked, 0.0, slope)) - (p + 1) * value * b
    if kinked.any():
        columns = h[kinked].T * weight[kinked]
        rest_b = rest_b + columns @ lsq_linear(columns, -rest_b, (min(leak, 1), 1.0), method="bvls", tol=1e-15).x
    return float(np.linalg.norm(np.concatenate([rest_a, rest_b]))) / value


def rises_nearby(network, problem, point, seed=0):
    """The largest relative rise of φ, to first order, over small random moves of the incoming direction.

    What rounding alone can make of the differences of φ is taken off: the more, the smaller φ is beside the terms that
    it sums, and the smaller the moves.
    """
    s, h = signals_and_features(network, problem, point.layer)
    b = point.incoming / point.incoming.norm()
    generator = torch.Generator().manual_seed(seed)

    def slopes(moves, size):
        moved = b.unsqueeze(1) + size * moves
        moved = moved / moved.norm(dim=0)
        return (phi(moved) / phi(b.unsqueeze(1)) - 1) / size

    def phi(directions):
        return (s.T @ network.activation(h @ directions)).norm(dim=0)

    terms = (s.abs().T @ network.activation(h @ b).abs()).norm() / phi(b.unsqueeze(1))
    worst = -math.inf
    for size in (1e-6, 1e-8):
        moves = normal(generator, len(b), 2000)
        # A KKT point need not be a maximum: what curvature adds is taken off, which halves with the size of the move.
        rise = (2 * slopes(moves, size / 2) - slopes(moves, size)).max()
        # Five ratios of two values each, all off by a rounding or two of their terms.
        worst = max(worst, float(rise - 10 * torch.finfo(s.dtype).eps * terms / size))
    return worst


@example(seed=20034, widths=(2, 2), outputs=1, activation=(1, 0.1), hypercube=False)  # a small φ of large terms
@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    widths=st.sampled_from([(1,), (3,), (2, 2), (3, 1, 2)]),
    outputs=st.sampled_from([1, 3]),
    activation=st.sampled_from([(1, 0.0), (1, 0.1), (1, -0.4), (1, 1.0), (2, 0.0), (2, -1.0), (3, 0.2)]),
    hypercube=st.booleans(),
)
def test_every_point_found_is_a_kkt_point(seed, widths, outputs, activation, hypercube):
    power, leak = activation
    network, problem = case(seed, widths=widths, outputs=outputs, power=power, leak=leak, hypercube=hypercube)
    points = npw.find_kkt_points(network, problem, starts=8, seed=seed)
    assert [point.value for point in points] == sorted((point.value for point in points), reverse=True)
    for point in points:
        assert point.value > 0
        assert point.residual < 1e-6
        assert clarke_residual(network, problem, point) < 1e-6
        assert float(point.outgoing.square().sum()) == pytest.approx(1 / (power + 1), rel=1e-12)
        assert float(point.incoming.square().sum()) == pytest.approx(power / (power + 1), rel=1e-12)
        assert rises_nearby(network, problem, point) < 1e-6


@pytest.mark.parametrize("seed", [30, 78, 165, 256, 360, 362, 390, 396])
def test_on_a_grid_where_many_samples_share_their_kinks_no_point_can_be_left_upwards(seed):
    # Some directions there are stationary, in Clarke's sense, and φ rises from them on one side of a kink.
    generator = np.random.default_rng(seed)
    inputs, targets = generator.integers(-1, 2, (12, 3)).astype(float), generator.integers(-2, 3, 12).astype(float)
    seen = np.abs(inputs).sum(axis=1) > 0
    weights = [generator.normal(size=(1, 3)), generator.normal(size=(1, 1))]
    network = npw.HomogeneousNetwork(weights, leak=[0.0, 0.2, -0.5][seed % 3])
    problem = npw.Problem(inputs[seen], targets[seen])
    points = npw.find_kkt_points(network, problem, starts=20, seed=seed)
    assert points
    for point in points:
        assert clarke_residual(network, problem, point) < 1e-6
        assert rises_nearby(network, problem, point) < 1e-6


def test_authors_example_maximizers_sit_on_kinks_and_are_resolved():
    problem = npw.problems.kumar_haupt(samples=1000, seed=0)
    pursuit = npw.NeuronPursuit(problem)
    pursuit.run(0)
    points = npw.find_kkt_points(pursuit.network, problem, starts=50, seed=1)
    assert points[0].layer == 1
    for point in points:
        assert clarke_residual(pursuit.network, problem, point) < 1e-6
        assert rises_nearby(pursuit.network, problem, point) < 1e-6
    kinked = [int(((problem.inputs @ p.incoming).abs() < 1e-12).sum()) for p in points if p.layer == 1]
    assert max(kinked) > 0  # so that the test is about kinks at all


def test_polish_leaves_a_stationary_point_that_is_no_maximizer():
    # b ∝ e₃ − e₂ kinks half of all samples of a hypercube: zero lies in the superset of the subdifferential there.
    problem = npw.problems.kumar_haupt(samples=400, seed=0)
    field = Field(problem.inputs, problem.targets, Profile(1, 1.0, 0.0))
    start = torch.zeros(20, dtype=torch.float64)
    start[1], start[2] = -1.0, 1.0
    start = start / start.norm()
    point = polish(field, start)
    generator = torch.Generator().manual_seed(0)
    nearby = start.unsqueeze(1) + 1e-4 * normal(generator, 20, 4000)
    before = float(field.vector(start).norm())
    rises_at_start = float(field.evaluate(nearby / nearby.norm(dim=0))[0].max()) > before * (1 + 1e-9)
    assert rises_at_start
    assert point.value > before * (1 + 1e-6)
    around = point.direction.unsqueeze(1) + 1e-6 * normal(generator, 20, 4000)
    assert float(field.evaluate(around / around.norm(dim=0))[0].max()) <= point.value * (1 + 1e-10)


@pytest.mark.parametrize(("power", "leak"), [(1, 1.0), (2, 0.0), (2, -1.0), (3, 0.1), (2, 0.3)])
@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
def test_origin_points_are_kkt_points(power, leak, hidden_layers):
    _, problem = case(7, inputs=3, outputs=2)
    layers = hidden_layers + 1
    degree = sum(power**layer for layer in range(layers))
    for point in npw.find_origin_points(problem, hidden_layers=hidden_layers, power=power, leak=leak, starts=6)[:4]:
        weights = [weight.clone().requires_grad_() for weight in point.weights]
        h = problem.inputs
        for index, weight in enumerate(weights):
            z = h @ weight.T
            h = torch.where(z > 0, z, leak * z) ** power if index < layers - 1 else z
        value = (problem.targets * h).sum() / problem.samples
        gradients = torch.autograd.grad(value, weights)
        value = value.detach()
        assert value.item() == pytest.approx(point.value, rel=1e-9)
        rest = torch.cat([(g - degree * value * w.detach()).flatten() for g, w in zip(gradients, weights, strict=True)])
        assert float(rest.norm()) / value.item() < 1e-6
        assert point.residual < 1e-6
        for layer, weight in enumerate(point.weights, start=1):
            assert float(weight.square().sum()) == pytest.approx(power ** (layers - layer) / degree, rel=1e-9)


@pytest.mark.parametrize("leak", KINKED)
def test_points_do_not_depend_on_the_scale_of_the_data(leak):
    _, problem = case(8)
    points = npw.find_origin_points(problem, leak=leak, starts=10)
    other = npw.Problem(2.0**20 * problem.inputs, 2.0**-30 * problem.targets)
    scaled = npw.find_origin_points(other, leak=leak, starts=10)
    assert [2.0**10 * p.value for p in scaled] == pytest.approx([p.value for p in points], rel=1e-9)


@pytest.mark.parametrize("leak", KINKED)
@pytest.mark.parametrize("inputs", [2, 3])
def test_points_do_not_depend_on_how_large_each_sample_is(leak, inputs):
    # φ is homogeneous in every h_i: what a signal gains is what its features lose. So a kink is one at any size.
    _, problem = case(8, inputs=inputs, samples=12)
    sizes = torch.where(torch.arange(12) % 2 == 0, 1.0, 2.0**-43).double()[:, None]
    points = npw.find_origin_points(problem, hidden_layers=1, leak=leak, value_tolerance=0.0)
    other = npw.Problem(sizes * problem.inputs, problem.targets / sizes)
    scaled = npw.find_origin_points(other, hidden_layers=1, leak=leak, value_tolerance=0.0)
    assert scaled[0].value == pytest.approx(points[0].value, rel=1e-9)
    assert max(point.residual for point in scaled) < 1e-6


# --------------------------------------------------------------------------------------------------- the rest


def test_no_point_where_the_correlation_vanishes():
    # Targets that are exactly fitted in the mean direction: at a (1,1) ReLU minimum max N_2 is identically zero.
    problem = npw.problems.kumar_haupt(samples=1000, seed=0)
    pursuit = npw.NeuronPursuit(problem, target_loss=0.0)
    pursuit.run(0)
    assert npw.find_kkt_points(pursuit.network, problem, layers=(2,), starts=20, value_tolerance=1e-4) == []


def test_no_point_for_a_residual_of_zero():
    network, problem = case(9)
    fitted = npw.Problem(problem.inputs, network(problem.inputs))
    assert npw.find_kkt_points(network, fitted) == []
    assert npw.find_origin_points(npw.Problem(problem.inputs, torch.zeros(problem.samples))) == []


def test_same_seed_same_points_and_layers_do_not_influence_each_other():
    network, problem = case(10)
    first = npw.find_kkt_points(network, problem, starts=6, seed=2)
    again = npw.find_kkt_points(network, problem, starts=6, seed=2)
    alone = npw.find_kkt_points(network, problem, starts=6, seed=2, layers=(2,))
    assert all(torch.equal(p.incoming, q.incoming) and p.value == q.value for p, q in zip(first, again, strict=True))
    assert [p.value for p in alone] == [p.value for p in first if p.layer == 2]


def test_values_in_single_precision_agree():
    network, problem = case(11)
    single = npw.find_kkt_points(network.to(dtype=torch.float32), problem, starts=8)
    double = npw.find_kkt_points(network, problem, starts=8)
    assert single[0].incoming.dtype == torch.float32
    assert single[0].value == pytest.approx(double[0].value, rel=1e-4)


def test_chunks_of_samples_change_nothing(monkeypatch):
    network, problem = case(12, power=2)
    whole = npw.find_kkt_points(network, problem, starts=5)
    monkeypatch.setattr("np_widgets.learning.correlation.field._BLOCK_ENTRIES", 64)
    parts = npw.find_kkt_points(network, problem, starts=5)
    assert [p.value for p in parts] == pytest.approx([p.value for p in whole], rel=1e-9)
