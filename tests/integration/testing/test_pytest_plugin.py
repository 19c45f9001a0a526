"""The pytest fixture works in a project that only has this package installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "packagex_async.testing.pytest_plugin"


def test_fixture_is_a_running_emulator(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A synchronous test gets an emulator with sample exports, without any async plugin."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # Without this file, pytest would search the parent directories for a configuration.
    pytester.makeini("[pytest]")
    pytester.makepyfile(
        """
        import json
        import urllib.request

        def test_it(packagex_emulator):
            url = packagex_emulator.base_url + "/v1/exports?limit=2"
            request = urllib.request.Request(url, headers={"X-API-KEY": packagex_emulator.api_key})
            with urllib.request.urlopen(request) as response:
                listing = json.load(response)["data"]
            expected = packagex_emulator.exports[:2]
            assert [export["id"] for export in listing] == [export.id for export in expected]
        """
    )
    pytester.runpytest_inprocess("-p", PLUGIN, "-W", "error").assert_outcomes(passed=1)


def test_plugin_imports_nothing_else() -> None:
    """pytest loads it in every project, so it imports no library and only its parent packages."""
    code = f"""if True:
        import importlib, sys, typing, pytest
        before = set(sys.modules)
        import {PLUGIN}
        print(*sorted(set(sys.modules) - before))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    parents = ["packagex_async", "packagex_async._version", "packagex_async.testing"]
    assert done.stdout.split() == [*parents, PLUGIN]
