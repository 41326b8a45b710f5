"""Which entries leave a log of refusals that is full, so that who is loud makes room for who is rarely heard."""

import heapq
from collections import defaultdict, deque
from collections.abc import Hashable, Sequence

from app.core.operations.refusal_entries import decode


def surplus_of(entries: Sequence[bytes], most: int) -> list[bytes]:
    """What is beyond `most` of these, which are in order of age, the oldest first.

    Always the oldest entry of the kind (one key, one code) that has the most: so each of n kinds keeps its newest
    most / n, whatever the others do.
    """
    places: dict[Hashable, deque[int]] = defaultdict(deque)
    for place, entry in enumerate(entries):
        places[_kind_of(entry)].append(place)
    kinds = [(-len(found), found[0], kind) for kind, found in places.items()]
    heapq.heapify(kinds)
    surplus = []
    for _ in range(len(entries) - most):
        # no two kinds have the same oldest entry, so that kinds themselves are never compared
        _, oldest, kind = heapq.heappop(kinds)
        surplus.append(entries[oldest])
        found = places[kind]
        found.popleft()
        if found:
            heapq.heappush(kinds, (-len(found), found[0], kind))
    return surplus


def _kind_of(entry: bytes) -> Hashable:
    known = decode(entry)
    return None if known is None else (known.key_id, known.code)
