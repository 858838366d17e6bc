"""Neuron Pursuit behind scikit-learn's interface."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator, check_sample_weight_equivalence_on_dense_data

import np_widgets as npw
from np_widgets.estimators import decays
from np_widgets.estimators import estimator as room
from np_widgets.estimators.decays import DECAYS, Choice, choose
from np_widgets.estimators.rows import Rows

SMALL = {"weight_decay": 0.05, "max_neurons": 3, "starts": 3, "max_steps": 30}
BOTH = [npw.NeuronPursuitRegressor, npw.NeuronPursuitClassifier]
NAMES = ["height", "body mass", "pressure_2"]


@pytest.fixture(autouse=True)
def quick_certificates(monkeypatch):
    """How sure a certificate is, is no matter of the estimators'; every fit of a small network ends with one."""
    monkeypatch.setattr("np_widgets.learning.pursuit.searching._CERTIFYING_STARTS", 20)


def data(count: int = 60, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Three inputs of different sizes, of which two count, and a target with a kink."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((count, 3)) * [10, 1, 0.1] + [170, 25, 1]
    target = 50 + 7 * np.abs(inputs[:, 0] - 171) + 30 * (inputs[:, 1] - 25) + rng.standard_normal(count)
    return pd.DataFrame(inputs, columns=NAMES), target


def regressor(**changes: Any) -> npw.NeuronPursuitRegressor:
    return npw.NeuronPursuitRegressor(**{**SMALL, **changes})


def classifier(**changes: Any) -> npw.NeuronPursuitClassifier:
    return npw.NeuronPursuitClassifier(**{**SMALL, "weight_decay": 0.01, **changes})


@pytest.mark.parametrize("kind", BOTH)
def test_scikit_learn_has_nothing_to_object_to(kind):
    results = check_estimator(kind(**{**SMALL, "starts": 2, "max_steps": 16}), on_skip=None)
    assert {result["status"] for result in results} <= {"passed", "skipped"}
    # It looks at other arrays than NumPy's only where an environment variable asks for that.
    assert [each["check_name"] for each in results if each["status"] == "skipped"] == ["check_array_api_input"]


@pytest.mark.parametrize("kind", BOTH)
def test_nor_where_the_decay_is_chosen(kind, monkeypatch):
    monkeypatch.setattr(decays, "DECAYS", DECAYS[1:4])
    model = kind(**{**SMALL, "weight_decay": "auto", "max_neurons": 1, "max_steps": 10})
    assert check_sample_weight_equivalence_on_dense_data(kind.__name__, model) is None


def test_it_works_in_pipelines_and_searches():
    X, y = data()
    pipeline = make_pipeline(FunctionTransformer(), regressor())
    assert cross_val_score(pipeline, X, y, cv=2).shape == (2,)
    search = GridSearchCV(regressor(max_neurons=1), {"weight_decay": [0.05, 10.0]}, cv=2, n_jobs=2).fit(X, y)
    assert search.best_params_ == {"weight_decay": 0.05}


@pytest.mark.parametrize("options", [{}, {"hidden_layers": 2}, {"power": 2}])
def test_weights_of_any_size_are_in_the_loss_that_is_minimized(options):
    X, y = data()
    weights = np.random.default_rng(1).exponential(size=len(y))
    model = regressor(**options).fit(X, y, sample_weight=weights)
    deviation = np.sqrt(np.average((y - np.average(y, weights=weights)) ** 2, weights=weights))
    error = np.average((y - model.predict(X)) ** 2, weights=weights) / deviation**2
    assert model.pursuit_.loss == pytest.approx(error / 2, rel=1e-9)
    assert model.score(X, y, sample_weight=weights) == pytest.approx(1 - error, rel=1e-9)


def test_and_in_cross_entropy():
    X, y = data()
    weights = np.random.default_rng(1).exponential(size=len(y))
    model = classifier().fit(X, y > np.median(y), sample_weight=weights)
    expected = log_loss(y > np.median(y), model.predict_proba(X), sample_weight=weights)
    assert model.pursuit_.loss == pytest.approx(expected, rel=1e-9)


def test_the_order_of_rows_does_not_matter(monkeypatch):
    monkeypatch.setattr(decays, "DECAYS", DECAYS[1:4])
    X, y = data()
    order = np.random.default_rng(0).permutation(len(y))
    options = {"weight_decay": "auto", "max_steps": 4, "max_neurons": 2}
    one, other = regressor(**options).fit(X, y), regressor(**options).fit(X.iloc[order], y[order])
    assert (one.predict(X) == other.predict(X)).all()
    assert one.decay_path_.equals(other.decay_path_)


def test_rows_that_are_equal_are_held_out_together():
    X = np.repeat(np.arange(12.0), 3)[:, None]
    rows = Rows.distinct(X, X, np.ones(36))
    assert len(rows) == 12
    assert (rows.weights == 3).all()
    for learned, held_out in rows.folds(4, np.random.RandomState(0)):
        assert (len(learned), len(held_out)) == (9, 3)
        assert not set(learned.inputs.ravel()) & set(held_out.inputs.ravel())


def test_every_fold_has_its_share_of_each_class():
    classes = np.repeat([0, 1], [20, 8])
    rows = Rows(np.arange(28.0)[:, None], classes, np.ones(28))
    for _, held_out in rows.folds(4, np.random.RandomState(0)):
        assert np.bincount(held_out.targets).tolist() == [5, 2]


def test_the_decay_is_the_best_of_the_path():
    X, y = data(100)
    options = {"weight_decay": "auto", "max_neurons": 6, "max_steps": 60, "cv": 2}
    model = regressor(**options).fit(X, y)
    path = model.decay_path_
    assert list(path.columns) == ["weight_decay", "neurons", "training_error", "validation_error", "gap"]
    assert tuple(path.weight_decay) == DECAYS[: len(path)]
    level = path.validation_error <= 1.01 * path.validation_error.min() + 1e-4
    assert model.weight_decay_ == path.weight_decay[level].max()
    assert model.score(X, y) > 0.95
    assert Ridge().fit(X, y).score(X, y) < 0.9
    assert model.pursuit_.network.widths == model.network_.widths
    # It is what that price grows of all rows, and stopped where the held-out rows said.
    trained = len(model.pursuit_.growth)
    assert trained < 6
    same = regressor(**{**options, "weight_decay": model.weight_decay_, "max_neurons": trained}).fit(X, y)
    assert (same.predict(X) == model.predict(X)).all()
    assert len(same.decay_path_) == 0


def test_its_errors_are_those_of_the_splits():
    X, y = data()
    splits = list(KFold(2).split(X))
    model = regressor(weight_decay="auto", cv=splits, max_steps=10, max_neurons=2).fit(X, y)
    path = model.decay_path_
    for decay, neurons, training, validation in zip(*(path[name] for name in path.columns[:4]), strict=True):
        errors = []
        for learned, held_out in splits:
            alone = regressor(weight_decay=decay, max_steps=10, max_neurons=max(1, round(neurons)))
            alone.fit(X.iloc[learned], y[learned])
            pairs = [(X.iloc[rows], y[rows]) for rows in (learned, held_out)]
            errors.append([((wanted - alone.predict(rows)) ** 2).mean() / y[learned].var() for rows, wanted in pairs])
        assert np.mean(errors, axis=0) == pytest.approx([training, validation], rel=1e-9)


class Grown:
    """What the choice asks of a growth: a fit for each network, with an error that is known."""

    def __init__(self, errors: Sequence[float]) -> None:
        self.fits: list[Any] = []
        self._errors = errors

    def advance(self) -> bool:
        if len(self.fits) == len(self._errors):
            return False
        count, error = len(self.fits) + 1, self._errors[len(self.fits)]
        network = npw.HomogeneousNetwork([np.ones((count, 1)), np.ones((1, count))])
        self.fits.append(SimpleNamespace(network=network, error=lambda rows: error))
        return True

    def gap(self, index: int) -> float:
        return 0.1 * index


ROWS = Rows(np.ones((1, 1)), np.ones((1, 1)), np.ones(1))


@pytest.mark.parametrize(
    ("errors", "tried", "best"),
    [
        ([9, 8, 7, 6, 5, 4, 3], 7, 6),
        ([5, 4, 4.1, 3.9, 4, 4], 6, 3),
        ([5, 4, 6, 4.2], 4, 1),
        ([5, 4.96, 4.97], 3, 0),  # level: the largest price
        ([1e-6, 1e-7, 1e-8], 3, 0),
    ],
)
def test_the_path_ends_where_it_leads_nowhere(errors, tried, best):
    known = dict(zip(DECAYS, errors, strict=False))
    begin: Any = lambda rows, decay: Grown([known[decay]])  # noqa: E731
    choice = choose(begin, [(ROWS, ROWS)])
    assert (choice.decay, choice.networks, len(choice.records)) == (DECAYS[best], 1, tried)


@pytest.mark.parametrize(
    ("errors", "seen", "best"),
    [
        ([9, 5, 4, 3, 2], 5, 5),
        ([9, 5, 6, 7, 8, 1], 5, 2),
        ([9, 5, 6, 7, 4, 6, 6, 6], 8, 5),
        ([9, 5, 4.99, 4.98, 4.97, 1], 5, 2),  # hardly better is no reason for another neuron
        ([9, 5, 4.94, 4.9, 4.89, 4.89], 6, 4),
        ([3], 1, 1),
    ],
)
def test_so_does_the_growth_for_one_decay(errors, seen, best):
    made: list[Grown] = []

    def begin(rows: Rows, decay: float) -> Any:
        made.append(Grown(errors))
        return made[-1]

    choice = choose(begin, [(ROWS, ROWS)])
    assert choice.networks == best
    assert len(made[0].fits) == seen
    assert choice.records[0] == {
        "weight_decay": DECAYS[0],
        "neurons": best,
        "training_error": errors[best - 1],
        "validation_error": errors[best - 1],
        "gap": 0.1 * (best - 1),
    }


def test_folds_grow_side_by_side_and_the_last_network_of_one_stands_for_those_after_it():
    courses = {0: [8, 6], 1: [8, 6, 2, 9, 9, 9, 9]}

    def begin(rows: Rows, decay: float) -> Any:
        return Grown(courses[int(rows.inputs[0, 0])])

    folds = [(Rows(np.full((1, 1), fold), np.ones((1, 1)), np.ones(1)), ROWS) for fold in (0.0, 1.0)]
    choice = choose(begin, folds)
    record = choice.records[0]
    assert (choice.networks, record["neurons"], record["validation_error"]) == (3, 2.5, 4)
    assert record["gap"] == 0.2


def test_the_gap_is_that_of_the_networks_in_the_table(monkeypatch):
    monkeypatch.setattr(decays, "DECAYS", (0.3, 0.1))
    X, y = data()
    splits = [(np.arange(40), np.arange(40, 60))]
    options = {"starts": 10, "max_steps": 60}
    path = regressor(weight_decay="auto", cv=splits, max_neurons=5, **options).fit(X, y).decay_path_
    for decay, neurons, gap in zip(path.weight_decay, path.neurons, path.gap, strict=True):
        model = regressor(weight_decay=decay, max_neurons=int(neurons), **options).fit(X[:40], y[:40])
        pursuit = model.pursuit_
        points = npw.find_kkt_points(pursuit.network, pursuit.problem, starts=20, seed=1)
        share = min(1.0, decay / (2 * points[0].value))
        residual = share * (pursuit.problem.targets - pursuit.network(pursuit.problem.inputs))
        bound = float((residual * pursuit.problem.targets).mean() - 0.5 * residual.square().mean())
        assert gap == pytest.approx(1 - bound / pursuit.objective, abs=1e-3)
        wide = regressor(weight_decay=decay, max_neurons=7, **options).fit(X[:40], y[:40])
        assert wide.pursuit_.objective >= pursuit.objective * (1 - gap) * (1 - 1e-9)


def test_of_many_rows_only_some_folds_are_validated_on(monkeypatch):
    seen = []

    def chosen(begin: Any, folds: Any) -> Choice:
        seen.append([len(held_out) for _, held_out in folds])
        return Choice(0.1, 1, [])

    monkeypatch.setattr(room, "choose", chosen)
    for few in (60, 59):
        monkeypatch.setattr(room, "_FEW", few)
        regressor(weight_decay="auto").fit(*data())
    assert seen == [[15] * 4, [15] * 2]


def test_splits_without_weight_are_refused():
    X, y = data(6)
    with pytest.raises(ValueError, match="cv must leave rows"):
        regressor(weight_decay="auto", cv=[(np.arange(3), np.arange(3, 6))]).fit(X, y, np.array([1, 1, 1, 0, 0, 0]))


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [-1, 1], [10, 20], ["a", "b", "c"], [0.0, 2.0]])
def test_labels_of_any_kind(labels):
    X, y = data()
    codes = np.digitize(y, np.quantile(y, np.linspace(0, 1, len(labels) + 1)[1:-1]))
    model = classifier().fit(X, np.array(labels)[codes])
    assert model.classes_.tolist() == sorted(labels)
    assert model.score(X, np.array(labels)[codes]) > 0.7
    probabilities = model.predict_proba(X)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(X)).all()


