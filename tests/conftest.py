"""What all tests share: the `needs` marker."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

from zlfeed import logs

# A busy machine is no failure, nor are large examples; and every run is the same run, so that what is red is red for a
# reason. ZLFEED_EXAMPLES=5000 looks for other examples, so many of each test.
_EXPLORED = os.environ.get("ZLFEED_EXAMPLES")
settings.register_profile(
    "zlfeed", deadline=None, derandomize=not _EXPLORED, database=None, max_examples=int(_EXPLORED or 100),
    suppress_health_check=[
        HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much,
    ],
)  # fmt: skip
settings.load_profile("zlfeed")


def pytest_configure(config: pytest.Config) -> None:
    """Logs go to stderr, as JSON, where pytest captures them."""
    logs.setup("json", "debug")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test whose programs are missing; in CI that is a failure (MediaMTX aside, which no registry has)."""
    for marker in item.iter_markers("needs"):
        missing = [tool for tool in marker.args if shutil.which(tool) is None]
        if not missing:
            continue
        words = f"needs {', '.join(missing)} on PATH"
        if os.environ.get("ZLFEED_TEST_REQUIRE_TOOLS") == "1" and missing != ["mediamtx"]:
            pytest.fail(words)
        pytest.skip(words)
