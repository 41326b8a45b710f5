from app.web.pages.dashboard.download_slots import DownloadSlots


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_no_more_turns_are_given_than_there_are():
    turns = DownloadSlots(2, stalled_after_seconds=10)
    first, second = turns.take(), turns.take()
    assert first is not None
    assert second is not None
    assert turns.take() is None
    turns.end(first)
    turns.end(first)
    assert turns.take() is not None
    assert turns.take() is None


def test_who_stops_reading_keeps_nobody_out():
    clock = Clock()
    turns = DownloadSlots(1, stalled_after_seconds=10, clock=clock)
    stalled = turns.take()
    clock.seconds = 10
    assert turns.take() is None
    clock.seconds = 11
    reading = turns.take()
    assert reading is not None
    clock.seconds = 20
    turns.progress(reading)
    clock.seconds = 30
    assert turns.take() is None
    turns.end(stalled)
    assert turns.take() is None
