"""What a pointer does in pictures: every kind of mark is read, and a click on one selects in all pictures."""

from __future__ import annotations

import json
import re
import time
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Locator, expect

from np_widgets.pictures.labels import number
from tests.browser.lab import PATIENCE, Notebook
from tests.browser.pointer import Dot, dots, read, set_off, watch
from tests.browser.recomputed import Flow, Pursuit
from tests.browser.widget_looks import LAID_OUT

WIDGETS = """
import json

import numpy as np

import np_widgets as npw

def finished(widget):
    widget.session.resume()
    widget.session.wait()
    widget.session.raise_if_failed()
    return widget

options = {"starts": 40, "max_additions": 2, "max_steps": 400, "longest_path": 1}
pursuit = finished(npw.PursuitWidget(npw.problems.kumar_haupt(samples=150, seed=0, test_samples=50), **options))
x = np.random.default_rng(0).standard_normal((80, 3))
y = 2 * np.maximum(x[:, 0], 0) - np.maximum(-x[:, 1], 0)
planes = npw.Problem(x[:60], y[:60], test=(x[60:], y[60:]))
line = npw.problems.curve(samples=20)
few = {"hidden_layers": 1, "starts": 6, "max_additions": 1}
few["hide"] = ["architecture", "weights", "loss", "candidates", "choice"]
samples, curve = (finished(npw.PursuitWidget(problem, **few)) for problem in (planes, line))
saddle = npw.SaddleWidget(planes, dormant=(4,), hidden_layers=1, seed=0)
saddle.session.apply("aim", "next saddle")
shown = {"pursuit": pursuit, "samples": samples, "curve": curve, "saddle": finished(saddle)}
"""
TOLD = """
def lists(arrays):
    return [np.asarray(array).tolist() for array in arrays]

def told_of_pursuit(widget):
    frame, problem = widget.session.frame, widget.session.engine.problem
    networks = [record.candidates[record.taken].network for record in frame.growth[1:]] + [frame.weights]
    candidates = []
    for each in frame.candidates:
        network = npw.HomogeneousNetwork(each.network, power=frame.power, leak=frame.leak)
        ends = each.factors[0][0], each.factors[-1][:, 0]
        ncf = npw.correlation(network, problem, each.layer, *ends, unseen=each.unseen)
        own = {"layer": each.layer, "ncf": float(ncf), "residual": each.residual, "loss": each.loss}
        candidates.append(own | {"incoming": lists(each.factors[0])[0], "network": lists(each.network)})
    return {
        "weights": lists(frame.weights),
        "networks": [lists(weights) for weights in networks],
        "data": lists([problem.inputs, problem.targets]),
        "test": lists([problem.test_inputs, problem.test_targets]),
        "steps": [[record.first_step, record.steps] for record in frame.growth],
        "trace": lists([frame.trace_steps, frame.trace_losses]),
        "candidates": candidates,
        "taken": frame.taken,
        "added": frame.added,
    }

def told_of_saddle(widget):
    frame = widget.session.frame
    prediction = frame.predictions[0]
    return {
        "data": lists([planes.inputs, planes.targets]),
        "time": frame.record.time.tolist(),
        "history": [lists(weights) for weights in frame.history],
        "escape": prediction.escape_time,
        "goals": list(prediction.neuron_destination),
        "points": [lists([each.incoming, each.outgoing]) for each in prediction.destinations],
        "pursuit": frame.awakenings[0].pursuit_loss,
        "awake": [neuron for _, neuron in frame.awakenings[0].awake],
    }

told = {name: (told_of_saddle if name == "saddle" else told_of_pursuit)(widget) for name, widget in shown.items()}
for widget in shown.values():
    widget.catch_up()
with open("told.json", "w") as file:
    json.dump(told, file)
print("all " "is told")
"""
KINDS = {
    "pursuit": {
        "Architecture": {"weight", "end", "neuron"},
        "Weights": {"weight"},
        "Function": {"vertex"},
        "Loss": {"loss", "test loss", "addition", "best"},
        "Candidates": {"candidate"},
        "Choice": {"signal"},
    },
    "samples": {"Function": {"sample", "test sample"}},
    "curve": {"Function": {"datum", "point"}},
    "saddle": {
        "Norms": {"norm", "aligned", "escaped", "saddle"},
        "Directions: cosine": {"cosine", "aligned"},
        "Directions in a plane": {"neuron", "KKT point"},
        "Loss": {"loss", "aligned", "escaped", "saddle", "Neuron Pursuit"},
        "Weights": {"weight"},
    },
}


