"""The application: its help, its version and its commands."""

from __future__ import annotations

from cyclopts import App, Group, Parameter

from packagex_async import __version__
from packagex_async.cli.commands.cat import cat
from packagex_async.cli.commands.create import create
from packagex_async.cli.commands.demo import demo
from packagex_async.cli.commands.download import download
from packagex_async.cli.commands.emulator import emulator
from packagex_async.cli.commands.get import get
from packagex_async.cli.commands.list import list_exports
from packagex_async.cli.commands.sync import sync
from packagex_async.cli.commands.verify import verify
from packagex_async.cli.commands.wait import wait
from packagex_async.cli.exit_codes import HELP
from packagex_async.cli.shell.completion import completion, install_completion
from packagex_async.cli.shell.help_formatter import HelpFormatter
from packagex_async.cli.shell.man import man

_DESCRIPTION = f"""List, create and download exports of a PackageX organization.

Results are written to stdout, errors and progress to stderr.

Environment variables:

  PX_API_KEY      the API key, unless --api-key-file is used
  PX_ENVIRONMENT  production (default) or sandbox
  PX_BASE_URL     the base URL, instead of an environment
  PX_CONFIG       the configuration file; default: ~/.config/packagex/config.toml
  PX_PROFILE      the profile in the configuration file; default: default

Options take precedence over variables, variables over the configuration file.

{HELP}"""


EXAMPLES: dict[str, tuple[str, ...]] = {
    "list": (
        "packagex-exports list --statuses completed --resource shipment",
        "packagex-exports list --json | jq .id",
    ),
    "get": ("packagex-exports get exp_7xKyu1HY",),
    "download": (
        "packagex-exports download exp_7xKyu1HY",
        "packagex-exports download exp_7xKyu1HY --artifacts csv",
    ),
    "cat": (
        "packagex-exports cat exp_7xKyu1HY > contacts.csv",
        "packagex-exports cat exp_7xKyu1HY json --rows | wc -l",
    ),
    "sync": (
        "packagex-exports sync exports/",
        "packagex-exports sync exports/ --resource shipment --wait",
    ),
    "verify": ("packagex-exports verify exports/",),
    "create": (
        "packagex-exports create contact --wait",
        "packagex-exports create contact --option limit=1000 --download exports/",
    ),
    "wait": ("packagex-exports wait exp_7xKyu1HY --timeout 600",),
    "emulator": ("packagex-exports emulator",),
    "demo": ("packagex-exports demo",),
    "completion": (
        "packagex-exports completion bash > packagex-exports.bash",
        "packagex-exports --install-completion",
    ),
    "man": ("packagex-exports man | man -l -",),
}
"""Examples for the help of each command."""

app: App = App(
    "packagex-exports",
    help=_DESCRIPTION,
    help_format="plaintext",
    help_formatter=HelpFormatter(),
    version=__version__,
    group_arguments=Group("Arguments", sort_key=0),
    group_parameters=Group("Options", sort_key=1),
    default_parameter=Parameter(negative=()),
)


def _examples(name: str) -> str:
    """Return the examples of a command as Markdown, with one line for each."""
    return "\\\n".join(("Examples:", *(f"$ {example}" for example in EXAMPLES[name])))


_USAGE = {
    "cat": "Usage: packagex-exports cat [OPTIONS] EXPORT_ID [ARTIFACT]",
    "download": "Usage: packagex-exports download [OPTIONS] EXPORT_IDS...",
}
"""Usage lines that differ from those of cyclopts."""

for _name, _command in (
    ("list", list_exports),
    ("get", get),
    ("download", download),
    ("cat", cat),
    ("sync", sync),
    ("verify", verify),
    ("create", create),
    ("wait", wait),
    ("emulator", emulator),
    ("demo", demo),
    ("completion", completion),
    ("man", man),
):
    app.command(
        _command,
        name=_name,
        usage=_USAGE.get(_name),
        help_format="markdown",
        help_epilogue=_examples(_name),
    )
app.command(install_completion, name="--install-completion", help_format="markdown")
