"""The search over directions: in steps, rough, in batches and in blocks."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.activation import Activation, Profile
from np_widgets.learning.correlation.ascent import Ascent
from np_widgets.learning.correlation.field import Field, Unseen
from np_widgets.learning.correlation.paths import PathSearch
from np_widgets.learning.correlation.search import DirectionSearch

pytestmark = pytest.mark.rounding

PROFILES = [
    Profile(1, 1.0, 0.0), Profile(1, 1.0, -0.3), Profile(1, 0.0, 2.0), Profile(1, -0.5, 0.4), Profile(1, 1.0, -1.0),
    Profile(2, 1.0, 0.0), Profile(3, 0.7, -0.2),
]  # fmt: skip


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def field_of(profile, outputs=1, samples=80, size=5, seed=0):
    return Field(normal(seed, samples, size), normal(seed + 1, samples, outputs), profile)


def points(network, problem, **options):
    search = PathSearch(network, problem, [(1, 1)], 30, 1, 1e-7, **options)
    search.directions.run()
    return search.points


@pytest.fixture(scope="module")
def example():
    problem = npw.problems.kumar_haupt(samples=300, seed=1)
    weights = [normal(3, 2, 20), normal(4, 2, 2).abs(), normal(5, 1, 2).abs()]
    return npw.HomogeneousNetwork(weights), problem


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("entries", [2**17, 64])
def test_values_and_gradients_are_those_of_automatic_differentiation(profile, outputs, entries, monkeypatch):
    monkeypatch.setattr("np_widgets.learning.correlation.field._BLOCK_ENTRIES", entries)
    field = field_of(profile, outputs)
    directions = normal(7, field.size, 6).requires_grad_()
    z = field.features @ directions
    response = (
        profile.positive * z.clamp(min=0) ** profile.power + profile.negative * (-z).clamp(min=0) ** profile.power
    )
    value = (field.signals.T @ response).norm(dim=0)
    (gradient,) = torch.autograd.grad(value.sum(), directions)
    found_value, found_gradient = field.evaluate(directions.detach())
    assert torch.allclose(found_value, value.detach(), rtol=1e-12)
    assert torch.allclose(found_gradient, gradient, rtol=1e-10, atol=1e-12)
    assert torch.allclose(field.vector(directions[:, 0].detach()).norm(), value[0].detach(), rtol=1e-12)


def test_one_sided_values_in_blocks_are_those_of_the_better_sign(monkeypatch):
    monkeypatch.setattr("np_widgets.learning.correlation.field._BLOCK_ENTRIES", 64)
    signals, residual, features = normal(1, 80, 1), normal(2, 30, 2), normal(3, 80, 4)
    weight, share, samples = (
        normal(5, 2, 1),
        torch.linspace(0, 1, 30, dtype=torch.float64)[:, None],
        torch.arange(9, 39),
    )
    unseen = Unseen(samples, residual, (weight,), Activation(1, 0.0), torch.ones(30, 1, dtype=torch.bool), share)
    field = Field(features, signals, Profile(1, 1.0, 0.0), unseen)
    down, up = signals.clone(), signals.clone()
    up[samples] = residual @ weight
    down[samples] = share * (residual @ weight)
    directions = normal(4, 4, 9)
    response = torch.relu(features @ directions) / 80
    expected = torch.maximum(up.T @ response, -down.T @ response).clamp(min=0)[0]
    assert torch.allclose(field.scale * field.evaluate(directions)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("profile", PROFILES)
def test_ascent_never_falls_and_ends_apart_from_better_ends(profile):
    field = field_of(profile, 2)
    starts = normal(9, field.size, 150)
    ascent = Ascent.of(field, starts / starts.norm(dim=0), 1e-4, 0.02)
    shares = []
    while not ascent.finished:
        shares.append(ascent.progress)
        ascent = ascent.advanced()
    assert shares == sorted(shares)
    assert ascent.progress == 1
    ends = ascent.ends
    values, gradients = field.evaluate(ends.directions)
    assert torch.allclose(values, ends.values, rtol=1e-12)
    tangents = gradients - (gradients * ends.directions).sum(dim=0) * ends.directions
    assert torch.allclose(tangents.norm(dim=0) / values, ends.residuals, atol=1e-9)
    assert float(ends.values.max()) >= 0.99 * float(field.evaluate(starts / starts.norm(dim=0))[0].max())


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_the_same_in_numpy_and_its_derivatives_are_those_of_its_values(profile):
    z = np.linspace(-2, 2, 40)  # zero is not among these
    at, weights = torch.from_numpy(z), torch.from_numpy(np.cos(z))
    np.testing.assert_allclose(profile.values(z), profile.value(at), rtol=1e-12)
    np.testing.assert_allclose(np.cos(z) * profile.slopes(z), profile.weighted_derivative(at, weights), rtol=1e-12)
    shift = 1e-5
    for derivative, of in ((profile.slopes, profile.values), (profile.curvatures, profile.slopes)):
        differences = (of(z + shift) - of(z - shift)) / (2 * shift)
        np.testing.assert_allclose(derivative(z), differences, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("rough", [False, True])
def test_a_search_goes_on_from_any_state(rough):
    fields: dict[tuple[int, ...], Field] = {
        (0,): field_of(Profile(1, 1.0, 0.0)),
        (1,): field_of(Profile(1, 1.0, 0.3), 2, seed=3),
    }
    search = DirectionSearch(fields, 70, 2, rough=rough)
    states, shares = [], []
    while not search.finished:
        states.append(copy.copy(search))
        shares.append(search.progress)
        search.advance()
    assert search.progress == 1
    assert 0 <= min(shares) <= max(shares) <= 1
    assert search.quanta == len(states)
    for quanta in range(0, len(states), max(1, len(states) // 5)):
        for beside in (states[quanta], None):  # at once, or once more from the beginning
            other = DirectionSearch(fields, 70, 2, rough=rough)
            other.catch_up(quanta, beside)
            assert (other.quanta, other.progress) == (quanta, shares[quanta])
            assert [(f.key, f.value) for f in other.run()] == [(f.key, f.value) for f in search.found]
            assert all(torch.equal(f.direction, g.direction) for f, g in zip(other.found, search.found, strict=True))


def test_rough_points_are_near_polished_ones_and_apart(example):
    network, problem = example
    polished, rough = points(network, problem), points(network, problem, rough=True)
    assert rough[0].value == pytest.approx(polished[0].value, rel=0.01)
    assert [point.value for point in rough] == sorted((point.value for point in rough), reverse=True)
    directions = torch.stack([point.incoming / point.incoming.norm() for point in rough])
    cosines = directions @ directions.T - 2 * torch.eye(len(rough), dtype=torch.float64)
    assert float(cosines.max()) < 0.98
    assert max(point.residual for point in polished) < 1e-6
    for point in rough:
        value = npw.correlation(network, problem, 1, point.incoming, point.outgoing)
        assert value == pytest.approx(point.value, rel=1e-9)


def test_rough_origin_points_are_near_polished_ones(example):
    _, problem = example
    found = []
    for rough in (False, True):
        empty = npw.HomogeneousNetwork.empty(problem, 2, Activation(1, 0.0))
        search = PathSearch(empty, problem, [(1, 2)], 30, 1, 1e-7, rough=rough)
        search.directions.run()
        found.append(search.points[0].value)
    assert found[1] == pytest.approx(found[0], rel=0.01)
    assert found[1] <= found[0] * (1 + 1e-9)


def test_more_starts_find_nothing_worse(example):
    network, problem = example
    few, many = (npw.find_kkt_points(network, problem, layers=(1,), starts=starts) for starts in (10, 200))
    assert many[0].value >= few[0].value * (1 - 1e-9)


def test_mirror_images_are_one_point_with_a_positive_largest_entry():
    field = field_of(Profile(1, 1.0, -1.0), 2)
    (found,) = DirectionSearch({(0,): field}, 40, 0).run()
    assert float(found.direction[found.direction.abs().argmax()]) > 0


def test_samples_that_cannot_contribute_change_nothing(example):
    network, problem = example
    more = torch.cat([problem.inputs, torch.zeros(50, 20, dtype=torch.float64)])
    padded = npw.Problem(more, torch.cat([problem.targets, torch.zeros(50, 1, dtype=torch.float64)]))
    share = problem.samples / padded.samples
    plain, other = points(network, problem), points(network, padded)
    assert other[0].value == pytest.approx(share * plain[0].value, rel=1e-9)
