"""Every test can fail: it asserts something itself, or calls what does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
# Of pytest, playwright, numpy and torch: they raise where what they are told does not hold.
ASSERTING = {"raises", "warns", "fail", "expect", "assert_close", "raise_if_failed"}


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, FUNCTION)]


def calls(function: ast.AST, helpers: set[str]) -> bool:
    """Whether something is called that asserts: a helper by its name or of ``self``, or a function known to."""
    for call in (node.func for node in ast.walk(function) if isinstance(node, ast.Call)):
        owner = getattr(call, "value", None)
        name = call.id if isinstance(call, ast.Name) else getattr(call, "attr", "")
        own = owner is None or (isinstance(owner, ast.Name) and owner.id == "self")
        if name in ASSERTING or name.startswith("assert_") or (own and name in helpers):
            return True
    return False


def asserts(function: ast.AST, helpers: set[str]) -> bool:
    return any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Raise) and "AssertionError" in ast.dump(node))
        for node in ast.walk(function)
    ) or calls(function, helpers)


def helpers_that_assert(trees: list[ast.AST]) -> set[str]:
    """The names of functions that assert something, or call one that does."""
    defined = [function for tree in trees for function in functions(tree) if not function.name.startswith("test")]
    found: set[str] = set()
    while True:
        more = {function.name for function in defined if asserts(function, found)}
        if more == found:
            return found
        found = more


def idle(trees: dict[str, ast.AST]) -> list[str]:
    """The tests that nothing can make fail but an exception by chance."""
    helpers = helpers_that_assert(list(trees.values()))
    return [
        f"{name}:{function.lineno}: {function.name}"
        for name, tree in trees.items()
        for function in functions(tree)
        if function.name.startswith("test_") and not asserts(function, helpers)
    ]


def test_every_test_asserts_something():
    paths = sorted(path for path in HERE.rglob("*.py") if "benchmarks" not in path.parts)
    trees: dict[str, ast.AST] = {str(path.relative_to(HERE)): ast.parse(path.read_text("utf-8")) for path in paths}
    assert sum(name.startswith("test_") for name in trees) > 40
    assert idle(trees) == []


@pytest.mark.parametrize(
    ("body", "can_fail"),
    [
        ("run()", False),
        ("x = 1 == 2", False),
        ("assert run()", True),
        ("with pytest.raises(ValueError): run()", True),
        ("np.testing.assert_allclose(run(), 0)", True),
        ("expect(button).to_be_visible()", True),
        ("check(run())", True),
        ("check_twice(run())", True),
        ("for _ in range(3): run()", False),
        ("session.check()", False),
        ("raise AssertionError", True),
    ],
)
def test_what_counts_as_asserting(body, can_fail):
    helpers = "def check(x): assert x\ndef check_twice(x): check(x)\ndef run(): return 1\n"
    found = idle({"test_example.py": ast.parse(f"{helpers}def test_it():\n    {body}")})
    assert found == ([] if can_fail else ["test_example.py:4: test_it"])
