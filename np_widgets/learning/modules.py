"""Networks as torch modules, there and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from np_widgets.learning.activation import Activation, RectifiedPower

_ACCEPTED = "Linear layers with ReLU, LeakyReLU or Identity between them"


def module_of(weights: Sequence[Tensor], activation: Activation) -> nn.Sequential:
    """Linear layers without bias, and the activation between them."""
    layers: list[nn.Module] = []
    for weight in weights:
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device=weight.device, dtype=weight.dtype)
        with torch.no_grad():
            linear.weight.copy_(weight)
        layers += [linear, RectifiedPower(activation)]
    return nn.Sequential(*layers[:-1])


def weights_of(module: Any) -> tuple[list[Tensor], Activation]:
    """The weights and the activation of a module; with biases, of the network that has a constant input instead."""
    if not isinstance(module, nn.Sequential):
        raise TypeError(f"module must be a torch.nn.Sequential of {_ACCEPTED}, got {type(module).__name__}")
    layers = list(_flat(module))
    linear = [each for each in layers[::2] if isinstance(each, nn.Linear)]
    between = layers[1::2]
    if len(linear) < 2 or len(linear) + len(between) < len(layers) or len(layers) % 2 == 0:
        raise ValueError(f"module must be {_ACCEPTED}, got {', '.join(type(each).__name__ for each in layers)}")
    activations = [_activation(each) for each in between]
    if len(set(activations)) > 1:
        raise ValueError(f"module must have the same activation everywhere, got {', '.join(map(repr, between))}")
    weights = [each.weight.detach() for each in linear]
    if not any(bias is not None and bool(bias.any()) for bias in map(_bias, linear)):
        return weights, activations[0]
    wider = [_with_bias(each) for each in linear]
    # A neuron that sees the constant alone hands it on, because σ(1) = 1.
    return [*(nn.functional.pad(each, (0, 0, 0, 1)) + _corner(each) for each in wider[:-1]), wider[-1]], activations[0]


def _bias(linear: nn.Linear) -> Tensor | None:
    return linear.bias  # torch's types leave None out


def _with_bias(linear: nn.Linear) -> Tensor:
    weight, bias = linear.weight.detach(), _bias(linear)
    column = weight.new_zeros(len(weight)) if bias is None else bias.detach()
    return torch.cat([weight, column.unsqueeze(1)], dim=1)


def _corner(weight: Tensor) -> Tensor:
    corner = weight.new_zeros(weight.shape[0] + 1, weight.shape[1])
    corner[-1, -1] = 1
    return corner


def _flat(module: nn.Sequential) -> Iterator[nn.Module]:
    for each in module:
        if isinstance(each, nn.Sequential):
            yield from _flat(each)
        else:
            yield each


def _activation(module: nn.Module) -> Activation:
    if isinstance(module, RectifiedPower):
        return module.activation
    if isinstance(module, nn.ReLU):
        return Activation(1, 0.0)
    if isinstance(module, nn.LeakyReLU):
        return Activation(1, module.negative_slope)
    if isinstance(module, nn.Identity):
        return Activation(1, 1.0)
    raise TypeError(f"module must be {_ACCEPTED}, got a {type(module).__name__}")
