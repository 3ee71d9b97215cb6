"""How good is a predictor? Cells -> sums of each clip -> scores with intervals.

    truth, prediction of a batch -> scores of each cell               cells.py
      -> sums of each sample, of each clip                            sums.py
      -> scores of any set of clips                                   scores.py
      -> 95 % intervals and differences, by drawing clips again       bootstrap.py
      -> what metrics.json and comparison.json hold, and tables       summary.py, ...

Every score is a function of sums that add up over clips. So the whole split, one
action, a bootstrap draw, several evaluations together, known motion and the steps and
films of a comparison all go through the same code.

The names of what can be chosen stand here, where reading them imports nothing.
"""

SPLITS = ("validation", "test")  # that a model may be judged on
BASELINES = ("all", "constant")
UNITS = ("clip", "source")  # of the bootstrap
