"""The application: its help, its version and its commands."""

from __future__ import annotations

from cyclopts import App, Group, Parameter

from packagex_async import __version__
from packagex_async.cli.exit_codes import HELP
from packagex_async.cli.shell.help_formatter import HelpFormatter

_DESCRIPTION = f"""List, create and download exports of a PackageX organization.

The command packagex-exports demo shows downloads, and needs no key.

Results are written to stdout, errors and progress to stderr.

Environment variables:

  PX_API_KEY      the API key, unless --api-key-file is used
  PX_ENVIRONMENT  production (default) or sandbox
  PX_BASE_URL     the base URL, instead of an environment
  PX_CONFIG       the configuration file; default: ~/.config/packagex/config.toml
  PX_PROFILE      the profile in the configuration file; default: default

Options and the profile of --profile take precedence over variables, and variables over other profiles.

{HELP}"""


SUMMARIES: dict[str, str] = {
    "list": "List exports.",
    "get": "Show an export and the artifacts that it offers.",
    "download": "Download the artifacts of exports, one export after another.",
    "cat": "Write an artifact of an export to stdout or to a file.",
    "sync": "Download all artifacts of all matching exports to a directory.",
    "verify": "Compare all files that sync has downloaded to a directory or bucket with the manifest.",
    "create": "Create an export. Optionally wait for it and download it.",
    "wait": "Wait until an export is completed.",
    "emulator": "Run a local server that emulates the API, with sample exports.",
    "demo": "Show downloads from a local emulator that injects faults, and compare every byte.",
    "completion": "Print the completion script of a shell.",
    "man": "Print the manual page in the format of the program man.",
    "--install-completion": "Install the completion script of a shell in the home directory.",
}
"""The first line of the help of each command, which the help of the program shows without importing it."""

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
    help_formatter=HelpFormatter(SUMMARIES),
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

_FUNCTIONS = {
    "list": "commands.list:list_exports",
    "completion": "shell.completion:completion",
    "man": "shell.man:man",
}
"""Functions of commands that are not `commands.NAME:NAME`."""

# cyclopts imports the module of a command when the command is used: most of them import the client.
for _name in EXAMPLES:
    app.command(
        f"packagex_async.cli.{_FUNCTIONS.get(_name, f'commands.{_name}:{_name}')}",
        name=_name,
        usage=_USAGE.get(_name),
        help_format="markdown",
        help_epilogue=_examples(_name),
    )
app.command(
    "packagex_async.cli.shell.completion:install_completion",
    name="--install-completion",
    help_format="markdown",
)
