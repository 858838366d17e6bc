"""Networks and activations against automatic differentiation, homogeneity, and values worked out by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from np_widgets.learning.activation import Activation, RectifiedPower
from np_widgets.learning.network import HomogeneousNetwork

powers = st.integers(1, 4)
leaks = st.sampled_from([-1.0, -0.3, 0.0, 0.2, 1.0])
shapes = st.lists(st.integers(1, 4), min_size=3, max_size=6)
seeds = st.integers(0, 10_000)


def _random(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _network(sizes: list[int], power: int = 1, leak: float = 0.0, seed: int = 0) -> HomogeneousNetwork:
    """A network with ``sizes`` inputs, hidden neurons …, outputs."""
    weights = [_random(seed + layer, sizes[layer + 1], sizes[layer]) for layer in range(len(sizes) - 1)]
    return HomogeneousNetwork(weights, power=power, leak=leak)


@pytest.mark.parametrize(
    ("power", "leak", "values"),
    [
        (1, 0.0, [0.0, 0.0, 3.0]),
        (1, 0.5, [-1.0, 0.0, 3.0]),
        (1, 1.0, [-2.0, 0.0, 3.0]),
        (1, -1.0, [2.0, 0.0, 3.0]),
        (2, 0.0, [0.0, 0.0, 9.0]),
        (2, -1.0, [4.0, 0.0, 9.0]),
        (3, 0.5, [-1.0, 0.0, 27.0]),
    ],
)
def test_activation_is_the_power_of_the_larger_of_z_and_leak_times_z(power, leak, values):
    z = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64)
    assert Activation(power, leak)(z).tolist() == values


@given(powers, leaks, seeds)
def test_derivative_is_that_of_automatic_differentiation(power, leak, seed):
    activation = Activation(power, leak)
    z = _random(seed, 20).requires_grad_()
    (expected,) = torch.autograd.grad(activation(z).sum(), z)
    torch.testing.assert_close(activation.derivative(z.detach()), expected, rtol=1e-13, atol=0)


@given(powers, leaks)
def test_derivative_at_the_kink_is_that_of_the_negative_side(power, leak):
    assert Activation(power, leak).derivative(torch.zeros(1)).item() == pytest.approx(leak if power == 1 else 0.0)


@given(powers, leaks)
def test_only_powers_of_one_have_a_kink_unless_they_are_linear(power, leak):
    activation = Activation(power, leak)
    sides = torch.tensor([-1e-9, 1e-9], dtype=torch.float64)
    slopes = activation.derivative(sides)
    assert activation.has_kink == (abs(float(slopes[1] - slopes[0])) > 1e-6)


@pytest.mark.parametrize(
    ("power", "leak", "name"),
    [(1, 0.0, "ReLU"), (1, 1.0, "linear"), (1, 0.1, "leaky ReLU (α = 0.1)"), (2, 0.0, "squared ReLU")],
)
def test_activations_have_the_names_of_the_field(power, leak, name):
    assert Activation(power, leak).name == name


@pytest.mark.parametrize(
    ("power", "leak", "argument"),
    [
        (0, 0.0, "power"),
        (1.5, 0.0, "power"),
        (True, 0.0, "power"),
        (1, 1.1, "leak"),
        (1, math.nan, "leak"),
        (1, "0", "leak"),
    ],
)
def test_activations_refuse_what_is_not_homogeneous(power, leak, argument):
    with pytest.raises((TypeError, ValueError), match=argument):
        Activation(power, leak)


@given(shapes, powers, leaks, seeds, st.floats(0.3, 2.0))
def test_network_is_homogeneous_in_its_weights(sizes, power, leak, seed, factor):
    network = _network(sizes[:5], power, leak, seed)
    inputs = _random(seed + 99, 7, sizes[0])
    scaled = HomogeneousNetwork([factor * weight for weight in network.weights], power=power, leak=leak)
    expected = factor**network.degree * network(inputs)
    scale = float(expected.abs().max())
    torch.testing.assert_close(scaled(inputs), expected, rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize(("power", "layers", "degree"), [(1, 2, 2), (1, 4, 4), (2, 2, 3), (2, 3, 7), (3, 3, 13)])
def test_degree_is_the_sum_of_the_powers_of_p(power, layers, degree):
    assert _network([2] * (layers + 1), power).degree == degree


@given(shapes, powers, leaks, seeds)
def test_network_is_its_module(sizes, power, leak, seed):
    network = _network(sizes, power, leak, seed)
    inputs = _random(seed + 99, 5, sizes[0])
    torch.testing.assert_close(network.to_module()(inputs), network(inputs), rtol=1e-12, atol=1e-12)


def test_module_trains_without_touching_the_network():
    network = _network([3, 2, 1], leak=0.5)
    before = [weight.clone() for weight in network.weights]
    module = network.to_module()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    module(torch.ones(4, 3, dtype=torch.float64)).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(old, new) for old, new in zip(before, network.weights, strict=True))
    assert not torch.equal(next(iter(module.parameters())), network.weights[0])


@given(shapes, powers, leaks, seeds)
def test_signals_are_minus_the_derivatives_by_the_pre_activations(sizes, power, leak, seed):
    network = _network(sizes, power, leak, seed)
    inputs, residual = _random(seed + 99, 5, sizes[0]), _random(seed + 100, 5, sizes[-1])
    forward = network.forward(inputs)
    # The same pass once more, with a point to differentiate by in every layer.
    shifts = [torch.zeros_like(z, requires_grad=True) for z in forward.pre_activations]
    values = inputs
    for layer, (weight, shift) in enumerate(zip(network.weights, shifts, strict=True)):
        values = values @ weight.T + shift
        if layer < len(shifts) - 1:
            values = network.activation(values)
    expected = torch.autograd.grad((residual * values).sum(), shifts)
    for signal, gradient in zip(network.signals(forward, residual), expected, strict=True):
        torch.testing.assert_close(signal, gradient, rtol=1e-10, atol=1e-12)


def test_forward_keeps_every_layer():
    network = HomogeneousNetwork([[[1.0, -1.0], [2.0, 0.0]], [[1.0, 1.0]]])
    forward = network.forward(torch.tensor([[1.0, 3.0]], dtype=torch.float64))
    assert [z.tolist() for z in forward.pre_activations] == [[[-2.0, 2.0]], [[2.0]]]
    assert [h.tolist() for h in forward.hidden] == [[[1.0, 3.0]], [[0.0, 2.0]]]
    assert forward.output.tolist() == [[2.0]]


@given(st.integers(1, 3), powers, leaks, seeds)
def test_with_neuron_adds_what_that_neuron_computes(layer, power, leak, seed):
    network = _network([3, 2, 3, 2, 2], power, leak, seed)
    sizes = [3, 2, 3, 2, 2]
    incoming, outgoing = _random(seed + 50, sizes[layer - 1]), _random(seed + 51, sizes[layer + 1])
    inputs = _random(seed + 99, 6, 3)
    grown = network.with_neuron(layer, incoming.numpy(), outgoing)
    assert grown.widths == tuple(width + (index == layer) for index, width in enumerate((2, 3, 2), start=1))

    hidden = network.forward(inputs).hidden[layer - 1]
    above = network.forward(inputs).pre_activations[layer]
    expected = above + network.activation(hidden @ incoming).unsqueeze(1) * outgoing
    torch.testing.assert_close(grown.forward(inputs).pre_activations[layer], expected, rtol=1e-12, atol=1e-12)

    silent = network.with_neuron(layer, incoming, torch.zeros(sizes[layer + 1]))
    torch.testing.assert_close(silent(inputs), network(inputs), rtol=1e-12, atol=1e-12)


def test_networks_share_nothing_with_what_they_were_made_from():
    array, incoming = np.ones((2, 3)), torch.ones(3, dtype=torch.float64)
    network = HomogeneousNetwork([array, np.ones((1, 2))])
    grown, copied = network.with_neuron(1, incoming, [1.0]), network.copy()
    array[:], incoming[:] = 5, 5
    network.weights[0].fill_(7.0)
    assert (grown.weights[0] == 1).all()
    assert (copied.weights[0] == 1).all()


def test_properties_follow_from_the_weights():
    network = _network([5, 4, 3, 2], power=2, leak=0.1)
    assert (network.widths, network.hidden_layers) == ((4, 3), 2)
    assert (network.input_size, network.output_size, network.parameter_count) == (5, 2, 20 + 12 + 6)
    assert (network.power, network.leak, network.dtype) == (2, 0.1, torch.float64)
    assert "widths=(4, 3)" in repr(network)


def test_precision_can_be_changed_and_is_kept():
    single = _network([3, 2, 1]).to(dtype=torch.float32)
    assert {weight.dtype for weight in single.weights} == {torch.float32}
    assert single(np.ones((2, 3))).dtype == torch.float32
    assert HomogeneousNetwork(single.weights).dtype == torch.float32
    assert single.to_module()(torch.ones(2, 3)).dtype == torch.float32


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("abc", "weights"),
        (3, "weights"),
        ([[[1.0]]], "at least two"),
        ([[[1.0, 2.0]], [[1.0, 2.0]]], r"weights\[1\] must have 1 columns"),
        ([[[math.nan]], [[1.0]]], r"weights\[0\] must be finite"),
        ([[1.0], [[1.0]]], r"weights\[0\] must have 2 dimensions"),
        ([np.ones((0, 2)), np.ones((1, 0))], r"weights\[0\] must not be empty"),
        ([torch.ones(1, 1, dtype=torch.float16), torch.ones(1, 1, dtype=torch.float16)], "dtype of weights"),
    ],
)
def test_unsound_weights_are_refused(weights, message):
    with pytest.raises((TypeError, ValueError), match=message):
        HomogeneousNetwork(weights)


@pytest.mark.parametrize(
    ("layer", "incoming", "outgoing", "argument"),
    [
        (0, [1.0, 1.0, 1.0], [1.0], "layer"),
        (2, [1.0, 1.0, 1.0], [1.0], "layer"),
        (1.0, [1.0, 1.0, 1.0], [1.0], "layer"),
        (1, [1.0, 1.0], [1.0], "incoming"),
        (1, [1.0, 1.0, math.inf], [1.0], "incoming"),
        (1, [1.0, 1.0, 1.0], [1.0, 1.0], "outgoing"),
    ],
)
def test_unsound_neurons_are_refused(layer, incoming, outgoing, argument):
    with pytest.raises((TypeError, ValueError), match=argument):
        _network([3, 2, 1]).with_neuron(layer, incoming, outgoing)


def test_inputs_of_the_wrong_width_are_refused():
    with pytest.raises(ValueError, match=r"inputs must have shape \(n, 3\), got \(4, 2\)"):
        _network([3, 2, 1])(torch.ones(4, 2))


@pytest.mark.parametrize(
    "between", [nn.ReLU, lambda: nn.LeakyReLU(0.3), nn.Identity, lambda: RectifiedPower(Activation(2, -0.5))]
)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("widths", [(4,), (4, 3), (2, 5, 3)])
def test_from_module_computes_what_the_module_does(widths, bias, between):
    torch.manual_seed(0)
    sizes = [3, *widths, 2]
    layers = [nn.Linear(below, above, bias=bias, dtype=torch.float64) for below, above in itertools.pairwise(sizes)]
    inside = [each for layer in layers[:-1] for each in (layer, between())]
    module = nn.Sequential(nn.Sequential(*inside), layers[-1])
    network = HomogeneousNetwork.from_module(module)
    inputs = torch.randn(20, 3, dtype=torch.float64)
    with_constant = torch.cat([inputs, torch.ones(20, 1, dtype=torch.float64)], dim=1)
    torch.testing.assert_close(network(with_constant if bias else inputs), module(inputs))
    assert network.widths == tuple(width + bias for width in widths)
    layers[0].weight.data.zero_()
    assert bool(network.weights[0].any())


def test_from_module_is_the_way_back():
    network = HomogeneousNetwork([torch.randn(3, 2), torch.randn(1, 3)], power=2, leak=0.5)
    again = HomogeneousNetwork.from_module(network.to_module())
    assert (again.power, again.leak, again.dtype) == (2, 0.5, torch.float32)
    assert all(map(torch.equal, again.weights, network.weights))


@pytest.mark.parametrize(
    ("module", "error", "said"),
    [
        (nn.Linear(2, 1), TypeError, "got Linear"),
        (nn.Sequential(nn.Linear(2, 1)), ValueError, "got Linear"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), ValueError, "got Linear, Linear"),
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.ReLU()), ValueError, "got Linear, ReLU, ReLU"),
        (nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), TypeError, "got a Tanh"),
        (
            nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.Identity(), nn.Linear(3, 1)),
            ValueError,
            "the same activation everywhere, got ReLU(), Identity()",
        ),
    ],
)
def test_from_module_refuses(module, error, said):
    with pytest.raises(error, match=r"^module must") as raised:
        HomogeneousNetwork.from_module(module)
    assert said in str(raised.value)
