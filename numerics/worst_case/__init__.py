"""The worst case of a step of SAM over a class of problems, by performance estimation."""

from numerics.worst_case.comparison import FAMILIES, Comparison, Family, compare, proved
from numerics.worst_case.one_step import WorstCase, worst_case
from numerics.worst_case.program import Solution, Status
from numerics.worst_case.search import BestStep, Threshold, best_step_size, threshold_radius
from numerics.worst_case.setting import Mean, Measure, Points, Samples, Setting
from numerics.worst_case.split import Split, find_split, smallest_split, three_piece_split

__all__ = [
    "FAMILIES",
    "BestStep",
    "Comparison",
    "Family",
    "Mean",
    "Measure",
    "Points",
    "Samples",
    "Setting",
    "Solution",
    "Split",
    "Status",
    "Threshold",
    "WorstCase",
    "best_step_size",
    "compare",
    "find_split",
    "proved",
    "smallest_split",
    "three_piece_split",
    "threshold_radius",
    "worst_case",
]
