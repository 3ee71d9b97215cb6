"""How well is motion predicted where some of it is told?

    a batch and its truth -> what is told of it, kind by kind       kinds.py, arrows.py
      -> models and naive rivals, told the same -> sums of clips    measuring.py
      -> saved, pooled                                              told_sums.py
      -> scores, 95 % intervals, differences                        summary.py
      -> tables                                                     tables.py

Told cells are an answer, no question: they count in no score.
"""
