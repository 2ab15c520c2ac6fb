"""The house: the README says what the command line has, and an installed wheel is whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts import gen_man
from scripts.gen_options import PAGE, renewed
from zlfeed.errors import ExitCode

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def test_the_option_tables_are_those_of_help() -> None:
    page = PAGE.read_text("utf-8")
    assert renewed(page) == page, "run `make options`"


def test_the_manual_page_is_that_of_help() -> None:
    assert gen_man.PAGE.read_text("utf-8") == gen_man.page(), "run `make options`"


@pytest.mark.needs("man")
def test_man_shows_the_page_without_a_complaint() -> None:
    done = subprocess.run(
        ["man", "--warnings", "-l", gen_man.PAGE], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "zlfeed publish" in done.stdout
    assert "--bitrate RATE" in done.stdout


def test_every_option_that_the_readme_names_exists() -> None:
    words, tables = README.read_text("utf-8"), PAGE.read_text("utf-8")
    foreign = {"--help", "--user", "--network-caching"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", words))
    known = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", tables))

    assert named - known - foreign == set()


def test_the_readme_explains_every_exit_code() -> None:
    table = README.read_text("utf-8").partition("| Exit code |")[2].partition("\n\n")[0]
    explained = {int(number) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.M) for number in row.split(",")}

    assert explained == set(ExitCode)


def test_files_that_the_readme_leads_to_exist() -> None:
    readme = README.read_text("utf-8")
    paths = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", readme) + re.findall(r'src="([^"]+)"', readme)

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a wheel of this checkout holds, as pip would lay it out."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-c", f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"],
        cwd=ROOT, check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


ROUND_TRIP = """
import zlfeed
from zlfeed.model import Ping
from zlfeed.wire.convert import decode, encode
assert decode(encode(Ping(1, 7))) == Ping(1, 7)
print(zlfeed.__file__)
"""


def test_the_status_protocol_works_from_an_installed_wheel_in_any_folder(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", ROUND_TRIP],
        cwd=tmp_path, env={"PYTHONPATH": str(installed)}, check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip

    assert Path(done.stdout.strip()).is_relative_to(installed)


def test_the_wheel_holds_the_program_and_nothing_else(installed: Path) -> None:
    assert {path.name.partition("-")[0] for path in installed.iterdir()} == {"zlfeed"}
    wanted = {
        path.relative_to(ROOT) for path in (ROOT / "zlfeed").rglob("*") if path.suffix in {".py", ".pyi", ".tcss"}
    }
    assert [str(path) for path in wanted if not (installed / path).exists()] == []
    assert (installed / "zlfeed" / "py.typed").exists()
