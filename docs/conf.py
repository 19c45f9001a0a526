"""How the docs are built: from Markdown and docstrings, without asking the network for anything."""

from packagex_async import __version__

project = "packagex-async"
author = "The packagex_async authors"
copyright = "2026, The packagex_async authors"  # the name Sphinx reads
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "packagex-async"

myst_heading_anchors = 3
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"

# Names of other projects are not resolved, for that would take their indexes from the network.
nitpick_ignore_regex = [
    (r"py:.*", r"(aiohttp|asyncio|collections|contextlib|datetime|enum|os|pathlib|ssl|types|typing)\..*"),
    (
        r"py:class",
        r"\w+Name|BaseConnector|Fingerprint|Host|TraceConfig|ssl_module\.SSLContext|packagex_async\.report\.T_co",
    ),
]
