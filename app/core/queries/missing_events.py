"""What was acknowledged, was not seen and is not buffered: what becomes a loss, or stays untraced."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.acknowledgements import Run, multirange

# Of some acknowledgements, what was neither seen nor is buffered; takes the parameters of missing_parameters.
MISSING = """
buffered AS (
    SELECT series, numbers::int8multirange AS numbers
    FROM unnest(%(series)s::text[], %(numbers)s::text[]) AS buffered (series, numbers)
),
missing AS (
    SELECT acknowledgements.id, acknowledgements.series, acknowledgements.project_id, acknowledgements.hour,
           acknowledgements.first_at,
           acknowledgements.numbers
               - coalesce(series.stored + series.repeated + series.set_aside + series.acknowledged, '{}')
               - coalesce(buffered.numbers, '{}') AS numbers
    FROM acknowledgements
    LEFT JOIN series USING (series)
    LEFT JOIN buffered USING (series)
    WHERE acknowledgements.id = ANY (%(ids)s)
)"""


def missing_parameters(ids: Sequence[int], buffered: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """`ids` are those of the acknowledgements, `buffered` what the buffer holds."""
    return {
        "ids": ids,
        "series": list(buffered),
        "numbers": [multirange(runs) for runs in buffered.values()],
    }
