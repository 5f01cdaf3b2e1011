"""The test that needs no mark: served replies among unreleased siblings."""

from stillwatch.prove.siblings.escrow import Escrow, escrowed
from stillwatch.prove.siblings.rank import RankSum, Replies, rank_sum, served_ranks, siblings

__all__ = ["Escrow", "RankSum", "Replies", "escrowed", "rank_sum", "served_ranks", "siblings"]
