"""The fixture works in a project that only has this package installed, and costs nothing before."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "packagex_async.testing.pytest_plugin"
HEAVY = ["aiohttp", "aiofiles", "attrs", "cattrs", "packagex_async.client", "packagex_async.testing.emulator"]


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


def test_the_plugin_imports_nothing_heavy() -> None:
    """Loading the plugin, as pytest does in every project, brings neither aiohttp nor the client."""
    code = f"import sys, {PLUGIN}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
