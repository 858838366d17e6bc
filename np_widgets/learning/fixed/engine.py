"""A network of fixed widths, trained from random weights: what a pursuit is compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import torch

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.arrays import copies
from np_widgets.learning.blocks import mean_loss
from np_widgets.learning.driving import drive, require_way
from np_widgets.learning.engine import Engine, all_or_nothing
from np_widgets.learning.fixed.settings import FixedSettings, random_network, shapes
from np_widgets.learning.minimizers.descent import DIVERGED, Descent, Means
from np_widgets.learning.minimizers.minibatch_adam import MinibatchAdam
from np_widgets.learning.minimizers.minimizer import TARGET_MET
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.predicting import Predicts
from np_widgets.learning.pursuit.growth import Finish, GrowthRecord, PursuitFrame
from np_widgets.learning.pursuit.rules import target_in_force
from np_widgets.learning.trace import Trace
from np_widgets.learning.units import require_representable
from np_widgets.problems import Problem

_ENTRIES = {
    "problem": states.Fingerprint,
    "settings": dict[str, Any],
    "finished": Finish | None,
    "trace": dict[str, Any],
    "descent": dict[str, Any],
}


class FixedNetwork(Predicts, Engine):
    """A network whose widths stay as they are, trained from random weights by one minimizer.

    Parameters
    ----------
    problem
        What is learned.
    widths
        The hidden widths, at least one.
    initialization
        ``"standard"``: normal weights of variance ``2 / ((1 + α²) k_{l-1})``, as He et al. (arXiv 1502.01852, section
        2.2) derive for p = 1; ``"small"``: those times ``scale``, from where descent goes from saddle to saddle.
    power, leak
        p and α of the activation ``σ(z) = max(z, αz)^p``.
    scale
        By which the weights of ``"small"`` are multiplied.
    seed
        Of the weights, and of the order of mini-batches.
    minimizer
        ``"gradient_descent"``, ``"adam"``, ``"lbfgs"``, ``"levenberg_marquardt"``, ``"hybrid"`` or
        ``"minibatch_adam"``: those of :class:`~np_widgets.learning.pursuit.engine.NeuronPursuit`.
    learning_rate, batch_size
        Of the minimizers that have them; None for their own (0.02 for gradient descent).
    weight_decay
        λ: what is lowered is ``𝓛 + ½λ‖W‖²``.
    target_loss
        The training ends when the training loss is at most this; None for 1e-9 times that of the output zero.
    max_steps
        The training ends after so many steps; None for the minimizer's usual budget (30,000 for gradient descent).
    device, dtype
        Where and in which precision everything is computed; the problem's precision if ``dtype`` is None.

    Attributes
    ----------
    problem, settings, target_loss
        The problem, on ``device`` and in ``dtype``; the settings in force; the training loss to reach.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range; the message names it.
    """

    settings: FixedSettings
    target_loss: float
    _finished: Finish | None
    _trace: Trace
    _descent: Descent

    def __init__(
        self,
        problem: Problem,
        widths: int | Sequence[int],
        initialization: str = "standard",
        *,
        power: int = 1,
        leak: float = 0.0,
        scale: float = 0.03,
        seed: int = 0,
        minimizer: str = "gradient_descent",
        learning_rate: float | None = None,
        batch_size: int | None = None,
        weight_decay: float = 0.0,
        target_loss: float | None = None,
        max_steps: int | None = None,
        device: Any = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        values = locals()
        if not isinstance(problem, Problem):
            raise TypeError(f"problem must be a Problem, got {type(problem).__name__}")
        settings = FixedSettings(**{each.name: values[each.name] for each in fields(FixedSettings)})
        self.problem = problem.to(device=device, dtype=dtype)
        self._data = states.fingerprint(self.problem)
        vars(self).update(self._beginning(settings))

    # what can be read

    @property
    def network(self) -> HomogeneousNetwork:
        """A copy of the network as it stands."""
        return self._descent.network.copy()

    @property
    def objective(self) -> float:
        """The training loss and the price of the weights, ``𝓛 + ½λ‖W‖²``."""
        return self._descent.minimizer.loss

    @property
    def loss(self) -> float:
        """The training loss."""
        return self._descent.loss

    @property
    def test_loss(self) -> float | None:
        """The test loss; None without a test set."""
        inputs, goals = self.problem.test_inputs, self.problem.test_goals
        if inputs is None or goals is None:
            return None
        with torch.no_grad():
            return mean_loss(self.network, inputs, goals, self.problem.criterion)

    @property
    def finished(self) -> Finish | None:
        """Why the training has stopped, or None."""
        return self._finished

    # what can be done

    def run(
        self,
        *,
        progress: bool = False,
        callback: Callable[[PursuitFrame], None] | None = None,
        torch_threads: int | None = 1,
    ) -> Finish | None:
        """Train until there is a reason to stop, and return it; None after Ctrl-C.

        ``progress`` shows a text progress bar, ``callback`` is called with a frame after every quantum, and torch uses
        ``torch_threads`` inside one operation (None: its own setting). A ``RuntimeError`` if a session drives it.
        """
        self.require_free("be run")
        require_way(progress, callback, torch_threads)
        drive(self, progress=progress, callback=callback, torch_threads=torch_threads)
        return self._finished

    @all_or_nothing
    def set_minimizer(self, minimizer: str) -> None:
        """Go on from here with a minimizer, another or the same anew, and with its whole budget of steps."""
        batch_size = self.settings.batch_size if minimizer == MinibatchAdam.name else None
        settings = replace(self.settings, minimizer=minimizer, batch_size=batch_size)
        self._descent.change(self._means(settings))
        self.settings, self._finished = settings, None

    @all_or_nothing
    def reset(self, **changes: Any) -> None:
        """Start over, with some of the settings changed, such as ``seed=1``."""
        for name in changes:
            arguments.choice("a setting", name, [each.name for each in fields(FixedSettings)])
        vars(self).update(self._beginning(replace(self.settings, **changes)))

    # the engine

    def _advance(self) -> None:
        descent = self._descent
        descent.advance()
        if descent.stopped is None and self.loss <= self.target_loss:  # which is one of the loss without its price
            descent.end(TARGET_MET)
        if descent.stopped is not None:
            self._finished = self._ending(descent.stopped)
        self._trace.add(descent.steps, self.loss, lasting=self._finished is not None)

    def _ending(self, reason: str) -> Finish:
        """Why the training ends here."""
        minimizer, loss = self._descent.minimizer, self.loss
        norm = minimizer.gradient_norm
        if reason == TARGET_MET or loss <= self.target_loss:
            message = f"Training loss {loss:.3g} is at or below the target of {self.target_loss:.3g}."
            return Finish("target", message, "A smaller target_loss goes further.", None, norm)
        if minimizer.finished is None:
            message = f"The budget of {self._descent.own_budget:,} steps is used up at a loss of {loss:.3g}."
            return Finish("steps", message, "A larger max_steps goes further, and so does set_minimizer.", None, norm)
        message = f"{minimizer.title[0].upper()}{minimizer.title[1:]}: {reason}."
        if reason.startswith(DIVERGED):
            return Finish("diverged", message, "Try a smaller learning_rate.", None, norm)
        return Finish("minimum", message, "Another minimizer, or wider layers, may go further.", None, norm)

    def frame(self) -> PursuitFrame:
        """Where the training stands: the frame of a pursuit of one network."""
        settings, finished, descent = self.settings, self._finished, self._descent
        steps, losses = self._trace.arrays()
        loss, test_loss = self.loss, self.test_loss
        now = f"{descent.minimizer.activity}, loss {losses[0]:.3g} → {loss:.3g} at step {descent.steps:,}."
        message = now if descent.steps else "Ready: nothing has been computed yet."
        record = GrowthRecord(settings.widths, 0, 0.0, (), loss, test_loss, 0, descent.steps, str(finished))
        return PursuitFrame(
            phase="finished" if finished else "minimizing" if descent.steps else "ready",
            iteration=1,
            message=str(finished) if finished else message,
            progress=1.0 if finished else (descent.steps - descent.budget_from) / descent.own_budget,
            weights=copies(descent.network.weights),
            power=settings.power,
            leak=settings.leak,
            added=(),
            loss=loss,
            objective=self.objective,
            test_loss=test_loss,
            step=descent.steps,
            total_steps=descent.steps,
            trace_steps=steps,
            trace_losses=losses,
            growth=(record,) if finished else (),
            candidates=(),
            finished=finished,
            hidden_layers=len(settings.widths),
            classes=self.problem.loss.name == "cross_entropy",
            seed=settings.seed,
            method=settings.method,
            target_loss=self.target_loss,
            minimizer=settings.minimizer,
        )

    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here."""
        return {
            "problem": self._data,
            "settings": dict(vars(self.settings)),
            "finished": self._finished,
            "trace": self._trace.state(),
            "descent": self._descent.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken; of a state that is not sound nothing is taken over."""
        states.require("state", state, _ENTRIES)
        states.require_fingerprint(state["problem"], self.problem)
        states.require("state['settings']", state["settings"], {each.name: Any for each in fields(FixedSettings)})
        settings, trace = FixedSettings(**state["settings"]), Trace()
        saved, wanted = state["descent"].get("minimizer"), sum(map(math.prod, shapes(self.problem, settings)))
        theta = saved.get("theta") if isinstance(saved, dict) else None
        if not isinstance(theta, torch.Tensor) or theta.numel() != wanted:  # before so much memory is taken
            raise ValueError(f"state['descent'] must hold {wanted:,} weights for widths {settings.widths}")
        trace.restore(state["trace"])
        own = self._beginning(settings)
        with torch.no_grad():
            own["_descent"].restore("state['descent']", state["descent"])
        vars(self).update({**own, "_finished": state["finished"], "_trace": trace})

    def __getstate__(self) -> dict[str, Any]:
        # Working memory is made anew.
        return {**super().__getstate__(), "_descent": None, "state": self.settled_state()}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        state = kept.pop("state")
        vars(self).update(kept)
        self.restore(state)

    # inside

    def _beginning(self, settings: FixedSettings) -> dict[str, Any]:
        """What an engine of these settings has before its first step, beside the problem."""
        require_representable(self.problem, settings.power, len(settings.widths))
        means = self._means(settings)
        with torch.no_grad():
            descent, trace = Descent(self.problem, random_network(self.problem, settings), means), Trace()
        trace.add(0, descent.loss, lasting=True)
        own = {"_finished": None, "_trace": trace, "_descent": descent}
        return {"settings": settings, "target_loss": means.target_loss, **own}

    def _means(self, settings: FixedSettings) -> Means:
        target = target_in_force(self.problem, settings.target_loss)
        return Means.of(settings, target, settings.seed)._replace(renewed=True)