class Page(NamedTuple):
    notebook: Notebook
    told: dict[str, Any]

    def widget(self, name: str) -> Locator:
        widget = self.notebook.page.locator(".jp-OutputArea-output > .npw").nth(list(KINDS).index(name))
        widget.scroll_into_view_if_needed()
        self.notebook.page.wait_for_function(LAID_OUT, arg=widget.element_handle())
        return widget


@pytest.fixture(scope="module")
def page(server, keep_notebook) -> Page:
    server.write_notebook("pointer.ipynb", WIDGETS, *(f"shown[{name!r}]" for name in KINDS), TOLD)
    notebook = keep_notebook("pointer.ipynb")
    notebook.page.set_viewport_size({"width": 1400, "height": 2000})
    notebook.command("application:toggle-left-area")
    notebook.run_all()
    expect(notebook.page.get_by_text("all is told")).to_be_visible()
    expect(notebook.page.locator(".jp-OutputArea-output > .npw")).to_have_count(len(KINDS))
    file = server.notebooks / "told.json"
    notebook.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
    )
    watch(notebook.page)
    return Page(notebook, json.loads(file.read_text(encoding="utf-8")))


def picture(widget: Locator, title: str) -> Locator:
    heading = widget.page.get_by_role("heading", level=3, name=re.compile(rf"^{title}"))
    return widget.locator(".npw-panel").filter(has=heading)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_mark_is_read_and_says_the_truth(page, name, screenshots):
    widget = page.widget(name)
    truth = (Flow if name == "saddle" else Pursuit)(page.told[name])
    milliseconds = []
    for title, kinds in KINDS[name].items():
        for mark in drawn(picture(widget, title), kinds, truth):
            for place in {0, len(mark) // 2, len(mark) - 1}:
                words, took = read(page.notebook.page, mark[place])
                assert words == mark[place].reads
                milliseconds.append(round(took))
                truth.check(words)
    (screenshots / f"pointer-{name}.json").write_text(json.dumps(sorted(milliseconds)), encoding="utf-8")


def drawn(picture: Locator, kinds: set[str], truth: Pursuit | Flow) -> list[list[Dot]]:
    """The dots of a picture, by marks, once a pointer finds all kinds of them."""
    end = time.monotonic() + PATIENCE / 1000
    while True:
        marks = [mark for mark in dots(picture) if mark]
        found = {truth.kind(each.reads) for mark in marks for each in mark}
        # The predicted escape may lie under the one that came.
        if found - {"predicted escape"} == kinds:
            return marks
        assert time.monotonic() < end, f"{found} and not {kinds}"
        picture.page.wait_for_timeout(100)


def dot(picture: Locator, begins: str) -> Dot:
    """A dot that reads something that begins so."""
    return next(each for mark in dots(picture) for each in mark if each.reads.startswith(begins))


def click(page: Page, place: Dot) -> None:
    page.notebook.page.mouse.click(place.x, place.y)


def selects(widget: Locator, name: str) -> None:
    """Wait until the drop-down says that it is selected."""
    expect(widget.get_by_label("Selected", exact=True).locator("option:checked")).to_have_text(name)


def around(picture: Locator, place: Dot) -> bool:
    """Whether a ring is around a dot."""
    middles = [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in set_off(picture)]
    return any(abs(x - place.middle_x) < 2 and abs(y - place.middle_y) < 2 for x, y in middles)


# What stands for the newest neuron of layer l there.
CLICKED = {
    "Architecture": "{name}: norm in",
    "Weights": "",
    "Loss": "network {network}: 1 neuron more in layer {layer}",
}


@pytest.mark.parametrize("title", CLICKED)
def test_a_click_on_what_stands_for_a_neuron_sets_it_off_everywhere(page, title):
    widget, told = page.widget("pursuit"), page.told["pursuit"]
    ((layer, index),) = told["added"]
    name = f"neuron {index + 1} of layer {layer}"
    places = {
        own: begins.format(name=name, layer=layer, network=len(told["networks"])) for own, begins in CLICKED.items()
    }
    places["Candidates"] = candidate(told["candidates"][told["taken"]])
    pictures = {each: picture(widget, each) for each in KINDS["pursuit"]}
    pictures["Weights"].get_by_label("Weights of", exact=True).select_option(f"layer {layer}")
    expect(pictures["Weights"].locator(".npw-figure")).to_have_attribute("aria-label", re.compile(f"of layer {layer};"))

    def row() -> list[Dot]:
        return [each for mark in dots(pictures["Weights"]) for each in mark if each.reads.endswith(f"to {name}")]

    click(page, row()[-1] if title == "Weights" else dot(pictures[title], places[title]))
    selects(widget, name)
    for own in ("Architecture", "Weights", "Loss", "Candidates"):
        figure = pictures[own].locator(".npw-figure")
        expect(figure).to_have_attribute("aria-label", re.compile(f"selected: {name}"))
        assert own == "Weights" or around(pictures[own], dot(pictures[own], places[own]))
    expect(pictures["Function"]).to_contain_text(f"share of {name}")
    expect(pictures["Choice"]).to_contain_text(f"Choice: {name}")
    assert len(set_off(pictures["Architecture"])) > 1  # its edges, too
    assert set_off(pictures["Function"])
    (frame,) = set_off(pictures["Weights"])
    assert all(frame[0] < each.middle_x < frame[2] and frame[1] < each.middle_y < frame[3] for each in row())
    click(page, dot(pictures["Architecture"], places["Architecture"]))
    selects(widget, "nothing")
    for shown in pictures.values():
        expect(shown.locator(".npw-figure")).not_to_have_attribute("aria-label", re.compile("selected: "))
        assert not set_off(shown)


def test_a_click_on_a_candidate_sets_it_off_and_puts_it_on_trial(page):
    widget, told = page.widget("pursuit"), page.told["pursuit"]
    index = next(
        index for index, each in enumerate(told["candidates"]) if index != told["taken"] and each["loss"] is not None
    )
    name, begins = f"candidate {index + 1}", candidate(told["candidates"][index])
    pictures = {each: picture(widget, each) for each in KINDS["pursuit"]}
    places = [each for mark in dots(pictures["Candidates"]) for each in mark if each.reads.startswith(begins)]
    assert len(places) == 2  # its NCF value, and the loss that it came to
    click(page, places[1])
    selects(widget, name)
    figure = pictures["Candidates"].locator(".npw-figure")
    expect(figure).to_have_attribute("aria-label", re.compile(f"selected: {name}"))
    assert all(around(pictures["Candidates"], each) for each in places)
    for title in ("Architecture", "Weights"):
        expect(pictures[title]).to_contain_text(f"with {name}")
    expect(pictures["Choice"]).to_contain_text(f"Choice: {name}")
    click(page, dot(pictures["Candidates"], begins))
    selects(widget, "nothing")
    expect(pictures["Architecture"]).not_to_contain_text(f"with {name}")


def candidate(told: dict[str, Any]) -> str:
    """How what is read of a candidate begins."""
    kind = "KKT point" if told["residual"] <= 1e-6 else "unconverged"
    return f"layer {told['layer']}: {kind}, N = {number(told['ncf'])},"
