"""Four sessions in one widget, and a film of one of them, as their user sees them."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.widget_looks import button, drawn, look_at_both_themes, panel, status, wait_until_drawn_otherwise

FOUR = """
import np_widgets as npw

problem = npw.problems.kumar_haupt(samples=100, seed=0, test_samples=50)
options = {"starts": 5, "max_additions": 3, "max_steps": 400}
engines = [npw.NeuronPursuit(problem, **options), npw.NeuronPursuit(problem, weight_decay=0.01, **options)]
engines += [npw.FixedNetwork(problem, (8, 8), kind, max_steps=1500) for kind in ("standard", "small")]
widget = npw.compare(*engines)
widget
"""


def test_four_sessions_run_side_by_side_and_one_is_filmed(server, open_notebook, screenshots):
    film = server.notebooks / "growth.html"
    server.write_notebook("comparison.ipynb", FOUR, f"npw.animate(widget.session.sessions[0], {str(film)!r}, most=4)")
    notebook = open_notebook("comparison.ipynb")
    notebook.command("notebook:run-cell-and-select-next")
    widget = notebook.widget
    button(widget, "Play all").click()
    expect(status(widget)).to_contain_text("finished")
    rows = widget.get_by_role("group", name="Runs").get_by_role("row")
    expect(rows).to_have_count(5)
    expect(rows.nth(2)).to_contain_text("Neuron Pursuit, weight decay 0.01")
    expect(rows.nth(3)).to_contain_text("fixed network, standard")
    expect(rows.nth(3)).to_contain_text("The budget of 1,500 steps is used up")
    loss = panel(widget, "Training loss").locator(".npw-figure")
    expect(loss).to_have_attribute("aria-label", re.compile(r"Over steps, at last: Neuron Pursuit"))
    before = drawn(widget)
    widget.get_by_label("Against").select_option("seconds")
    wait_until_drawn_otherwise(widget, before)
    expect(loss).to_have_attribute("aria-label", re.compile("Over seconds, at last"))
    widget.get_by_label("Against").select_option("steps (log axis)")
    look_at_both_themes(notebook, widget, "comparison", screenshots)

    # What was clicked in the widget has made its cell the active one.
    notebook.page.locator(".jp-Cell .jp-InputArea-editor").nth(1).click()
    notebook.command("notebook:run-cell")
    expect(notebook.page.get_by_text("growth.html')")).to_be_visible()
    page, asked = notebook.page.context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(film.as_uri())
    words, picture = page.locator("#words"), page.get_by_role("img")
    expect(words).to_contain_text("1 of 4: network 1")
    first = picture.get_attribute("src")
    page.get_by_label("Moment").press("End")
    expect(words).to_contain_text("4 of 4: network")
    assert picture.get_attribute("src") != first
    assert "A network of 20 inputs" in str(picture.get_attribute("alt"))
    button(page.locator("main"), "Play").click()
    expect(words).to_contain_text("2 of 4")
    button(page.locator("main"), "Pause").click()
    page.set_viewport_size({"width": 900, "height": 700})
    page.screenshot(path=screenshots / "film.png")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.close()