def test_sparse_inputs_are_made_dense_up_to_a_limit(monkeypatch):
    X, y = data()
    sparse_inputs = sparse.csr_array(X.to_numpy())
    model = regressor().fit(sparse_inputs, y)
    assert (model.predict(sparse_inputs) == regressor().fit(X.to_numpy(), y).predict(X.to_numpy())).all()
    monkeypatch.setattr(room, "MOST_DENSE", X.size)
    assert (regressor().fit(sparse_inputs, y).predict(sparse_inputs) == model.predict(sparse_inputs)).all()
    monkeypatch.setattr(room, "MOST_DENSE", X.size - 1)
    with pytest.raises(ValueError, match=r"X must have at most 179 entries, zeros counted, .* got shape \(60, 3\)"):
        regressor().fit(sparse_inputs, y)
    with pytest.raises(ValueError, match="TruncatedSVD"):
        model.predict(sparse_inputs)


def test_where_there_is_nothing_to_learn_there_is_no_neuron():
    X, _ = data(20)
    model = regressor().fit(X, np.full(20, 3.0))
    assert model.network_.widths == (0,)
    assert (model.predict(X) == 3).all()
    assert model.formula() == "y = 3"
    assert len(model.explain()) == 0
    dear = classifier(weight_decay=100.0).fit(X, np.arange(20) % 2)
    assert (dear.predict_proba(X) == 0.5).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_decay": "some"}, "weight_decay must be one of 'auto'"),
        ({"weight_decay": -1}, "weight_decay must be a finite number"),
        ({"max_neurons": 1, "hidden_layers": 2}, "max_neurons must be an integer of at least 2"),
        ({"hidden_layers": 0}, "hidden_layers must be an integer"),
        ({"power": 0}, "power must be"),
        ({"starts": 0}, "starts must be"),
        ({"minimizer": "newton"}, "minimizer must be one of"),
    ],
)
def test_parameters_are_checked_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        regressor(**options).fit(*data(10))


