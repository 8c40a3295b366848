"""How the documentation is built: `nox -s docs`. Nothing is fetched; a warning is an error."""

from importlib.metadata import version as version_of

project = "xpaccel"
author = "The xpaccel developers"
copyright = author
version = release = version_of("xpaccel")

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build", "decisions/template.md"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # numpydoc's sections say them
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"xpaccel {release}"
html_show_sphinx = False
