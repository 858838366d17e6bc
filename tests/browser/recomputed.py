"""What pointers read of networks and flows, computed again from their weights and data."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

_PLAIN = str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789", ",")
_INDEX = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
NUMBER = r"(−?(?:[\d.,]*\d)?(?:×?10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?)"


def agree(read: str, expected: float) -> None:
    """Three digits are written."""
    plain = read.translate(_PLAIN)
    plain = plain.replace("×10", "e") if "×" in plain else re.sub(r"^(-?)10(?=-)", r"\g<1>1e", plain)
    assert np.isclose(float(plain), expected, rtol=6e-3, atol=1e-12), f"{read} is not {expected}"


def kumar_haupt(x: np.ndarray) -> float:
    """The example of the paper."""
    a, b, c, d = x[:4]
    return 2 * max(max(2 * a + c, 0) - max(c - b, 0), 0) - max(max(2 * b + d, 0) + max(d + c, 0), 0)


class Network:
    """A ReLU network; ``kinds`` are what can be read of what led to it, each with what computes that again."""

    def __init__(self, weights: Any) -> None:
        self.weights = [np.array(weight, dtype=float) for weight in weights]

    kinds: dict[str, tuple[str, Callable[..., object]]]

    def kind(self, words: str) -> str:
        """What kind of thing is read."""
        (kind,) = (kind for kind, (pattern, _) in self.kinds.items() if re.fullmatch(pattern, words))
        return kind

    def check(self, words: str) -> None:
        """Compute again what is read."""
        pattern, computed = self.kinds[self.kind(words)]
        found = re.fullmatch(pattern, words)
        assert found is not None
        computed(*found.groups())

    def layers(self, x: Any) -> list[np.ndarray]:
        """The inputs, what each hidden layer makes of them, and the outputs."""
        found = [np.array(x, dtype=float)]
        for weight in self.weights[:-1]:
            found.append(np.maximum(found[-1] @ weight.T, 0))
        return [*found, found[-1] @ self.weights[-1].T]

    def loss(self, data: Any) -> float:
        """The mean of half the squared errors."""
        x, y = (np.array(each, dtype=float) for each in data)
        return float(0.5 * np.square(self.layers(x)[-1] - y).sum(axis=1).mean())

    def place(self, name: str) -> tuple[int, int]:
        """The layer and index of an input, a neuron or the output."""
        if found := re.fullmatch(r"neuron (\d+) of layer (\d+)", name):
            return int(found[2]), int(found[1]) - 1
        if name == "y":
            return len(self.weights), 0
        return 0, int(name.removeprefix("x").translate(_INDEX)) - 1

    def weight(self, value: str, low: str, high: str) -> None:
        (below, fro), (above, to) = self.place(low), self.place(high)
        assert above == below + 1
        agree(value, self.weights[below][to, fro])


class Pursuit(Network):
    """A pursuit that has ended."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told["weights"])
        self.told, self.data = told, told["data"]
        self.networks = [Network(weights) for weights in told["networks"]]
        signal = rf"signal {NUMBER} × answer {NUMBER} = {NUMBER}"
        stair = r"network (\d+) \(([\d, ]+)\), step ([\d,]+)"
        self.kinds = {
            "weight": (rf"weight {NUMBER}, from (.+) to (.+)", self.weight),
            "end": (r"(x[₀-₉]+|y)", self.place),
            "neuron": (
                r"(neuron \d+ of layer \d+): norm in "
                rf"{NUMBER}, out {NUMBER}, active on ([\d.]+)% of the samples, since network (\d+)",
                self._neuron,
            ),
            "loss": (rf"{stair}: loss {NUMBER}", self._stair),
            "test loss": (rf"{stair}: test loss {NUMBER}", self._tested),
            "addition": (
                r"network (\d+): 1 neuron more in layer (\d+), after ([\d,]+) steps",
                self._addition,
            ),
            "best": (rf"lowest test loss {NUMBER}, at widths \(([\d, ]+)\)", self._best),
            "candidate": (
                rf"layer (\d+): (KKT point|unconverged), N = {NUMBER}, residual {NUMBER}(?:, look-ahead {NUMBER})?",
                self._candidate,
            ),
            "signal": (rf"sample (\d+): {signal}", self._signal),
            "vertex": (rf"vertex \(([+−]+)\): learned {NUMBER}, true {NUMBER}", self._vertex),
            "point": (rf"x₁ = {NUMBER}: learned {NUMBER}, true {NUMBER}", self._point),
            "datum": (rf"sample (\d+): x₁ = {NUMBER}, target {NUMBER}", self._datum),
            "sample": (rf"sample (\d+): target {NUMBER}", lambda *read: self._sample("data", *read)),
            "test sample": (rf"test sample (\d+): target {NUMBER}", lambda *read: self._sample("test", *read)),
        }

    def _neuron(self, name: str, into: str, out: str, share: str, since: str) -> None:
        layer, index = self.place(name)
        agree(into, float(np.linalg.norm(self.weights[layer - 1][index])))
        agree(out, float(np.linalg.norm(self.weights[layer][:, index])))
        z = self.layers(self.data[0])[layer - 1] @ self.weights[layer - 1][index]
        assert abs(float(share) / 100 - (z > 0).mean()) < 0.0051
        widths = [network.weights[layer - 1].shape[0] for network in self.networks]
        assert int(since) == next(number for number, width in enumerate(widths, 1) if width > index)

    def _of(self, number: str, widths: str) -> Network:
        network = self.networks[int(number) - 1]
        assert [int(width) for width in widths.split(",")] == [len(weight) for weight in network.weights[:-1]]
        return network

    def _stair(self, number: str, widths: str, step: str, loss: str) -> None:
        network, at = self._of(number, widths), int(step.replace(",", ""))
        first, steps = self.told["steps"][int(number) - 1]
        assert first <= at <= first + steps
        if at == first + steps:
            agree(loss, network.loss(self.data))
        else:
            recorded = [value for where, value in zip(*self.told["trace"], strict=True) if where == at]
            assert any(_agrees(loss, value) for value in recorded)

    def _tested(self, number: str, widths: str, step: str, loss: str) -> None:
        assert int(step.replace(",", "")) == sum(self.told["steps"][int(number) - 1])
        agree(loss, self._of(number, widths).loss(self.told["test"]))

    def _addition(self, number: str, layer: str, step: str) -> None:
        before, after = (self.networks[int(number) - back].weights[int(layer) - 1] for back in (2, 1))
        assert len(after) == len(before) + 1
        assert int(step.replace(",", "")) == self.told["steps"][int(number) - 1][0]

    def _best(self, loss: str, widths: str) -> None:
        losses = [network.loss(self.told["test"]) for network in self.networks]
        agree(loss, min(losses))
        self._of(str(int(np.argmin(losses)) + 1), widths)

    def _candidate(self, layer: str, kind: str, value: str, residual: str, loss: str | None) -> None:
        found = [each for each in self.told["candidates"] if each["layer"] == int(layer)]
        found = [each for each in found if _agrees(value, each["ncf"]) and _agrees(residual, each["residual"])]
        assert any(loss is None if each["loss"] is None else _agrees(loss or "", each["loss"]) for each in found)
        assert all((each["residual"] <= 1e-6) == (kind == "KKT point") for each in found)

    def _signal(self, sample: str, signal: str, answer: str, product: str) -> None:
        taken = self.told["candidates"][self.told["taken"]]
        below = Network(taken["network"]).layers(self.data[0])[taken["layer"] - 1][int(sample) - 1]
        agree(answer, max(float(below @ np.array(taken["incoming"])), 0.0))
        numbers = [float(each.translate(_PLAIN).replace("×10", "e")) for each in (signal, answer, product)]
        assert np.isclose(numbers[0] * numbers[1], numbers[2], rtol=1.5e-2, atol=1e-12)

    def _vertex(self, signs: str, learned: str, true: str) -> None:
        x = np.array([1.0 if sign == "+" else -1.0 for sign in signs])
        agree(learned, self.layers(x)[-1][0])
        agree(true, kumar_haupt(x))

    def _point(self, place: str, learned: str, true: str) -> None:
        x = float(place.translate(_PLAIN))  # of three digits
        around = self.layers([[x + shift, 1.0] for shift in (-6e-3, 0.0, 6e-3)])[-1]
        slack = 1e-2 * (1 + np.abs(around).max())
        assert around.min() - slack <= float(learned.translate(_PLAIN).replace("×10", "e")) <= around.max() + slack
        assert abs(float(true.translate(_PLAIN).replace("×10", "e")) - np.sin(np.pi * x)) < 3e-2

    def _datum(self, sample: str, place: str, target: str) -> None:
        agree(place, self.data[0][int(sample) - 1][0])
        self._sample("data", sample, target)

    def _sample(self, of: str, sample: str, target: str) -> None:
        agree(target, self.told[of][1][int(sample) - 1][0])


