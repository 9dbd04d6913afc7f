"""Sphinx configuration; ``python -m sphinx -n -W --keep-going docs docs/_build`` builds offline."""

from typing import Any

import equipoise

project = "Equipoise"
author = "The Equipoise authors"
version = release = equipoise.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates"]
default_role = "code"  # `name` in a docstring is code, as it is in Markdown

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say the types, in words
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "no-value": True}
numpydoc_show_class_members = False  # else every method inherited from scikit-learn is listed

# What other libraries document; their inventories are not at hand offline.
nitpick_ignore_regex = [
    (r"py:.*", r"(abc|collections|dataclasses|pathlib|typing|np|numpy|torch|sklearn|pd|pandas)\..*"),
]

html_theme = "pydata_sphinx_theme"
html_title = "Equipoise"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}


def _skip(_app: Any, _what: str, name: str, *_rest: Any) -> bool | None:
    # scikit-learn adds these to each estimator, with links to its own user guide.
    return True if name.startswith("set_") and name.endswith("_request") else None


def setup(app: Any) -> None:
    """Register what the options above cannot say."""
    app.connect("autodoc-skip-member", _skip)
