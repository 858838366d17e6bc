"""Several pursuits in lockstep: all search, then all look ahead, then all minimize."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.balance import balanced
from np_widgets.learning.columns import forward
from np_widgets.learning.correlation.paths import counts_unseen
from np_widgets.learning.ensemble.batch import Data, unpadded
from np_widgets.learning.ensemble.candidates import Candidates, scales_of_rays
from np_widgets.learning.ensemble.growing import candidates_at_origin, candidates_of_neurons
from np_widgets.learning.ensemble.levenberg_marquardt import BatchLevenbergMarquardt
from np_widgets.learning.ensemble.member import Member
from np_widgets.learning.growth import Candidate
from np_widgets.learning.minimizers.choice import STEP_BUDGETS, brief_rule
from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.network import HomogeneousNetwork, padded
from np_widgets.learning.settings import PursuitSettings
from np_widgets.learning.side_by_side import STEPS, SideBySide
from np_widgets.problems import Problem
from np_widgets.problems.losses import SquareLoss

_NEARLY_FITTED = 1e-2  # of the loss, in units in which the targets are of size one


class Lockstep:
    """Pursuits of problems of one shape, as one batch.

    Parameters
    ----------
    problems
        Of as many samples, inputs and outputs, with the same loss, on one device and in one precision.
    seeds
        One for each.
    settings
        Of all.

    Attributes
    ----------
    members
        One for each problem.
    """

    def __init__(self, problems: Sequence[Problem], seeds: Sequence[int], settings: PursuitSettings) -> None:
        self._settings = settings
        self._activation = Activation(settings.power, settings.leak)
        self.members = [Member(problem, seed, settings) for problem, seed in zip(problems, seeds, strict=True)]
        loss, outputs = problems[0].loss, problems[0].output_size
        self._data = Data(
            torch.stack([problem.inputs.T for problem in problems]),
            torch.stack([problem.targets for problem in problems]),
            outputs,
            loss,
        )
        units = [member.units for member in self.members]
        self._scaled_data = Data(
            torch.stack([each.inputs.T.float() for each in units]),
            torch.stack([_single(each.targets) for each in units]),
            outputs,
            loss,
        )
        layers = settings.hidden_layers + 1
        self._factors = self._data.inputs.new_tensor([each.factors(layers) for each in units])

    @property
    def finished(self) -> bool:
        """Whether all pursuits have come to their ends."""
        return all(member.finished is not None for member in self.members)

    def advance(self) -> None:
        """One network more for each pursuit that goes on."""
        under_way = [index for index, member in enumerate(self.members) if member.finished is None]
        found = self._search(under_way)
        factors = list(self._factors[under_way].unbind(dim=1))
        scaled, scaled_data = found.multiplied(factors), self._scaled_data.of(under_way)
        scales, usable = scales_of_rays(scaled, scaled_data, self._activation)
        kept = usable.any(dim=1)
        for place in (~kept).nonzero().flatten().tolist():
            self.members[under_way[place]].go_on_alone()
        if not bool(kept.any()):
            return
        if not bool(kept.all()):
            places = kept.nonzero().flatten().tolist()
            under_way, found, scaled = [under_way[place] for place in places], found.part(places), scaled.part(places)
            scaled_data, scales, usable = scaled_data.of(places), scales[kept], usable[kept]
            factors = [each[kept] for each in factors]
        members = [self.members[index] for index in under_way]
        ahead = SideBySide(
            balanced([each.float() for each in scaled.at(scales)], self._settings.power),
            scaled_data.inputs.mT,
            scaled_data.targets,
            scaled_data.loss,
            self._activation,
            usable,
            target_losses=scales.new_tensor([each.target_loss / each.units.loss_size for each in members]).float(),
        )
        ahead.advance(STEPS)
        for place, index in enumerate(under_way):
            self._tell(self.members[index], ahead, place)
        weights = [
            each.to(factor) / factor.reshape(-1, 1, 1) for each, factor in zip(ahead.best_weights, factors, strict=True)
        ]
        rows = torch.arange(len(under_way), device=ahead.best.device)
        first = [each[rows, ahead.best] for each in found.at(scales)]
        self._minimize(under_way, first, weights, found.part(rows, ahead.best), ahead.steps_of_groups.tolist())

    def _tell(self, member: Member, ahead: SideBySide, place: int) -> None:
        """What the look-ahead found out, candidate by candidate; the networks stand in the candidates' order."""
        parts = (ahead.left_losses[place], ahead.left_penalties[place])
        losses, penalties = ((part.double() * member.units.loss_size).tolist() for part in parts)
        tried = ahead.usable[place].tolist()
        member.took(
            int(ahead.best[place]),
            {index: left for index, left in enumerate(zip(losses, penalties, strict=True)) if tried[index]},
        )

    def _search(self, under_way: Sequence[int]) -> Candidates:
        """Of those members; they keep what was found."""
        settings, data = self._settings, self._data.of(under_way)
        members = [self.members[index] for index in under_way]
        seeds = [member.next_seed for member in members]
        networks = [member.network for member in members if member.network is not None]
        maxima: Sequence[tuple[float, ...] | None] = [None] * len(members)
        if networks:
            found, maxima = candidates_of_neurons(networks, data, settings.starts, seeds, settings.value_tolerance)
        else:
            found = candidates_at_origin(
                data, self._activation, settings.hidden_layers, settings.starts, seeds, settings.value_tolerance
            )
        columns = (found.layers.tolist(), found.values.tolist(), found.residuals.tolist())
        for member, layers, values, residuals, most in zip(members, *columns, maxima, strict=True):
            candidates = [
                Candidate(
                    layer, value, residual, unseen=self._counts_unseen(layer), last=layer or settings.hidden_layers
                )
                for layer, value, residual in zip(layers, values, residuals, strict=True)
                if value > 0
            ]
            member.found(tuple(candidates), most)
        return found

    def _counts_unseen(self, layer: int) -> bool:
        return layer > 0 and counts_unseen(self._activation, layer, self._settings.hidden_layers)

    def _minimize(
        self,
        under_way: Sequence[int],
        first: Sequence[Tensor],
        ahead: Sequence[Tensor],
        chosen: Candidates,
        steps_ahead: Sequence[int],
    ) -> None:
        """Go on from the networks that are ahead, or where they started from if that is lower."""
        members, data = [self.members[index] for index in under_way], self._data.of(under_way)
        layers = chosen.layers.tolist()
        widths = [
            _grown(member.network, layer, self._settings.hidden_layers)
            for member, layer in zip(members, layers, strict=True)
        ]
        outputs = [forward(each, data.inputs, self._activation).output for each in (first, ahead)]
        losses = [data.loss.value(output, data.targets) for output in outputs]
        lower = (losses[1] < losses[0]).reshape(-1, 1, 1)
        starts = [torch.where(lower, after, before) for before, after in zip(first, ahead, strict=True)]
        networks = unpadded(balanced(starts, self._settings.power), widths, self._activation)
        steps = list(steps_ahead)
        largest = max(network.parameter_count for network in networks)
        in_batch = LevenbergMarquardt.suits(members[0].problem, largest)
        if in_batch:
            networks, more = self._levenberg_marquardt(members, networks, data)
            steps = [before + each for before, each in zip(steps, more, strict=True)]
        values = chosen.values.tolist()
        for member, network, layer, value, taken in zip(members, networks, layers, values, steps, strict=True):
            alone = 0
            if in_batch and not self._is_nearly_fitted(member, network):
                end = network.balanced()
            else:
                end, alone = member.settled(network)
            # Where next to nothing is left, single precision cannot tell a ray that leads down from one that does not.
            if member.loss_of(end) > member.loss:
                member.go_on_alone()
            else:
                member.trained(end, layer, layer or self._settings.hidden_layers, value, taken + alone)

    def _levenberg_marquardt(
        self, members: Sequence[Member], networks: Sequence[HomogeneousNetwork], data: Data
    ) -> tuple[list[HomogeneousNetwork], list[int]]:
        weights = padded(networks)
        shapes = [(each.shape[1], each.shape[2]) for each in weights]
        name = LevenbergMarquardt.name
        rule = brief_rule(name, self._activation)
        assert rule is not None
        targets = data.inputs.new_tensor([member.target_loss for member in members])
        minimizer = BatchLevenbergMarquardt(data, shapes, self._activation, rule, STEP_BUDGETS[name], targets)
        found = minimizer.minimize(weights)
        return unpadded(found.weights, [network.widths for network in networks], self._activation), found.steps.tolist()

    def _is_nearly_fitted(self, member: Member, network: HomogeneousNetwork) -> bool:
        """Whether Levenberg–Marquardt may have been held up by kinks on the way to a perfect fit."""
        if not self._activation.has_kink or member.problem.loss.name != SquareLoss.name:
            return False
        return member.target_loss < member.loss_of(network) < _NEARLY_FITTED * member.units.loss_size


def _single(targets: Tensor) -> Tensor:
    return targets.float() if targets.dtype.is_floating_point else targets


def _grown(network: HomogeneousNetwork | None, layer: int, hidden_layers: int) -> tuple[int, ...]:
    """The hidden widths with one neuron more; one in every layer for the first network."""
    if network is None:
        return (1,) * hidden_layers
    return tuple(width + (index == layer) for index, width in enumerate(network.widths, start=1))
