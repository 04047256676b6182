"""FitSNAP decks and training sets in, and what FitSNAP writes out."""

from snap_al.fitsnap.deck import Deck, Group
from snap_al.fitsnap.dumps import write_dumps
from snap_al.fitsnap.export import export
from snap_al.fitsnap.json_files import read_json, write_json
from snap_al.fitsnap.output import Metrics, markdown, metrics_of, write_metrics, write_posterior
from snap_al.fitsnap.outputs import check_outputs
from snap_al.fitsnap.reader import read_deck
from snap_al.fitsnap.scrape import Scraped, scrape

__all__ = [
    "Deck",
    "Group",
    "Metrics",
    "Scraped",
    "check_outputs",
    "export",
    "markdown",
    "metrics_of",
    "read_deck",
    "read_json",
    "scrape",
    "write_dumps",
    "write_json",
    "write_metrics",
    "write_posterior",
]