@pytest.mark.parametrize(
    ("weights", "message"),
    [(-np.ones(10), "not be negative, got -1"), (np.zeros(10), "not zero"), (np.ones(9), r"shape \(10,\)")],
)
def test_so_are_weights(weights, message):
    with pytest.raises(ValueError, match=f"sample_weight must .*{message}"):
        regressor().fit(*data(10), sample_weight=weights)


def test_one_class_is_refused():
    X, _ = data(10)
    with pytest.raises(ValueError, match="at least two classes, got one class: 'a'"):
        classifier().fit(X, ["a"] * 10)


# in words


def evaluated(formula: str, X: pd.DataFrame) -> dict[str, np.ndarray]:
    """What the lines of a formula give: plain Python once each name has one that Python takes."""
    found: dict[str, np.ndarray] = {name: X[name].to_numpy() for name in X}
    known: dict[str, str] = {}

    def plain(match: re.Match) -> str:
        return known.setdefault(match[1], f"quoted{len(known)}")

    values: dict[str, Any] = {"max": np.maximum}
    lines = [re.sub("`([^`]*)`", plain, line) for line in formula.splitlines()]
    values |= {known.get(name, name): value for name, value in found.items()}
    for line in lines:
        name, expression = line.split(" = ")
        values[name] = eval(expression, {"__builtins__": {}}, values) + np.zeros(len(X))
    original = {plain: name for name, plain in known.items()}
    return {original.get(name, name): value for name, value in values.items() if name != "max"}


