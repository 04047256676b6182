"""Rules of the code in CONTRIBUTING.md that a program can check."""

import ast
from pathlib import Path

import pytest
from helpers.calls import ROOT

FILES = sorted((ROOT / "snap_al").rglob("*.py"))
MOST_PARAMETERS, MOST_LINES = 8, 300
COMMANDS = ("app.py", "_commands.py")
"""Ends of the names of files in snap_al/cli with commands, which have an argument per option."""
LONG_FILES = {"sessions/session.py"}
"""Files that have more lines today. The list must only become shorter."""
PACKAGES = (
    "cli",
    "data",
    "label",
    "loop",
    "parallel",
    "query",
    "reporting",
    "tasks",
    "uncertainty",
    "validation",
    "inference",
    "potential",
    "md",
    "descriptors",
    "config",
    "sessions",
    "fitsnap",
    "nn",
)
"""Packages in which every field is documented."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "snap_al").as_posix()


def classes_and_functions(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def n_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(a.arg not in ("self", "cls") for a in every)


def test_functions_have_at_most_eight_parameters():
    long = {
        f"{name_of(path)}:{node.name}"
        for path in FILES
        if not (path.parent.name == "cli" and path.name.endswith(COMMANDS))
        for node in classes_and_functions(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and n_parameters(node) > MOST_PARAMETERS
    }
    assert not long


def test_files_have_at_most_three_hundred_lines():
    long = {
        name_of(path)
        for path in FILES
        if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES
    }
    assert long <= LONG_FILES


def undocumented(node: ast.ClassDef) -> list[str]:
    """Public fields of a class that no string follows. Class variables are documented in the
    protocol that demands them."""
    return [
        statement.target.id
        for statement, after in zip(node.body, [*node.body[1:], None], strict=True)
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and not statement.target.id.startswith("_")
        and not ast.unparse(statement.annotation).startswith("ClassVar")
        and not (
            isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        )
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_fields_are_documented_at_the_field(package):
    bare = [
        f"{name_of(path)}:{node.name}.{field}"
        for path in FILES
        if path.is_relative_to(ROOT / "snap_al" / package)
        for node in classes_and_functions(path)
        if isinstance(node, ast.ClassDef)
        for field in undocumented(node)
    ]
    assert bare == []


def test_the_formatter_has_the_last_word():
    """No code is kept from it."""
    skips = "fmt: " + "skip"
    everywhere = [*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    assert [path for path in everywhere if skips in path.read_text()] == []
