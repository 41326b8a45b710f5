"""The load of a client that gets it wrong, and what its figures say. Never its speed."""

from random import Random

from bench.wrong_client import (
    NEW_PROMPTS,
    NEW_VERSIONS,
    NONE,
    WrongClient,
    draw_wrong_events,
    wrong_client_figures,
)


def test_a_client_that_gets_it_wrong_sends_as_many_values_as_events():
    for mistake, versions, prompts in ((NONE, 1, 1), (NEW_VERSIONS, 50, 1), (NEW_PROMPTS, 1, 50)):
        events = list(draw_wrong_events(50, 1, Random(1), mistake))
        assert len({event.version_hash for event in events}) == versions
        assert len({event.prompt_id for event in events}) == prompts
        assert len({event.event_id for event in events}) == 50
    (of_versions, of_prompts) = wrong_client_figures(
        WrongClient({NONE: [100.0, 100.0], NEW_VERSIONS: [80.0, 70.0], NEW_PROMPTS: [40.0, 30.0]})
    )
    assert (of_versions.ratio, of_versions.is_met) == (0.75, True)
    assert (of_prompts.ratio, of_prompts.is_met) == (0.35, False)
