"""Sphinx configuration; ``python -m sphinx -n -W --keep-going docs docs/_build`` builds offline."""

import re
from types import GenericAlias
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util.logging import getLogger

import equipoise

project = "Equipoise"
author = "The Equipoise authors"
version = release = equipoise.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
templates_path = ["_templates"]
exclude_patterns = ["_build", "_generated", "_templates"]
default_role = "code"  # `name` in a docstring is code, as it is in Markdown

myst_enable_extensions = ["colon_fence", "dollarmath", "substitution"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say the types, in words
autodoc_member_order = "bysource"
# Names are documented where they are defined, and once.
autodoc_default_options = {"members": True, "no-value": True}
autosummary_ignore_module_all = True
numpydoc_show_class_members = False  # else every method inherited from scikit-learn is listed

# What other libraries document; their inventories are not at hand offline.
_others = "abc|collections|dataclasses|pathlib|typing|np|numpy|torch|sklearn|pd|pandas"
nitpick_ignore_regex = [(r"py:.*", rf"({_others})\..*")]

smartquotes = False  # defaults such as "auto" are code, which is copied

html_theme = "pydata_sphinx_theme"
html_title = "Equipoise"
html_math_renderer = "mathml"  # browsers show it themselves; nothing is loaded from elsewhere
html_static_path = ["_static"]
html_css_files = ["style.css"]
_single = ("index", "quickstart", "data", "metrics", "runs")
_single += ("architecture", "contributing", "checked", "log", "changelog")
html_sidebars = {page: [] for page in _single}  # a page without others below it needs no sidebar
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}


def _keep_initials(_app: Any, _what: str, _name: str, _thing: Any, *rest: Any) -> None:
    # reStructuredText takes a source that begins with "A. Author" for item A of a list.
    lines = rest[-1]
    lines[:] = [re.sub(r"^(\.\. \[\w+\] [A-Z])\. ", r"\1\\. ", line) for line in lines]


def _skip(_app: Any, _what: str, name: str, thing: Any, *_rest: Any) -> bool | None:
    # scikit-learn adds methods to each estimator, with links to its own user guide.
    is_request = name.startswith("set_") and name.endswith("_request")
    # Named array types are a vocabulary for readers of the code; Sphinx takes them for classes.
    is_alias = isinstance(thing, GenericAlias) or getattr(thing, "__module__", "") == "jaxtyping"
    return True if is_request or is_alias else None


def _list_public_names(_app: Any, config: Any) -> None:
    """Let `api.md` show what the package itself offers, linked to where it is defined."""
    things = {name: getattr(equipoise, name) for name in equipoise.__all__ if name[0] != "_"}
    links = [f"- {{py:obj}}`~{thing.__module__}.{name}`" for name, thing in things.items()]
    config.myst_substitutions = {"public_names": "\n".join(links)}


def _write_math(translator: Any, node: nodes.math | nodes.math_block) -> None:
    # docutils knows neither the sizes of brackets, which browsers choose, nor the general dots.
    source = re.sub(r"\\[Bb]igg?[lr]?(?![A-Za-z])", "", node.astext())
    source = re.sub(r"\\dots(?![A-Za-z])", r"\\ldots", source)
    try:
        translator.body.append(tex2mathml(source, as_block=isinstance(node, nodes.math_block)))
    except MathError as error:
        getLogger(__name__).warning("formula: %s", error, location=node)
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Register what the options above cannot say."""
    app.connect("config-inited", _list_public_names)
    app.connect("autodoc-process-docstring", _keep_initials, priority=400)  # before numpydoc
    app.connect("autodoc-skip-member", _skip)
    app.add_html_math_renderer("mathml", (_write_math, None), (_write_math, None))
