"""Mistakes that a type checker sees: where it no longer sees one, its comment is an error to mypy. Nothing runs it."""

import np_widgets as npw


def mistakes(problem: npw.Problem, network: npw.HomogeneousNetwork) -> None:
    npw.NeuronPursiut(problem)  # type: ignore[attr-defined]
    npw.plots.losses(problem)  # type: ignore[attr-defined]
    npw.problems.kumar_haupt(sampels=60)  # type: ignore[call-arg]
    npw.Problem([[0.0]], [0.0], loss="squared")  # type: ignore[arg-type]
    npw.problems.curve("sin")  # type: ignore[arg-type]
    npw.problems.single_index(link="rulu")  # type: ignore[arg-type]
    npw.problems.multi_index(distribution="normal")  # type: ignore[arg-type]
    npw.problems.hypercube_error(problem, network)  # type: ignore[arg-type]
    pursuit = npw.NeuronPursuit(problem, method="quick")  # type: ignore[arg-type]
    npw.NeuronPursuit(problem, minimizer="adma")  # type: ignore[arg-type]
    pursuit.set_minimizer("lbfsg")  # type: ignore[arg-type]
    pursuit.reset(method="papers")  # type: ignore[arg-type]
    flow = npw.SaddleFlow(None, problem, dynamics="flows")  # type: ignore[arg-type]
    flow.run_to("escapes")  # type: ignore[arg-type]
    flow.reset(dynamics="flows")  # type: ignore[arg-type]
    npw.NeuronPursuitRegressor(weight_decay="automatic")  # type: ignore[arg-type]
    npw.plots.study(None, "n", bars="error")  # type: ignore[arg-type]
