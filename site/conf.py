"""How Sphinx makes the site, out of what course_utils.authoring.site lays out."""

from importlib import resources

from course_utils.authoring.docstrings import to_rst
from course_utils.authoring.source import ROOT

MATHJAX = resources.files("sphinx-mathjax-offline") / "static" / "mathjax" / "tex-svg.js"

project = "Stable Diffusion, dissected"
author = "the authors of the course"
copyright = "the authors of the course, Apache-2.0"
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = [".doctrees"]

# notebooks: shown as they were executed
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # the scripts of widgets would come from the network
myst_enable_extensions = ["amsmath", "attrs_inline", "dollarmath"]
myst_heading_anchors = 3

# mathematics: one file of our own, formulas as drawings in the colour of the text
mathjax_path = MATHJAX.name
mathjax3_config = {"options": {"enableMenu": False}}

# the reference
autodoc_default_options = {"members": True, "member-order": "bysource"}
napoleon_use_ivar = True  # attributes of a dataclass: once, with its type
add_module_names = False
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True  # their names, not their values
maximum_signature_line_length = 80
default_role = "py:obj"  # `name` in a docstring: a link, where there is such a name
nitpick_ignore_regex = [("py:.*", r"(?!course_utils\.).*")]  # other libraries' names

# looks
highlight_language = "none"  # a block that names no language: a drawing of folders
html_theme = "furo"
html_title = project
html_static_path = ["_static", str(MATHJAX)]
html_css_files = ["course.css"]
html_copy_source = False
html_show_search_summary = False  # it would ask for pages, which a folder without a server refuses
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#2f62b5", "color-brand-content": "#2f62b5"},
    "dark_css_variables": {"color-brand-primary": "#8fb4f5", "color-brand-content": "#8fb4f5"},
}


def read_docstring(app, what, name, thing, options, lines):
    """Make reStructuredText of a docstring, in place."""
    lines[:] = to_rst(lines)


def hide_place(app, what, name, thing, options, signature, returns):
    """Paths in a signature as they are in the repository, wherever that lies."""
    return signature and signature.replace(f"{ROOT}/", ""), returns


def speak_chinese(app, page, template, context, doctree):
    """Tell the browser which language the page is in."""
    if page.endswith("zh-CN"):
        context["language"] = "zh-CN"


def setup(app):
    """What Sphinx calls first."""
    app.connect("autodoc-process-docstring", read_docstring, priority=400)
    app.connect("autodoc-process-signature", hide_place)
    app.connect("html-page-context", speak_chinese)
