"""A data directory under inspection: what it holds, which promises it keeps."""

MOST_SAMPLES = 100  # in a picture: matplotlib draws at most 65,536 pixels a side
