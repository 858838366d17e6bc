"""A flow on its way from saddle to saddle: what can be seen of it, and how it is stored and put back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.points import fitting
from np_widgets.learning.engine import Engine, Landmark, all_or_nothing
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.saddles import wording
from np_widgets.learning.saddles.frames import Awakening, Event, Prediction, SaddleFrame
from np_widgets.learning.saddles.ground import Ground
from np_widgets.learning.saddles.minimum import Stationarity
from np_widgets.learning.saddles.now import Now, require_fit
from np_widgets.learning.saddles.passage import Passage
from np_widgets.learning.saddles.record import SaddleRecord
from np_widgets.learning.saddles.recording import Sample
from np_widgets.learning.saddles.settings import SaddleSettings, Start, check_start, start_near
from np_widgets.problems import Problem


class Journey(Engine):
    """Near some ground, with some settings, ``now``: all else follows from these."""

    problem: Problem
    settings: SaddleSettings
    _given: Ground  # what it started near at first; a reset to another price leads to another one
    _activation: Activation
    _data: states.Fingerprint
    _ground: Ground
    _start: Start
    _passage: Passage
    _now: Now
    _kept: tuple[Now, tuple[Sample, ...]] | None  # the samples at some moment, with that of it

    @property
    def network(self) -> HomogeneousNetwork:
        """A copy of the current network, dormant neurons included."""
        return self._passage.network(self._now.point.y)

    @property
    def stationarity(self) -> Stationarity | None:
        """How far the active network is from a local minimum, and what was not looked at; None at the origin."""
        return self._ground.stationarity

    @property
    def time(self) -> float:
        """The time reached."""
        return self._now.point.time

    @property
    def loss(self) -> float:
        """The current training loss."""
        return self._samples[-1].loss

    @property
    def record(self) -> SaddleRecord:
        """What was measured over time."""
        return self._passage.recorder.record(self._samples)

    @property
    def prediction(self) -> Prediction | None:
        """What theory says of the escape from the saddle left last; None before that is computed."""
        return self._now.predictions[-1] if self._now.predictions else None

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """The same for each saddle so far."""
        return self._now.predictions

    @property
    def events(self) -> tuple[Event, ...]:
        """What has happened, in order."""
        return self._now.events

    @property
    def awakenings(self) -> tuple[Awakening, ...]:
        """What came of each escape whose next saddle is reached."""
        return self._now.awakenings

    @property
    def landmark(self) -> Landmark | None:
        """The last event; None before the first."""
        events = self._now.events
        return Landmark(len(events), events[-1].message) if events else None

    @property
    def finished(self) -> str | None:
        """Why nothing is left to do, as a sentence: mostly, that the goal is reached; else None."""
        return self._now.finished

    def __repr__(self) -> str:
        now = self._now
        reached = f"time={now.point.time:.5g}, loss={self.loss:.4g}"
        return f"{type(self).__name__}({self.problem.name!r}: {reached}{'' if now.finished is None else ', finished'})"

    def _advance(self) -> None:
        """A round of the search, some steps of an integrator, or a batch of gradient descent."""
        with torch.no_grad():
            self._now = self._passage.advance(self._now)

    def frame(self) -> SaddleFrame:
        """Where the flow stands."""
        now, settings = self._now, self.settings
        samples = self._samples
        message = wording.message(now, self._passage.saddle, samples[-1].loss, self.stationarity)
        warning = wording.warning(settings, samples)
        return SaddleFrame(
            phase=wording.phase(now),
            message=message if "this is no flow" in message else message + warning,
            progress=wording.progress(now, self._passage.saddle),
            classes=self.problem.loss.name == "cross_entropy",
            time=now.point.time,
            steps=now.point.steps,
            loss=self._samples[-1].loss,
            weights=tuple(self._start.layout.matrices(now.point.y)),
            active=now.place.active,
            started_active=tuple(int(flags.sum()) for flags in self._start.active),
            record=self._passage.recorder.record(samples),
            history=tuple(tuple(self._start.layout.matrices(sample.theta)) for sample in samples),
            predictions=now.predictions,
            events=now.events,
            awakenings=now.awakenings,
            origin=self._start.is_origin,
            power=self._activation.power,
            leak=self._activation.leak,
            scale=settings.scale,
            dormant=tuple(int((~flags).sum()) for flags in self._start.active),
            seed=settings.seed,
            dynamics=settings.dynamics,
            step_size=settings.step_size,
            weight_decay=settings.weight_decay,
            goal=now.goal,
            finished=now.finished,
        )

    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here."""
        own = {"ground": self._ground, "start": self._start.theta, "settings": self.settings, "now": self._now}
        return {"problem": self._data, "network": self._given.network, **own}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken.

        Raises
        ------
        TypeError, ValueError
            If the state is of other data or another network, or not sound; the message names the entry, and nothing has
            changed.
        """
        kinds = {"problem": states.Fingerprint, "network": HomogeneousNetwork | None, "ground": Ground}
        states.require("state", state, {**kinds, "start": np.ndarray, "settings": SaddleSettings, "now": Now})
        states.require_fingerprint(state["problem"], self.problem)
        if not _are_alike(state["network"], self._given.network):
            raise ValueError("state['network'] must be the network that this flow was given, got another one")
        ground, settings, now = state["ground"], state["settings"], state["now"]
        if ground.network is not None:
            fitting(ground.network, self.problem)
        start, passage = self._start, self._passage
        if settings is not self.settings or ground is not self._ground:
            start, passage = self._made(settings, ground)
        require_fit(now, start, state["start"])
        with torch.no_grad():
            if not passage.stands_at(now):
                passage = Passage(self.problem, start, settings)
                passage.arrive_at(now)
            passage.forget()
        vars(self).update(settings=settings, _ground=ground, _start=start, _passage=passage, _now=now, _kept=None)

    def __getstate__(self) -> dict[str, Any]:
        # What follows from the settings, and working memory, is made anew.
        own, anew = super().__getstate__(), ("_start", "_passage", "_now", "_ground")
        own = {name: each for name, each in own.items() if name not in anew}
        return {**own, "_kept": None, "state": self.settled_state()}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        state = kept.pop("state")
        vars(self).update(kept)
        self._begin(state["settings"], state["ground"])
        self.restore(state)

    @all_or_nothing
    def turn(self, layer: int, neuron: int, incoming: Any, outgoing: Any) -> None:
        """Start over with one dormant neuron turned to a direction; its norm stays as it was.

        Parameters
        ----------
        layer, neuron
            Which: layers count from 1, and neurons from 0, the active ones first.
        incoming, outgoing
            Its direction, by the weights from the inputs or active neurons below, and to the outputs or active neurons
            above.

        Raises
        ------
        TypeError, ValueError
            If there is no such dormant neuron, or the weights do not fit it.
        """
        new = layer, neuron, arguments.reals("incoming", incoming), arguments.reals("outgoing", outgoing)
        others = tuple(each for each in self.settings.turned if each[:2] != new[:2])
        self._begin(replace(self.settings, turned=(*others, new)), self._ground)

    def _begin(self, settings: SaddleSettings, ground: Ground) -> None:
        start, passage = self._made(settings, ground)
        with torch.no_grad():
            now = passage.begun()
        vars(self).update(settings=settings, _ground=ground, _start=start, _passage=passage, _now=now, _kept=None)

    def _made(self, settings: SaddleSettings, ground: Ground) -> tuple[Start, Passage]:
        start = start_near(ground.network, self.problem, self._activation, settings)
        check_start(start, settings, ground.curvature, ground.escape_norm)
        with torch.no_grad():
            return start, Passage(self.problem, start, settings)

    @property
    def _samples(self) -> tuple[Sample, ...]:
        """Those recorded, and one of the present."""
        now = self._now
        samples = now.series.samples
        if samples and samples[-1].time == now.point.time:
            return samples
        if self._kept is None or self._kept[0] is not now:
            with torch.no_grad():
                sample = self._passage.measure(now, now.point.time, now.point.y)
            self._kept = (now, (*samples, sample))
        return self._kept[1]


def _are_alike(first: HomogeneousNetwork | None, second: HomogeneousNetwork | None) -> bool:
    if first is second or first is None or second is None:
        return first is second
    pairs = zip(first.weights, second.weights, strict=False)
    return first.widths == second.widths and all(
        one.shape == other.shape and torch.allclose(one, other.to(one), rtol=1e-9, atol=0) for one, other in pairs
    )