class Flow(Network):
    """A saddle flow from the origin to the next saddle."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told, self.data = told, told["data"]
        self.times, self.history = told["time"], [Network(weights) for weights in told["history"]]
        super().__init__(told["history"][-1])
        neuron, time = r"neuron (\d+) of layer (\d+)", rf"[Tt]ime {NUMBER}"
        self.kinds = {
            "weight": (rf"weight {NUMBER}, from (.+) to (.+)", self.weight),
            "norm": (rf"{time}: dormant weights {NUMBER}", self._norm),
            "loss": (rf"{time}: loss {NUMBER}", self._loss),
            "cosine": (rf"{time}: {neuron}, cosine {NUMBER}", self._cosine),
            "aligned": (
                rf"At {time} the largest dormant neuron \({neuron}\) .*: cosine {NUMBER}\.",
                self._cosine,
            ),
            "predicted escape": (rf"predicted escape at time {NUMBER}", lambda time: agree(time, told["escape"])),
            "escaped": (
                rf"Escaped at {time} \(predicted: {NUMBER}\): the dormant weights .* a norm of {NUMBER}\.",
                self._escaped,
            ),
            "saddle": (rf"The next saddle is reached at {time}, loss {NUMBER} .*", self._loss),
            "neuron": (r"neuron (\d+)", lambda number: self.place(f"neuron {number} of layer 1")),
            "KKT point": (rf"KKT point, N\* = {NUMBER}", self._point),
            "Neuron Pursuit": (
                rf"Neuron Pursuit reaches {NUMBER} with the same neurons",
                lambda loss: agree(loss, told["pursuit"]),
            ),
        }

    def _at(self, time: str) -> int:
        plain = time.translate(_PLAIN)
        return int(np.abs(np.array(self.times) - float(plain.replace("×10", "e"))).argmin())

    def _near(self, time: str, value: str, of: Callable[[int], float]) -> None:
        """A time of three digits may be that of a neighbor."""
        here = self._at(time)
        values = [of(index) for index in range(max(here - 2, 0), min(here + 3, len(self.times)))]
        assert any(_agrees(value, each) for each in values), f"{value} at {time} is none of {values}"

    def _norm(self, time: str, norm: str) -> None:
        if self._at(time) < len(self.times) - 3:
            self._near(time, norm, lambda index: _norm_of(self.history[index]))
        else:  # at the next saddle it is that of those still dormant
            asleep = [row for row in range(len(self.weights[0])) if row not in self.told["awake"]]
            into, out = self.weights
            last = self.history[-1], Network([into[asleep], out[:, asleep]])
            assert any(_agrees(norm, _norm_of(network)) for network in last)

    def _loss(self, time: str, loss: str) -> None:
        self._near(time, loss, lambda index: self.history[index].loss(self.data))

    def _cosine(self, time: str, neuron: str, layer: str, cosine: str) -> None:
        self._near(time, cosine, lambda index: self._turned(index, int(neuron) - 1))
        assert layer == "1"

    def _escaped(self, time: str, predicted: str, norm: str) -> None:
        agree(predicted, self.told["escape"])
        before, after = (_norm_of(self.history[index]) for index in (self._at(time) - 2, self._at(time) + 2))
        assert before <= float(norm.translate(_PLAIN)) <= after

    def _point(self, value: str) -> None:
        x, y = (np.array(each) for each in self.data)
        answers = (np.maximum(x @ np.array(incoming), 0) for incoming, _ in self.told["points"])
        signals = (y @ np.array(outgoing) for _, outgoing in self.told["points"])
        assert any(_agrees(value, float((one * other).mean())) for one, other in zip(answers, signals, strict=True))

    def _turned(self, index: int, neuron: int) -> float:
        """The cosine between the weights of a neuron and those of the KKT point that it goes to."""
        incoming, outgoing = (matrix for matrix in self.history[index].weights)
        own = np.concatenate([incoming[neuron], outgoing[:, neuron]])
        point = np.concatenate(self.told["points"][self.told["goals"][neuron]])
        return float(own @ point / np.linalg.norm(own) / np.linalg.norm(point))


def _agrees(read: str, expected: float) -> bool:
    try:
        agree(read, expected)
    except AssertionError:
        return False
    return True


def _norm_of(network: Network) -> float:
    return float(np.sqrt(sum(np.square(weight).sum() for weight in network.weights)))
