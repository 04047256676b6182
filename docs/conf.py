"""The documentation: `make docs` writes it into build/docs.

No network is needed, neither to build a page nor to read one.
"""

import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from docstrings import as_rst  # noqa: E402
from program import command_line, config_keys  # noqa: E402

import snap_al  # noqa: E402

project = "snap_al"
author = copyright = "The snap_al developers"
version = release = snap_al.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 4
templates_path: list[str] = []
exclude_patterns: list[str] = []
suppress_warnings = [
    "ref.python"
]  # names that a package and its module both export: either page will do
highlight_language = "none"  # of blocks that do not name one: commands
smartquotes = False
html_theme = "furo"
html_title = "snap_al"
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_default_options = {"members": True, "exclude-members": "model_config, model_post_init"}

GENERATED = {"reference/command_line": command_line, "reference/config_keys": config_keys}
"""Pages of which the end is what the program says of itself."""


for name in snap_al.__all__:  # loaded when they are first used; autodoc looks at what is there
    setattr(snap_al, name, getattr(snap_al, name))


def add_generated(app: Sphinx, name: str, source: list[str]) -> None:
    """Appends it to the source of such a page."""
    if name in GENERATED:
        source[0] += "\n" + GENERATED[name]()


def visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    """MathML, which browsers show themselves: no script and no font is loaded."""
    tex = node.astext()
    mathml = latex2mathml.tex2mathml(tex, as_block=isinstance(node, nodes.math_block))
    attribute = f'alttext="{translator.attval(tex)}"'
    translator.body.append(mathml.replace("<math ", f"<math {attribute} ", 1))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
    app.connect("source-read", add_generated)
    app.connect("autodoc-process-docstring", as_rst)
