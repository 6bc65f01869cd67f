"""The worst case of a step of SAM over a class of problems, by performance estimation."""

from numerics.worst_case.comparison import FAMILIES, Comparison, Family, compare, proved
from numerics.worst_case.one_step import WorstCase, worst_case
from numerics.worst_case.program import ProgramStatus, Solution
from numerics.worst_case.search import BestStep, SlopeThreshold, best_step_size, threshold_radius
from numerics.worst_case.setting import MeanClass, Measure, Points, ProblemClass, Samples
from numerics.worst_case.split import Split, find_split, smallest_split, three_piece_split
from numerics.worst_case.traps import Trap, normalized_trap, unnormalized_trap

__all__ = [
    "FAMILIES",
    "BestStep",
    "Comparison",
    "Family",
    "MeanClass",
    "Measure",
    "Points",
    "ProblemClass",
    "ProgramStatus",
    "Samples",
    "SlopeThreshold",
    "Solution",
    "Split",
    "Trap",
    "WorstCase",
    "best_step_size",
    "compare",
    "find_split",
    "normalized_trap",
    "proved",
    "smallest_split",
    "three_piece_split",
    "threshold_radius",
    "unnormalized_trap",
    "worst_case",
]
