"""The neural correlation function where samples are seen by no neuron of a ReLU layer."""

import numpy as np
import pytest
import torch

import np_widgets as npw


@pytest.fixture(scope="module")
def silent_case():
    """Two hidden layers of ReLUs; about a quarter of the samples are seen by no neuron of the first."""
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(400, 5, generator=generator, dtype=torch.float64)
    weights = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((2, 5), (2, 2), (1, 2))]
    weights[2] = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    network = npw.HomogeneousNetwork(weights)
    seen = (network.forward(inputs).hidden[1] > 0).any(dim=1, keepdim=True)
    targets = torch.where(seen, network(inputs), 2.0) + 0.1 * torch.randn(400, 1, generator=generator).double()
    problem = npw.Problem(inputs, targets)
    assert 0.5 < float(seen.double().mean()) < 0.9
    return network, problem


def decrease(network, problem, point, scale):
    def loss(net):
        return float(problem.loss.value(net(problem.inputs), problem.targets))

    grown = network.with_neuron(point.layer, scale * point.incoming, scale * point.outgoing)
    return (loss(network) - loss(grown)) / scale**2


def test_the_loss_falls_by_what_the_points_with_unseen_samples_say(silent_case):
    network, problem = silent_case
    points = [p for p in npw.find_kkt_points(network, problem, layers=(1,), unseen=True) if p.layer == 1]
    assert points
    for point in points:
        assert decrease(network, problem, point, 1e-4) == pytest.approx(point.value, rel=2e-3)
        assert point.residual < 1e-6


def test_what_the_definition_leaves_out_can_be_the_larger_part(silent_case):
    network, problem = silent_case
    plain = npw.find_kkt_points(network, problem, layers=(1,))[0]
    whole = npw.find_kkt_points(network, problem, layers=(1,), unseen=True)[0]
    assert whole.value > 1.5 * plain.value
    direction = npw.correlation(network, problem, 1, whole.incoming, whole.outgoing)
    assert direction < decrease(network, problem, whole, 1e-4)


def test_no_direction_of_a_scan_does_better(silent_case):
    network, problem = silent_case
    best = npw.find_kkt_points(network, problem, layers=(1,), unseen=True)[0].value
    generator = np.random.default_rng(0)
    for _ in range(300):
        vector = generator.standard_normal(7)
        vector /= np.linalg.norm(vector)
        point = npw.KKTPoint(1, 0.0, torch.from_numpy(vector[:5]), torch.from_numpy(vector[5:]), 0.0)
        assert decrease(network, problem, point, 1e-5) <= best * (1 + 1e-3)


def test_nothing_changes_where_every_sample_is_seen_or_the_layer_is_the_last(silent_case):
    network, problem = silent_case
    last = [npw.find_kkt_points(network, problem, layers=(2,), unseen=unseen) for unseen in (False, True)]
    assert [p.value for p in last[0]] == [p.value for p in last[1]]
    leaky = npw.HomogeneousNetwork(network.weights, leak=0.1)
    both = [npw.find_kkt_points(leaky, problem, unseen=unseen) for unseen in (False, True)]
    assert [p.value for p in both[0]] == [p.value for p in both[1]]


def test_unseen_is_a_flag(silent_case):
    with pytest.raises(TypeError, match="unseen must be True or False, got 1"):
        npw.find_kkt_points(*silent_case, unseen=1)  # type: ignore[arg-type]
