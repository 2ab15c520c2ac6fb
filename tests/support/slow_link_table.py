"""What a viewer gets through links of less than the bitrate, as the table of docs/relay.md has it. Root, Linux:

    python -m tests.support.slow_link_table 400 600 800 1000 [--seconds 20] [--queue 30000] [--publish="--gop 60"]

Two network namespaces with a cable that `tc tbf` shapes; the publisher and the receiver's own reader. The viewer joins
while the cable is free; what is told begins two seconds after it was narrowed, and ends before it is free again.
`--join`: it is narrow before the viewer comes, and what is told begins with the first picture. `--adaptive N`: N rounds
of 26 s with and without the adaptive bitrate, told from the moment when the link was narrowed (docs/encoders.md).
"""

from __future__ import annotations

import argparse
import statistics
import time
from itertools import pairwise

from tests.support.commands import Running
from tests.support.netns import PUBLISHER, Hosts, two_hosts
from zlfeed.bench.figures import WARM_UP_S, Sample, behind
from zlfeed.metrics import percentile

URL = f"rtsp://{PUBLISHER}:8554/zerolatency"
PUBLISH = ("publish", "--json", "--no-auth", "--host", "0.0.0.0", "--server", "embedded", "--camera", "test")
SETTLE_S = 2.0


def watch(hosts: Hosts, kbit: int, queue: int, seconds: float, *, join: bool) -> str:
    """One viewer behind a link of that rate: a row of the table."""
    length = seconds if join else seconds + SETTLE_S
    program = ("-m", "zlfeed.bench.programs.receive_viewer")
    if join:
        hosts.limit(kbit, queue)
    with Running(URL, "tcp", f"{length:g}", "0", program=program, wrapper=hosts.viewer) as viewer:
        viewer.line("settled", 60)
        if not join:
            hosts.limit(kbit, queue)
        begin_us = 0 if join else round((time.monotonic() + SETTLE_S) * 1e6)
        seen = viewer.line("seen", length + 90)
    hosts.free()
    samples = [sample for sample in (Sample(*found) for found in seen["samples"]) if sample.at_us >= begin_us]
    looks = behind(samples, samples[-1].at_us)
    ages = [sample.age_us / 1000 for sample in samples]
    gaps = [(b.at_us - a.at_us) / 1000 for a, b in pairwise(samples)]
    assert looks is not None
    rate = len(gaps) * 1000 / sum(gaps)
    arrival = f"{percentile(ages, 50):.0f} | {max(ages):.0f}"
    return f"| {kbit} | {arrival} | {looks.p50_ms:.0f} | {looks.max_ms:.0f} | {rate:.1f} | {max(gaps):.0f} |"


def adapting(kbit: int, queue: int, rounds: int) -> None:
    """Prints the table of docs/encoders.md: the middle of the rounds, and the worst freeze of all."""
    parts = {"first 8 s": (0.0, 8.0), "the 18 s after": (8.0, 26.0)}
    found: dict[tuple[str, str], list[list[float]]] = {}
    for _ in range(rounds):
        for way, options in (("fixed bitrate", ("--no-adaptive",)), ("adaptive", ())):
            for part, figures in _adapting_round(kbit, queue, options, parts).items():
                found.setdefault((way, part), []).append(figures)
    print("| | frames a second | age p50 ms | max ms | longest freeze ms | in the worst round |")
    print("|---|---|---|---|---|---|")
    for (way, part), all_rounds in found.items():
        rates, ages, oldest, freezes = zip(*all_rounds, strict=True)
        fps, age, most, freeze = (statistics.median(of_all) for of_all in (rates, ages, oldest, freezes))
        print(f"| {way}, {part} | {fps:.1f} | {age:.0f} | {most:.0f} | {freeze:.0f} | {max(freezes):.0f} |")


def _adapting_round(
    kbit: int, queue: int, options: tuple[str, ...], parts: dict[str, tuple[float, float]]
) -> dict[str, list[float]]:
    with two_hosts() as hosts, Running(*PUBLISH, *options, wrapper=hosts.publisher) as publisher:
        publisher.line("ready")
        program = ("-m", "zlfeed.bench.programs.receive_viewer")
        with Running(URL, "tcp", "30", "0", program=program, wrapper=hosts.viewer) as viewer:
            viewer.line("settled", 60)
            hosts.limit(kbit, queue)
            narrow_us = time.monotonic() * 1e6
            seen = viewer.line("seen", 120)
    samples = [Sample(*figures) for figures in seen["samples"]]
    told = {}
    for part, (begin, end) in parts.items():
        here = [sample for sample in samples if begin <= (sample.at_us - narrow_us) / 1e6 < end]
        ages = [sample.age_us / 1000 for sample in here]
        gaps = [(b.at_us - a.at_us) / 1000 for a, b in pairwise(here)]
        told[part] = [len(here) / (end - begin), statistics.median(ages), max(ages), max(gaps)]
    return told


def main() -> None:
    """Measures and prints the table, a row at a time."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("kbit", type=int, nargs="+")
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--queue", type=int, default=30_000, metavar="BYTES")
    options.add_argument("--join", action="store_true")
    options.add_argument("--adaptive", type=int, default=0, metavar="ROUNDS")
    options.add_argument("--publish", default="", metavar="OPTIONS")
    asked = options.parse_args()
    if asked.adaptive:
        adapting(asked.kbit[0], asked.queue, asked.adaptive)
        return
    print("| kbit/s | age of a picture that comes, p50 | max | behind, p50 | max | fps | longest freeze |")
    print("|---|---|---|---|---|---|---|")
    with two_hosts() as hosts, Running(*PUBLISH, *asked.publish.split(), wrapper=hosts.publisher) as publisher:
        publisher.line("ready")
        for kbit in asked.kbit:
            print(watch(hosts, kbit, asked.queue, asked.seconds - WARM_UP_S * asked.join, join=asked.join), flush=True)


if __name__ == "__main__":
    main()
