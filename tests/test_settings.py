"""One list of settings: whoever spells them spells these, with these defaults."""

from __future__ import annotations

import inspect
from dataclasses import fields

import np_widgets as npw
from np_widgets.learning.pursuit.settings import PursuitSettings

FIELDS = {field.name: field.default for field in fields(PursuitSettings)}


def spelled(function, *others):
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.name not in {"self", *others}}


def test_a_pursuit_takes_all_settings():
    assert spelled(npw.NeuronPursuit.__init__, "problem", "device", "dtype", "network", "validation") == FIELDS


def test_an_ensemble_takes_all_that_a_pursuit_takes_with_the_same_defaults():
    own = ("problems_or_seeds", "problem", "callback", "executor", "checkpoint", "threads", "progress")
    assert spelled(npw.pursue_many, *own) == spelled(npw.NeuronPursuit.__init__, "problem")


def test_a_reset_keeps_every_setting_that_it_does_not_change():
    names = spelled(npw.NeuronPursuit.reset)
    assert names.keys() < FIELDS.keys()
    assert set(names.values()) == {None}
    problem = npw.problems.kumar_haupt(samples=30, seed=0)
    pursuit = npw.NeuronPursuit(problem, starts=7, scale=0.1, seed=5, leak=0.1, weight_decay=0.2)
    before = vars(pursuit.settings).copy()
    pursuit.reset(seed=0, power=2)
    assert vars(pursuit.settings) == before | {"seed": 0, "power": 2}
    pursuit.reset(leak=0.0, method="paper")
    assert vars(pursuit.settings) == before | {"seed": 0, "power": 2, "leak": 0.0, "method": "paper"}
