"""Chromium, for all tests here."""

import shutil

import pytest


@pytest.fixture(scope="session")
def browser():
    """Chromium: playwright's own, or the one on the PATH."""
    from playwright import sync_api as playwright

    with playwright.sync_playwright() as play:
        try:
            found = play.chromium.launch()
        except playwright.Error:
            path = shutil.which("chromium") or shutil.which("google-chrome")
            if not path:
                pytest.skip("Chromium is not installed: python -m playwright install chromium")
            options = ["--no-sandbox", "--disable-dev-shm-usage"]
            found = play.chromium.launch(executable_path=path, args=options)
        yield found
        found.close()
