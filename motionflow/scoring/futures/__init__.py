"""What several models say of the next moments, against what really followed.

    models, data directory, videos -> flow errors, films' errors -> JSON, tables, strips

flow      future flow of each model, and its distance from the labels
films     rolled-out frames, and their distance from the video's
totals    sums of each clip -> means, 95 % intervals, paired differences
sample_choice  which samples of a split, and where they lie in their videos
comparing      all of it over a split
tables, strips what comes out, to read and to look at
"""
