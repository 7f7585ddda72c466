"""The hospitals: how many, what they are called, how often each departs from a rule."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from audit.synthesise.chance import Chance, Floats

PATIENTS_A_SITE = 2500
FEWEST, MOST = 6, 40
REGIONS = ("North", "Midlands", "South-West")
PEERS = ("university", "general", "private")
TOWNS = (
    "Alderford", "Brackwell", "Carrowmoor", "Dunmere", "Eastholt", "Fenwick", "Garstone", "Hollin",
    "Ivelbridge", "Jesmond Vale", "Kirkmoor", "Larchester", "Merrow", "Northcliffe", "Oakhaven",
    "Penhallow", "Quarrendon", "Ravenscar", "Stanmere", "Thornby",
)  # fmt: skip
KINDS = ("University Hospital", "General Hospital")
# How often a tumour a rule concerns departs from it, at a typical hospital.
USUAL = {"R01": 0.05, "R03": 0.06, "R05": 0.10, "R10": 0.14, "R14": 0.20, "R17": 0.11}
USUAL |= {"R04": 0.13, "R06": 0.02, "R08": 0.03, "R09": 0.03, "R11": 0.12, "R12": 0.06}
USUAL |= {"R13": 0.05, "R16": 0.25, "R19": 0.2}
USUAL |= {"R30": 0.03, "R31": 0.05, "R32": 0.12, "R33": 0.07, "R34": 0.03, "R35": 0.22}
# Added later, each from a stream of its own: the other draws stay what they were.
USUAL_LATER = {"R18": 0.15, "R20": 0.08, "R21": 0.05, "R22": 0.06}
USUAL_LATER |= {"R24": 0.04, "R25": 0.06, "R26": 0.03, "R27": 0.03}
HIGHEST = 0.6


@dataclass(frozen=True)
class Sites:
    """The hospitals of one registry; arrays run over hospitals."""

    table: pl.DataFrame
    volume: Floats
    departs: dict[str, Floats]
    untidy: Floats

    @property
    def count(self) -> int:
        """How many hospitals there are."""
        return self.table.height


def draw_sites(patients: int, seed: int) -> Sites:
    """Draw the hospitals of a registry of so many patients."""
    count = int(np.clip(patients // PATIENTS_A_SITE, FEWEST, MOST))
    chance = Chance(seed, -1 % 2**32, "sites", count)
    table = pl.DataFrame(
        {
            "site_id": [f"H{n:02d}" for n in range(1, count + 1)],
            "name": [
                f"{TOWNS[n % len(TOWNS)]} {KINDS[n // len(TOWNS) % len(KINDS)]}"
                for n in range(count)
            ],
            "region": [REGIONS[n % len(REGIONS)] for n in range(count)],
            "peer_group": [PEERS[n] for n in chance.pick((3, 5, 2))],
        }
    )
    volume = chance.rng.lognormal(0, 0.5, count)
    departs = {
        rule: np.minimum(usual * chance.rng.lognormal(0, 0.55, count), HIGHEST)
        for rule, usual in USUAL.items()
    }
    untidy = chance.spread(0.02, 0.18)
    for rule, usual in USUAL_LATER.items():
        own = Chance(seed, -1 % 2**32, f"sites-{rule}", count)
        departs[rule] = np.minimum(usual * own.rng.lognormal(0, 0.55, count), HIGHEST)
    return Sites(table, volume / volume.sum(), departs, untidy)
