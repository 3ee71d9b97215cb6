"""What several models say of the next moments, against what really followed.

    models, data directory, videos -> flow errors, films' errors -> JSON, tables, strips

sample_choice     which samples of a split, and where they lie in their videos
flow, draws       future flow of a model, expected and drawn, against the labels
films             rolled-out frames against the video's
totals            sums of each clip -> means, 95 % intervals, paired differences
flow_rows, film_rows, comparing   all models over a split
tables, strips    what comes out, to read and to look at
"""
