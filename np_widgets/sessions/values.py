"""Values of known kinds as text and tensors, and back: nothing in the text can name anything but these kinds."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.activation import Activation
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.growth import Finish, PursuitFrame
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.learning.saddles.ground import Ground
from np_widgets.learning.saddles.now import Now
from np_widgets.learning.saddles.settings import SaddleSettings
from np_widgets.problems import Problem
from np_widgets.problems.classes import checked_classes
from np_widgets.problems.display import Display
from np_widgets.problems.losses import LOSSES
from np_widgets.problems.standardization import Scaling
from np_widgets.sessions.code import is_recipe

_ROOTS = (PursuitFrame, SaddleFrame, Ground, Now, SaddleSettings, Finish, Display, Scaling, Activation)
_PLAIN = (bool, int, float, str, type(None))
Arrays = dict[str, NDArray[Any]]


@cache
def known() -> dict[str, Any]:
    """The classes that values may be of: the records that engines are made of, by their names."""
    found: dict[str, Any] = {}
    waiting: list[Any] = list(_ROOTS)
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and is_dataclass(kind):
            if kind.__name__ not in found:
                found[kind.__name__] = kind
                waiting += get_type_hints(kind).values()
        else:
            waiting += get_args(kind)
    return found


class Packer:
    """Writes values as a list of nodes, each a kind and what it holds; equal nodes and arrays are written once.

    What stands in a node is plain, or ``[index]`` of a node before it.
    """

    def __init__(self) -> None:
        self.nodes: list[str] = []
        self.arrays: Arrays = {}
        self._same: dict[str, list[int]] = {}  # nodes by their text
        self._done: dict[int, tuple[Any, list[int]]] = {}  # by identity; the value is held, so that it stays itself
        self._places: dict[Any, str] = {}

    def pack(self, value: Any) -> Any:
        """How to refer to a value; a TypeError if it is of no known kind."""
        if type(value) in _PLAIN:
            return value
        if id(value) in self._done:
            return self._done[id(value)][1]
        text = json.dumps(self._node(value))
        if text not in self._same:
            self._same[text] = [len(self.nodes)]
            self.nodes.append(text)
        self._done[id(value)] = value, self._same[text]
        return self._same[text]

    def _node(self, value: Any) -> list[Any]:
        if isinstance(value, (tuple, list)):
            return ["list" if isinstance(value, list) else "tuple", *map(self.pack, value)]
        if isinstance(value, dict):
            return ["dict", *([self.pack(key), self.pack(each)] for key, each in value.items())]
        if isinstance(value, torch.Tensor):
            return ["tensor", self._stored(value.detach().cpu().numpy())]
        if isinstance(value, np.ndarray) and value.dtype.names:
            return ["columns", *([name, self._stored(value[name])] for name in value.dtype.names)]
        if isinstance(value, np.ndarray):
            return ["array", self._stored(value)]
        if isinstance(value, np.generic):
            return ["number", self._stored(np.asarray(value))]
        if isinstance(value, torch.dtype):
            return ["dtype", str(value).removeprefix("torch.")]
        if isinstance(value, Problem):
            return ["Problem", self.pack(_facts(value))]
        if isinstance(value, HomogeneousNetwork):
            return ["network", self.pack((tuple(value.weights), value.power, value.leak))]
        name = type(value).__name__
        if known().get(name) is not type(value):
            raise TypeError(f"a session that holds a {name} cannot be saved: {value!r}")
        return [name, *(self.pack(getattr(value, each.name)) for each in fields(known()[name]))]

    def _stored(self, array: NDArray[Any]) -> str:
        place = array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str
        if place not in self._places:
            self._places[place] = name = str(len(self.arrays))
            # The original is held with the copy: a place in memory says nothing once it is free.
            self._done[-1 - len(self.arrays)] = array, []
            self.arrays[name] = np.ascontiguousarray(array).reshape(array.shape)
        return self._places[place]


def unpacked(nodes: Any, arrays: Arrays) -> Any:
    """The value of the last node.

    Raises
    ------
    Exception
        Of many kinds, if these are not what a :class:`Packer` has written.
    """
    made: list[Any] = []

    def get(reference: Any) -> Any:
        if type(reference) in _PLAIN:
            return reference
        (index,) = reference
        if type(index) is not int or not 0 <= index < len(made):
            raise ValueError(f"node {len(made)} refers to node {index!r}")
        return made[index]

    for kind, *inside in nodes:
        made.append(_made(kind, inside, arrays, get))
    return made[-1]


def _made(kind: Any, inside: list[Any], arrays: Arrays, get: Any) -> Any:
    if kind in ("tuple", "list"):
        return (tuple if kind == "tuple" else list)(map(get, inside))
    if kind == "dict":
        return {get(key): get(each) for key, each in inside}
    if kind == "columns":
        columns = [(name, arrays[each]) for name, each in inside]
        table = np.empty(len(columns[0][1]), [(name, column.dtype) for name, column in columns])
        for name, column in columns:
            table[name] = column
        return table
    if kind == "dtype":
        return {"float32": torch.float32, "float64": torch.float64, "int64": torch.int64}[inside[0]]
    if kind == "Problem":
        return _problem(get(inside[0]))
    if kind == "network":
        weights, power, leak = get(inside[0])
        return HomogeneousNetwork(weights, power=power, leak=leak)
    if kind in ("tensor", "array", "number"):
        array = arrays[inside[0]]
        return array if kind == "array" else torch.from_numpy(array) if kind == "tensor" else array[()]
    cls = known()[kind]
    names = [each.name for each in fields(cls)]
    return cls(**dict(zip(names, map(get, inside), strict=True)))


def _facts(problem: Problem) -> dict[str, Any]:
    if type(LOSSES.get(problem.loss.name)) is not type(problem.loss):
        raise TypeError(f"a session with a loss of one's own cannot be saved: {problem.loss!r}")
    test = (problem.test_inputs, problem.test_targets, problem.test_sample_weight)
    validation = (problem.validation_inputs, problem.validation_targets, problem.validation_sample_weight)
    return {
        "inputs": problem.inputs,
        "targets": problem.targets,
        "loss": problem.loss.name,
        "test": None if test[0] is None else test,
        "sample_weight": problem.sample_weight,
        "classes": problem.classes,
        "name": problem.name,
        "display": problem.display,
        "input_names": problem.input_names,
        "output_names": problem.output_names,
        "dtype": problem.dtype,
        "recipe": problem.recipe,
        "validation": None if validation[0] is None else validation,
        "scaling": problem.scaling,
    }


def _problem(facts: dict[str, Any]) -> Problem:
    recipe, validation, scaling = (facts.pop(name, None) for name in ("recipe", "validation", "scaling"))
    if not isinstance(recipe, (str, type(None))):
        raise TypeError(f"the recipe of a problem must be text, got {recipe!r}")
    classes = facts.pop("classes")  # of the targets there are the codes
    classes = None if classes is None else checked_classes(classes)
    problem = Problem(**facts, classes=None if classes is None else len(classes))
    if validation is not None:
        problem = problem.with_validation(validation)
    # It would be pasted into a notebook: only what the ready-made problems write.
    recipe = recipe if recipe is not None and is_recipe(recipe) else None
    problem = problem.changed(classes=classes, scaling=scaling, recipe=recipe)
    if scaling is not None:
        zeros = torch.zeros(1, scaling.inputs.columns, dtype=problem.dtype, device="cpu")
        if problem.transform(zeros).shape[1] != problem.input_size:
            raise ValueError("the scaling of a problem must be of its inputs")
    return problem
