"""A FitSNAP deck as config and inputs of a fit."""

from __future__ import annotations

import hashlib

from snap_al.descriptors import LabelledConfiguration, ReferencePotential
from snap_al.fitsnap import Deck, scrape
from snap_al.loop import RunConfig, RunInputs


def config_of(deck: Deck) -> RunConfig:
    return RunConfig(descriptor=deck.settings, reference=deck.reference, fit=deck.fit)


def inputs_of(deck: Deck) -> RunInputs:
    """Reads the deck's training set. Raises InputError naming file and group."""
    found = scrape(deck)
    parts = [
        tuple(LabelledConfiguration(s.configuration, s.weights, s.group) for s in found if s.testing is testing)
        for testing in (False, True)
    ]
    return RunInputs(
        reference=ReferencePotential.parse(list(deck.reference)), training=parts[0], test=parts[1], start=(), walkers=(),
        digests={"deck": hashlib.sha256(deck.path.read_bytes()).hexdigest()[:16]},
    )  # fmt: skip
