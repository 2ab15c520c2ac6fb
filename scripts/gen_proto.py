"""Generates zlfeed/wire/zlfeed_pb2.py(i) from proto/zlfeed.proto; --check only compares.

Run by `make proto` and `make check-proto`.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "zlfeed" / "wire"
NAMES = ("zlfeed_pb2.py", "zlfeed_pb2.pyi")


def generate(into: Path) -> None:
    """Runs the compiler; the source's path in the output must not depend on where the checkout lies."""
    includes = files("grpc_tools") / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"-I{ROOT / 'proto'}",
            f"-I{includes}",
            f"--python_out={into}",
            f"--pyi_out={into}",
            "zlfeed.proto",
        ]
    )
    if code:
        sys.exit(f"protoc failed with code {code}")


def main() -> None:
    """Generates, or with --check fails when the committed files differ."""
    if "--check" not in sys.argv:
        generate(OUT)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        stale = [n for n in NAMES if (Path(folder) / n).read_text() != (OUT / n).read_text()]
    if stale:
        sys.exit(f"{', '.join(stale)} differ from proto/zlfeed.proto: run `make proto` and commit the result")


if __name__ == "__main__":
    main()
