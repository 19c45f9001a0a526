"""The fixture works in a project that only has this package installed, and costs nothing before."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "packagex_async.testing.pytest_plugin"


def test_the_fixture_is_a_running_emulator(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain test, with no async plugin at all, gets a populated server that answers."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # A configuration of its own, so that none is found in the folders above.
    pytester.makeini("[pytest]")
    pytester.makepyfile(
        """
        import json
        import urllib.request

        def test_it(packagex_emulator):
            url = packagex_emulator.base_url + "/v1/exports?limit=2"
            request = urllib.request.Request(url, headers={"X-API-KEY": packagex_emulator.api_key})
            with urllib.request.urlopen(request) as answer:
                listed = json.load(answer)["data"]
            expected = packagex_emulator.exports[:2]
            assert [export["id"] for export in listed] == [export.id for export in expected]
        """
    )
    pytester.runpytest_inprocess("-p", PLUGIN, "-W", "error").assert_outcomes(passed=1)


def test_the_plugin_imports_itself_and_nothing_else() -> None:
    """Loading it, as pytest does in every project, brings no library, and of ours the way to it."""
    code = f"""if True:
        import importlib, sys, typing, pytest
        before = set(sys.modules)
        import {PLUGIN}
        print(*sorted(set(sys.modules) - before))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    above = ["packagex_async", "packagex_async._version", "packagex_async.testing"]
    assert done.stdout.split() == [*above, PLUGIN]
