"""Neuron Pursuit: searches and trainings in turn, and everything that they are made of."""
