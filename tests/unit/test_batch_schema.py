import gevent

from app.web.api.schemas import BATCH_SIZE, BatchSchema

EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}


def test_others_have_their_turn_while_a_batch_is_validated():
    turns: list[None] = []

    def take_turns() -> None:
        while True:
            turns.append(None)
            gevent.sleep(0.000_001)

    other = gevent.spawn(take_turns)
    try:
        assert len(BatchSchema().load({"events": [EVENT] * BATCH_SIZE})["events"]) == BATCH_SIZE
    finally:
        other.kill()
    assert len(turns) >= 10
