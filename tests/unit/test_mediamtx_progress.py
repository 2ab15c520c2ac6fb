"""Which of MediaMTX's paths is stuck."""

from __future__ import annotations

from zlfeed.publisher.mediamtx.progress import FIRST_S, STUCK_S, Progress


def test_while_bytes_advance_all_is_well() -> None:
    progress = Progress()
    for second in range(60):
        assert progress.look(second, {"front": second, "back": second}, {"front": second, "back": 9 * second}) is None
    assert progress.well_at == 59


def test_one_stuck_path_of_two_is_told() -> None:
    progress = Progress()
    told = []
    for second in range(60):
        received = {"front": second, "back": min(second, 10)}
        told.append(progress.look(second, {"front": second, "back": second}, received))
    assert told.index("back") == 10 + STUCK_S + 1


def test_one_whose_camera_gives_nothing_is_let_be() -> None:
    progress = Progress()
    assert not any(progress.look(second, {"front": min(second, 5)}, {"front": 7}) for second in range(5, 60))


def test_one_that_had_nothing_yet_has_longer() -> None:
    """MediaMTX is told that there is no such stream yet, and asks again 5 s later."""
    progress = Progress()
    told = [progress.look(second, {"late": max(0, second - 20)}, {}) for second in range(60)]
    assert told.index("late") == 20 + FIRST_S + 1
