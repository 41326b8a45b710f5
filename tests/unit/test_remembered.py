from app.core.analytics.remembered import Remembered


def test_a_result_is_made_once_for_a_key():
    remembered: Remembered[object] = Remembered(2)
    first = remembered.get("a", object)
    assert remembered.get("a", object) is first
    assert remembered.get("b", object) is not first


def test_the_key_that_was_asked_for_longest_ago_is_forgotten():
    remembered: Remembered[object] = Remembered(2)
    first, second = remembered.get("a", object), remembered.get("b", object)
    assert remembered.get("a", object) is first
    remembered.get("c", object)
    assert remembered.get("a", object) is first
    assert remembered.get("b", object) is not second
