"""What happened to the prompts of the demo: who used them, and which version took over when and why.

Moments are days before the end of the story, which is thirty days long; shorter histories are told faster.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

STORY_DAYS = 30.0

Rhythm = tuple[float, ...]
"""How busy each hour of a day in UTC is; only the proportions count."""

OFFICE: Rhythm = (1, 1, 1, 1, 1, 2, 5, 11, 18, 22, 23, 21, 17, 20, 23, 23, 21, 17, 11, 7, 4, 3, 2, 1)
CONSUMERS: Rhythm = (6, 4, 3, 2, 2, 3, 5, 8, 11, 12, 13, 14, 15, 14, 13, 13, 14, 16, 19, 22, 23, 20, 15, 10)
NIGHTLY: Rhythm = (2, 40, 60, 45, 8, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class Model(NamedTuple):
    """Speed and prices of a language model; the prices are for a million tokens."""

    first_token_ms: float
    output_token_ms: float
    input_usd: float
    output_usd: float


TINY = Model(160.0, 5.0, 0.10, 0.40)
SMALL = Model(320.0, 9.0, 0.40, 1.60)
LARGE = Model(520.0, 13.0, 2.00, 8.00)
THOROUGH = Model(1_400.0, 21.0, 5.00, 20.00)


@dataclass(frozen=True)
class Version:
    """How one version behaves. `score` is the mean of a score from 0 to 1; None: nobody scores this prompt.

    From `began` to `done` its share of what newer versions leave rises to `share`, until it is `taken_back`.
    """

    name: str
    model: Model
    input_tokens: float
    output_tokens: float
    score: float | None
    began: float = STORY_DAYS + 2
    done: float = STORY_DAYS + 1
    share: float = 1.0
    taken_back: float = 0.0
    slower: float = 1.0

    def share_at(self, days_before_end: float) -> float:
        """From 0 to 1."""
        if self.taken_back and days_before_end <= self.taken_back:
            return 0.0
        return self.share * min(1.0, max(0.0, (self.began - days_before_end) / (self.began - self.done)))


@dataclass(frozen=True)
class Prompt:
    """`traffic` is its part of all events; the two last are the shares of its events that have a score and a cost."""

    name: str
    traffic: float
    rhythm: Rhythm
    weekend: float
    versions: tuple[Version, ...]
    scored: float = 0.6
    priced: float = 0.99

    @property
    def prompt_id(self) -> UUID:
        return uuid5(NAMESPACE_URL, f"prompt-analytics:demo:{self.name}")

    def version_hash(self, version: Version) -> str:
        """Looks like the hash of a prompt's text, and is always the same."""
        return sha256(f"{self.name}/{version.name}".encode()).hexdigest()[:16]


SUPPORT_REPLY = (
    Version("v1 first draft", SMALL, 2_400, 190, 0.78),
    # The shorter context costs a third less; the model thinks a little longer.
    Version("v2 shorter context", SMALL, 1_250, 190, 0.79, began=19, done=15, slower=1.09),
    Version("v3 with house style", SMALL, 1_420, 165, 0.86, began=5, done=2.5, slower=1.09),
)
TICKET_TRIAGE = (
    Version("v4 large model", LARGE, 700, 22, 0.91),
    Version("v5 tiny model", TINY, 720, 20, 0.89, began=12, done=7),
)
SEARCH_QUERY_REWRITE = (
    Version("v2", TINY, 340, 28, 0.71),
    Version("v3 keeps brand names", TINY, 410, 29, 0.77, began=23, done=20),
    Version("v4 typo examples", TINY, 520, 28, 0.80, began=3, done=1, share=0.5, slower=1.03),
)
ORDER_STATUS_ANSWER = (
    Version("v7", SMALL, 900, 120, 0.87),
    # The regression: long answers that help less. Back to v7 after two days.
    Version("v8 friendlier tone", SMALL, 1_150, 260, 0.64, began=11, done=10.4, share=0.9, taken_back=8.9),
    Version("v9 friendly but brief", SMALL, 960, 115, 0.88, began=6, done=3),
)
INVOICE_EXTRACTION = (
    Version("v11", LARGE, 3_800, 420, 0.93),
    Version("v12 strict JSON", LARGE, 3_500, 300, 0.95, began=17, done=13),
)
CATALOGUE_TAGS = (
    Version("v1", TINY, 620, 60, None),
    Version("v2 fewer tags", TINY, 580, 35, None, began=8, done=6),
)
MEETING_SUMMARY = (
    Version("v3", SMALL, 9_500, 620, 0.82, slower=1.5),
    Version("v4 action items first", SMALL, 9_700, 540, 0.85, began=14, done=10, slower=1.5),
)

PROMPTS = (
    Prompt("Support reply", 0.25, OFFICE, 0.35, SUPPORT_REPLY),
    Prompt("Ticket triage", 0.21, OFFICE, 0.5, TICKET_TRIAGE, scored=0.85),
    Prompt("Search query rewrite", 0.19, CONSUMERS, 1.15, SEARCH_QUERY_REWRITE, scored=0.3),
    Prompt("Order status answer", 0.12, CONSUMERS, 0.9, ORDER_STATUS_ANSWER),
    Prompt("Invoice extraction", 0.08, OFFICE, 0.12, INVOICE_EXTRACTION, scored=0.9),
    Prompt("Catalogue tags", 0.06, NIGHTLY, 1.0, CATALOGUE_TAGS, scored=0.0, priced=0.7),
    Prompt("Meeting summary", 0.04, OFFICE, 0.05, MEETING_SUMMARY, scored=0.4),
    Prompt("Contract clause check", 0.025, OFFICE, 0.05, (Version("v6", THOROUGH, 6_200, 350, 0.9),), scored=0.95),
    Prompt("Product description", 0.015, OFFICE, 0.2, (Version("v2", SMALL, 480, 240, 0.74),), scored=0.2),
    Prompt("Release notes draft", 0.01, OFFICE, 0.02, (Version("v1", LARGE, 5_200, 480, None),), scored=0.0),
)
