"""The application: its help, its version and its commands."""

from __future__ import annotations

from cyclopts import App, Parameter

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

_DESCRIPTION = f"""List, create and download exports of a PackageX organization.

The API key is read from the environment variable PX_API_KEY or from --api-key-file.
Results are written to stdout, errors and progress to stderr.

{HELP}"""


app: App = App(
    "packagex-exports",
    help=_DESCRIPTION,
    help_format="plaintext",
    version=__version__,
    default_parameter=Parameter(negative=()),
)

app.command(list_exports, name="list", help_format="markdown")
for _command in (get, download, cat, emulator, sync, create, wait, verify, demo):
    app.command(_command, help_format="markdown")
