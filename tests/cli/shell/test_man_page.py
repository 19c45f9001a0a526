"""The manual page is generated from the help."""

from __future__ import annotations

from cyclopts import App

from packagex_async.cli.shell.man_page import man_page


def test_text_is_escaped() -> None:
    """No text is interpreted as a macro or an escape sequence. Indented lines are not filled."""
    app = App("program", help="Run it.\n\n.TH forged\n\n  a  \\fB 'b'\n  -c", help_format="plaintext")

    @app.command(help_epilogue="Examples:\\\n$ program run")
    def run(*, option: int = 1) -> None:
        """Run.

        Args:
            option: The option.
        """

    page = man_page(app)
    assert "\n\\&.TH forged\n" in page
    assert "\n.nf\n  a  \\efB \\(aqb\\(aq\n  \\-c\n.fi\n" in page
    assert '.SH "packagex\\-exports run"\n\\fBprogram run [OPTIONS]\\fR\n' in page
    assert "\n.TP\n\\fB\\-\\-option NUMBER\\fR\nThe option. [default: 1]\n" in page
    assert page.endswith(".nf\nExamples:\n  $ program run\n.fi\n")
    assert app.help_formatter is None
