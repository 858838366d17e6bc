"""The lines above the pictures show any text as it is."""

from __future__ import annotations

from np_widgets.widgets.status import StatusLines
from np_widgets.widgets.tree import close_tree


def test_names_with_markup_are_shown_as_they_are():
    lines = StatusLines("Saddle <dynamics>", "a <b> & c")
    try:
        title = lines.heading.children[0].value
        assert "Saddle &lt;dynamics&gt;" in title
        assert "a &lt;b&gt; &amp; c" in title
        lines.tell("<i>no</i>")
        assert "&lt;i&gt;no&lt;/i&gt;" in lines.notice.value
    finally:
        close_tree(lines.heading, lines.sentence, lines.notice)
