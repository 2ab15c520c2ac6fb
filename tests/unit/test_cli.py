from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from zlfeed import __version__
from zlfeed.cli import program

COMMANDS = ["publish", "receive", "monitor", "demo", "bench"]


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "dumb")


def zlfeed(*arguments: str) -> Result:
    return CliRunner().invoke(program(), arguments)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_helps(command: str, option: str) -> None:
    result = zlfeed(command, option)
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_help_tells_the_commands_and_the_exit_codes() -> None:
    text = zlfeed("--help").stdout
    assert all(command in text for command in COMMANDS)
    assert "130" in text


def test_the_version() -> None:
    result = zlfeed("--version")
    assert result.exit_code == 0
    first, *others = result.stdout.splitlines()
    assert first == f"zlfeed {__version__}"
    names = [line.split(" ")[0] for line in others]
    assert names[:4] == ["Python", "OpenCV", "FFmpeg", "MediaMTX"]
    assert all(len(line.split(" ")) > 1 for line in others)


def test_without_a_command_help_is_shown_and_it_is_a_usage_error() -> None:
    result = zlfeed()
    assert result.exit_code == 2
    assert "Usage:" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["publish", "--fps", "0"], ["--fps", "0"]),
        (["publish", "--size", "641x480"], ["--size", "642x480"]),
        (["publish", "--bitrate", "abc"], ["--bitrate", "'abc'"]),
        (["publish", "--gop", "often"], ["--gop", "'often'"]),
        (["publish", "--codec", "vp8"], ["--codec", "'vp8'"]),
        (["publish", "--server", "nginx"], ["--server", "'nginx'"]),
        (["publish", "--rtsp-port", "70000"], ["--rtsp-port", "70000"]),
        (["publish", "--stream-name", "a b"], ["--stream-name", "'a b'"]),
        (["publish", "--duration", "0"], ["--duration"]),
        (["publish", "--no-auth", "--camera", "http://x/"], ["--camera", "http"]),
        (["publish", "--no-auth", "--camera", "a=test", "--camera", "a=test"], ["'a'", "NAME=SRC"]),
        (["publish", "--camera", "test", "--token", "short"], ["--token", "8 to 256"]),
        (["publish", "--camera", "test", "--token-file", "nothing"], ["nothing", "No such file"]),
        (["receive", "--display", "--headless"], ["--display", "--headless"]),
        (["receive", "--display-mode", "window"], ["--display-mode", "'window'"]),
        (["receive", "--display-mode", "save"], ["--save"]),
        (["receive", "--backend", "vlc"], ["--backend", "'vlc'"]),
        (["receive", "--transport", "sctp"], ["--transport", "'sctp'"]),
        (["demo", "--headless", "--display"], ["--headless", "--display"]),
        (["publish", "--log-format", "xml"], ["--log-format", "'xml'"]),
    ],
)
def test_a_wrong_option_is_one_line_on_stderr_and_exit_code_2(arguments: list[str], words: list[str]) -> None:
    result = zlfeed(*arguments)
    said = [line for line in result.stderr.splitlines() if line.startswith("zlfeed: ")]
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(said) == 1, result.stderr
    assert all(word in said[0] for word in words), said[0]
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["publish"], ["receive"], ["monitor", "--once"], ["demo"], ["bench"], ["doctor"], ["mediamtx", "install"],
        ["config", "show"], ["config", "validate"],
    ],
)  # fmt: skip
def test_every_command_reads_the_file_that_config_names(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_CONFIG", "other.toml")  # the option goes before it, and it is put back afterwards
    Path("mine.toml").write_text("fps = 0\n")
    result = zlfeed(*command, "--config", "mine.toml")
    assert (result.exit_code, result.stderr) == (2, "zlfeed: mine.toml, line 1: fps: must be at least 0.1, not 0\n")
    result = zlfeed(*command, "--config", "none.toml")
    assert result.stderr == "zlfeed: there is no file none.toml, which --config or ZLFEED_CONFIG names\n"


@pytest.mark.parametrize("arguments", [["publish", "--fps", "abc"], ["publish", "--frames", "1"], ["brew"]])
def test_what_the_parser_refuses_is_exit_code_2_too(arguments: list[str]) -> None:
    result = zlfeed(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_token_on_the_command_line_is_warned_about_and_not_repeated() -> None:
    result = zlfeed("publish", "--token", "a-secret-token", "--bitrate", "800k", "--camera", "ftp://x")
    assert result.exit_code == 2
    assert "--token-file" in result.stderr
    assert "a-secret-token" not in result.stderr


def test_a_password_in_the_servers_url_is_warned_about_and_not_repeated() -> None:
    result = zlfeed("publish", "--server", "rtsp://cam:s3cret@far/live", "--camera", "ftp://x")
    assert result.exit_code == 2
    assert "ZLFEED_SERVER" in result.stderr
    assert "s3cret" not in result.output + result.stderr


def modules_after(statement: str) -> set[str]:
    """The modules that are loaded once the statement has run, in an interpreter of its own, and what they are in."""
    program = f"import sys\ntry:\n    {statement}\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    names = done.stderr.splitlines()[-1].split(" ")
    return {*names, *(name.partition(".")[0] for name in names)}


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        (
            "import sys; sys.argv = ['zlfeed', '--help']; import zlfeed.cli; zlfeed.cli.main()",
            ["cv2", "numpy", "textual", "zeroconf", "prometheus_client", "pydantic"],
        ),
        (
            "import sys; sys.argv = ['zlfeed', '--version']; import zlfeed.cli; zlfeed.cli.main()",
            ["cv2", "numpy", "textual", "zeroconf", "prometheus_client", "pydantic"],
        ),
        ("import zlfeed.publisher.app", ["textual"]),
        (
            "import zlfeed.monitor.app, zlfeed.monitor.run; zlfeed.config.load()",
            [
                "cv2",
                "numpy",
                "websockets",
                "google",
                "zlfeed.model",
                "zlfeed.monitor.views.cards",
                "logging.handlers",
                "structlog",
            ],
        ),
        (
            "import os, tempfile, zlfeed.config; os.chdir(tempfile.mkdtemp()); zlfeed.config.load()",
            ["tomllib", "dotenv", "pydantic_settings"],
        ),
        ("import zlfeed.monitor.lines, zlfeed.monitor.run", ["cv2", "numpy", "textual"]),
        ("import zlfeed.receiver.app", ["textual", "rich"]),
        ("import zlfeed.status_client", ["cv2", "numpy", "textual"]),
    ],
)
def test_a_command_loads_only_what_it_needs(statement: str, unwanted: list[str]) -> None:
    assert not modules_after(statement) & set(unwanted)


@pytest.mark.needs("bash")
def test_bash_completes_commands_and_options() -> None:
    """With the very script that --install-completion writes."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # --show-completion itself goes by the shell that it finds among its parents, which make and CI need not have.
    script = subprocess.run(
        ["zlfeed"], capture_output=True, text=True, timeout=60, check=True,
        env={**environment, "_ZLFEED_COMPLETE": "source_bash"},
    ).stdout  # fmt: skip

    def completed(*words: str) -> list[str]:
        line = " ".join(f'"{word}"' for word in words)
        asked = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _zlfeed_completion zlfeed"
        asked += '; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(
            ["bash", "-c", f"{script}\n{asked}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=environment,
        )
        return done.stdout.split()

    assert completed("zlfeed", "pub") == ["publish"]
    assert "--bitrate" in completed("zlfeed", "publish", "--bit")
    assert {"install", "uninstall", "status"} <= set(completed("zlfeed", "service", ""))


def test_interrupted_while_it_loads_it_says_nothing() -> None:
    """Ctrl-C before the command begins: no traceback of an import."""
    slow = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background has it ignored
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from zlfeed.__main__ import run; run()\n"
    )
    done = subprocess.run([sys.executable, "-c", slow], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
