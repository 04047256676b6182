"""The documentation builds without warnings and offline, and says what the program says."""

import importlib
import importlib.util
import inspect
import pkgutil
import re
import subprocess
import sys
from html import unescape
from types import ModuleType

import pytest
from helpers.calls import ROOT

import snap_al
from snap_al.loop import RunConfig

DOCS = ROOT / "docs"
PACKAGES = [f"snap_al.{m.name}" for m in pkgutil.iter_modules(snap_al.__path__) if m.ispkg]
MODULES = ["snap_al.errors", "snap_al.units", "snap_al.progress"]
PAGES = sorted(DOCS.rglob("*.md"))
WRITTEN = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def module_at(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the pages as HTML; any warning is an error. Without the lists of objects beside
    each page, which take a third of the time.
    """
    folder = tmp_path_factory.mktemp("docs")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-D",
        "toc_object_entries=0",
        "-b",
        "html",
        DOCS,
        folder,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert not re.search("warn", done.stdout + done.stderr, re.IGNORECASE), done.stderr
    return folder


def test_reference(built):
    for package in [*PACKAGES, *MODULES]:
        page = (
            built / "reference" / "api" / f"{package.removeprefix('snap_al.')}.html"
        ).read_text()
        module = importlib.import_module(package)
        for name in getattr(module, "__all__", []):
            if not (
                inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name))
            ):
                continue
            assert f'id="{package}.{name}"' in page or f">{name}<" in page, f"{package}.{name}"
    top = (built / "reference" / "api" / "snap_al.html").read_text()
    for name in snap_al.__all__:
        assert f">{name}<" in top or name == "__version__", name
    assert "SnapCalculator" in top
    assert "forces_std" in (built / "reference" / "api" / "potential.html").read_text()


def test_mathematics_is_shown_without_a_script(built):
    page = (built / "mathematics.html").read_text()
    assert "The mathematics, as implemented" in page
    assert page.count("<math ") > 50
    assert r"\Sigma_\delta" in unescape(page), (
        "the source of an equation, for those who cannot see it"
    )


def test_nothing_is_loaded_from_elsewhere(built):
    for page in built.rglob("*.html"):
        for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", page.read_text()):
            assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", tag), f"{page.name}: {tag}"


def test_the_program_is_the_reference(built):
    program = module_at(DOCS / "program.py")
    from snap_al.cli.app import app

    commands = (built / "reference" / "command_line.html").read_text()
    assert len(app.registered_commands) > 10
    for command in app.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        assert f"snap-al {name}" in commands, name
    keys = (built / "reference" / "config_keys.html").read_text()
    models = list(program._models(RunConfig, ""))
    assert len(models) > 15
    for path, model in models:
        for key in model.model_fields:
            assert f">{key}<" in keys, f"{path}.{key}"


def test_files_that_the_mathematics_name():
    text = (DOCS / "mathematics.md").read_text()
    named = re.findall(r"`([\w/]+\.py)`", text)
    assert len(named) > 15
    for name in named:
        assert any((ROOT / "snap_al" / folder / name).exists() for folder in ("", "inference")), (
            name
        )


@pytest.mark.parametrize("page", WRITTEN, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_a_page_names_is_there(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"https?:", target):
            assert (page.parent / target).exists(), f"a link to {target}"
    for name in re.findall(r"\b((?:examples|tests|lammps_inputs|docker)/[\w/.]*\w)", text):
        if "..." not in name and "test_*" not in name:
            assert (ROOT / name).exists() or "NAME" in name or name.endswith("test_"), name
    for name in re.findall(r"`((?:snap_al/)?(?:\w+/)+\w+\.py)`", text):
        places = (ROOT, ROOT / "snap_al", DOCS)
        assert any((place / name).exists() for place in places), name
    for name in re.findall(r"`(snap_al(?:\.\w+)+)`", text):
        assert_importable(name)


def assert_importable(name):
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError as error:
            if error.name and error.name.startswith("snap_al"):
                continue
            return  # of an extra that is not installed
        for part in parts[n:]:
            found = getattr(found, part)
        return


def test_every_line_can_be_read():
    """At most 100 characters, but for tables; README at most 150 lines."""
    for page in WRITTEN:
        for number, line in enumerate(page.read_text().splitlines(), 1):
            assert len(line) <= 100 or line.startswith("|"), f"{page}:{number}"
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_picture_of_layers_is_todays():
    layers = module_at(DOCS / "layers.py")
    assert (DOCS / "layers.svg").read_text() == layers.picture(), "python docs/layers.py"
    text = (DOCS / "architecture.md").read_text()
    for name in (name for row in layers.layers() for name in row):
        assert f"`{name}`" in text, f"the architecture does not say what {name} is"


def test_the_list_of_slow_tests_is_todays(collected, pytestconfig):
    """Of the files that were collected whole."""
    if any("::" in argument for argument in pytestconfig.args):
        pytest.skip("needs files that are collected whole")
    slow_tests = module_at(ROOT / ".ci" / "slow_tests.py")
    listed = slow_tests.listed((ROOT / "CONTRIBUTING.md").read_text())
    found = slow_tests.entries(node for node, slow in collected if slow)
    for file in {node.split("::")[0] for node, _ in collected}:
        assert listed.get(file, []) == found.get(file, []), f"{file}: python .ci/slow_tests.py"
    assert all((ROOT / file).exists() for file in listed)


@pytest.mark.parametrize("page", ["posterior", "strategy", "rule", "label_backend"])
def test_examples_of_extending(page, monkeypatch):
    """The page's code is a module that its names can be imported from."""
    module = ModuleType("my_package")
    monkeypatch.setitem(sys.modules, "my_package", module)
    text = (DOCS / "extending" / f"{page}.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for code in blocks:
        exec(code, vars(module))


@pytest.mark.parametrize("package", ["snap_al", *PACKAGES])
def test_what_is_public_says_what_it_is(package):
    module = importlib.import_module(package)
    for name in getattr(module, "__all__", []):
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            text = inspect.getdoc(value)
            assert text, f"{package}.{name}"
            assert not text.startswith(f"{name}("), (
                f"{package}.{name} has a signature for a docstring"
            )
