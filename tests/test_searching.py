"""What a pursuit's search hands on to training."""

from __future__ import annotations

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.learning.correlation.paths import PathSearch, all_paths
from np_widgets.learning.pursuit.searching import Searching
from np_widgets.learning.pursuit.settings import PursuitSettings

pytestmark = pytest.mark.rounding


def searched(method: str, network: npw.HomogeneousNetwork, problem: npw.Problem) -> Searching:
    search = Searching(problem, PursuitSettings(method=method), network, all_paths(2, 1, 1), seed=1)
    while not search.finished:
        search.advance()
    return search


@pytest.fixture(scope="module")
def problem() -> npw.Problem:
    return npw.problems.kumar_haupt(samples=500, seed=2)


@pytest.fixture(scope="module")
def networks(problem: npw.Problem) -> dict[tuple[int, ...], npw.HomogeneousNetwork]:
    pursuit = npw.NeuronPursuit(problem, minimizer="hybrid")
    found = {}
    for additions in range(3):
        pursuit.run(1 if additions else 0)
        assert pursuit.network is not None
        found[pursuit.network.widths] = pursuit.network
    return found


def test_the_fast_method_tries_several_points_of_a_layer_and_the_paper_the_best_alone(problem, networks):
    most = 0
    for network in networks.values():
        several = searched("fast", network, problem).outcome()
        layers = [each.layer for each in several]
        most = max(most, layers.count(1), layers.count(2))
        assert [each.value for each in several] == sorted((each.value for each in several), reverse=True)
        losses = [float(problem.loss.value(each.network(problem.inputs), problem.targets)) for each in several]
        assert max(losses) < float(problem.loss.value(network(problem.inputs), problem.targets))
        assert len(searched("paper", network, problem).outcome()) == 1
    assert 1 < most <= 4


def test_the_fast_method_sees_samples_that_no_neuron_responds_to(problem, networks):
    differs = False
    for network in networks.values():
        for method, unseen in (("fast", True), ("paper", False)):
            points = npw.find_kkt_points(network, problem, layers=(1,), seed=1, unseen=unseen)
            found = searched(method, network, problem).maxima[0]
            assert found == pytest.approx(points[0].value if points else 0.0, rel=0.15, abs=1e-6)
        defined = npw.find_kkt_points(network, problem, layers=(1,), seed=1)
        differs |= points == [] or searched("fast", network, problem).maxima[0] > 1.5 * defined[0].value
    assert differs


def test_what_a_search_has_come_to_is_seen_on_the_way():
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    for rough in (True, False):
        network = npw.HomogeneousNetwork([np.eye(2, 20), np.ones((1, 2))])
        search = PathSearch(network, problem, all_paths(1), 20, 0, 1e-9, rough=rough)
        best, seen = 0.0, 0
        while not search.directions.finished:
            search.directions.advance()
            points = search.points
            seen += not search.directions.finished and bool(points)
            for point in points[:3]:
                value = npw.correlation(network, problem, 1, point.incoming, point.outgoing)
                assert value == pytest.approx(point.value, rel=1e-9)
            if points:
                assert points[0].value >= best * (1 - 1e-9)
                best = points[0].value
        assert seen > 2
        assert any(point.residual > 1e-6 for point in search.points) == rough
