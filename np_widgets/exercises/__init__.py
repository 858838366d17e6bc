"""Exercises for a class: everyone has problems of her own, and every answer gets helpful feedback.

Each exercise is a pair of functions: one makes the problem from a student's name, one grades an answer made of
plain numbers. Nothing is kept but the name: the check makes the problem again, and works out what is right.
"""

from np_widgets.exercises.escapes import Escape, check_escape_time, escape_time
from np_widgets.exercises.grade import Grade
from np_widgets.exercises.layers import Saddle, check_growing_layer, growing_layer
from np_widgets.exercises.neurons import OwnNeuron, check_own_neuron, own_neuron
from np_widgets.exercises.paths import StuckPursuit, check_stuck_pursuit, stuck_pursuit
from np_widgets.exercises.prices import check_price_on_weights, price_on_weights
from np_widgets.exercises.teachers import ACTIVATIONS, check_secret_teacher, secret_teacher

__all__ = [
    "ACTIVATIONS",
    "Escape",
    "Grade",
    "OwnNeuron",
    "Saddle",
    "StuckPursuit",
    "check_escape_time",
    "check_growing_layer",
    "check_own_neuron",
    "check_price_on_weights",
    "check_secret_teacher",
    "check_stuck_pursuit",
    "escape_time",
    "growing_layer",
    "own_neuron",
    "price_on_weights",
    "secret_teacher",
    "stuck_pursuit",
]
