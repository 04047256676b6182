"""FitSNAP decks and training sets in."""

from snap_al.fitsnap.deck import Deck, Group, read_deck
from snap_al.fitsnap.output import markdown, metrics_of, write_posterior_arrays
from snap_al.fitsnap.scrape import Scraped, scrape

__all__ = ["Deck", "Group", "Scraped", "markdown", "metrics_of", "read_deck", "scrape", "write_posterior_arrays"]