def from_latex(formula: str) -> str:
    """The same formula as lines that Python understands, from its ``aligned`` environment."""
    body = formula.removeprefix("\\begin{aligned}\n").removesuffix("\n\\end{aligned}")
    body = re.sub(r" \\cdot 10\^\{(-?\d+)\}", r"e\1", body.replace(" \\\\\n", "\n").replace(" &= ", " = "))
    body = re.sub(r"\\text\{((?:[^{}\\]|\\[_{}])*)\}", lambda match: f"`{match[1]}`".replace("\\_", "_"), body)
    body = re.sub(r"_\{(\d+)\}", r"\1", body.replace("\\,", "*").replace("\\max", "max"))
    return re.sub(r"\)\^\{(\d+)\}", r")**\1", body)


OPTIONS = [{}, {"power": 2}, {"leak": 0.1}, {"hidden_layers": 2, "max_neurons": 5}]


@pytest.mark.parametrize("latex", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_formula_is_what_is_predicted(options, latex):
    X, y = data()
    model = regressor(weight_decay=0.003, **options).fit(X, y)
    for digits, tolerance in ((17, 1e-9), (6, 1e-2)):
        text = model.formula(digits=digits, latex=latex)
        found = evaluated(from_latex(text) if latex else text, X)
        assert found["y"] == pytest.approx(model.predict(X), rel=tolerance)


def test_so_it_is_of_several_outputs():
    X, y = data()
    targets = pd.DataFrame({"first": y, "second one": -y + X["height"]})
    model = regressor().fit(X, targets)
    found = evaluated(model.formula(digits=17), X)
    assert np.column_stack([found["first"], found["second one"]]) == pytest.approx(model.predict(X), rel=1e-9)


def test_a_series_gives_its_name_to_the_output():
    X, y = data()
    model = regressor().fit(X, pd.Series(y, name="load"))
    assert evaluated(model.formula(digits=17), X)["load"] == pytest.approx(model.predict(X), rel=1e-9)
    assert "load" in model.explain().columns
    assert model.pursuit_.problem.output_names == ("load",)


def test_and_of_classes():
    X, y = data()
    two = classifier().fit(X, np.where(y > np.median(y), "ill", "well"))
    found = evaluated(two.formula(digits=17), X)
    assert found["log odds of 'well'"] == pytest.approx(two.decision_function(X), rel=1e-9, abs=1e-9)
    assert np.log(two.predict_proba(X)[:, 1] / two.predict_proba(X)[:, 0]) == pytest.approx(
        two.decision_function(X), rel=1e-6, abs=1e-9
    )
    assert two.pursuit_.problem.output_names == ("ill", "well")
    three = classifier().fit(X, np.digitize(y, np.quantile(y, [0.3, 0.6])))
    found = evaluated(three.formula(digits=17), X)
    scores = np.column_stack([found[f"score of {label}"] for label in range(3)])
    assert scores == pytest.approx(three.decision_function(X), rel=1e-9, abs=1e-9)


def test_neurons_have_no_name_of_an_input():
    X, y = data()
    model = regressor().fit(X.set_axis(["h1", "n12", "max"], axis=1), y)
    assert "neuron_1 = " in model.formula()
    assert "\\text{neuron\\_}_{1} &= " in model.formula(latex=True)


def test_a_formula_is_not_written_of_many_neurons(monkeypatch):
    model = regressor().fit(*data())
    monkeypatch.setattr(room, "_MOST_IN_FORMULA", sum(model.network_.widths) - 1)
    with pytest.raises(ValueError, match=r"formula\(\) writes networks of at most \d neurons, this one has"):
        model.formula()


@pytest.mark.parametrize("alike", [False, True])
def test_what_is_explained_is_what_is_predicted(alike):
    X, y = data()
    if alike:
        y = (X / X.std()).sum(axis=1).to_numpy()
    model = regressor().fit(X, y)
    table = model.explain()
    weights = table[NAMES].to_numpy()
    hidden = np.maximum(X.to_numpy() @ weights.T + table["offset"].to_numpy(), 0)
    assert hidden @ table["y"].to_numpy() + y.mean() == pytest.approx(model.predict(X), rel=1e-9)
    assert np.abs(table["y"].to_numpy()) == pytest.approx(1)
    variation = np.square(weights * X.std(ddof=0).to_numpy())
    for sees, row in zip(table["sees"], variation, strict=True):
        seen = [NAMES.index(name) for name in sees.split(", ")]
        assert row[seen].sum() >= 0.9 * row.sum() > row[seen[:-1]].sum()
        assert (np.diff(row[seen]) <= 0).all()
    assert any("pressure_2" in sees for sees in table["sees"]) == alike


def test_an_input_that_does_not_vary_is_not_seen():
    X, y = data()
    model = regressor().fit(X.assign(same=0.1), y)
    assert (model.explain()["same"] == 0).all()
    assert "same" not in model.formula()
    assert model.predict(X.assign(same=0.1)) == pytest.approx(model.predict(X.assign(same=5.0)))


def test_the_widget_shows_the_growth_of_the_pursuit():
    model = regressor().fit(*data())
    widget = model.widget(hide=["inspect"])
    try:
        assert widget.session.frame.network.widths == widget.widths == model.network_.widths
        assert widget.session.frame.growth == tuple(model.pursuit_.growth)
        assert widget.session.engine.problem.input_names == (*NAMES, "constant")
    finally:
        widget.close()
    with pytest.raises(NotFittedError):
        regressor().widget()
