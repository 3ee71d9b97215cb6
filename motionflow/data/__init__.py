"""Video clips in, batches out: names, frames, flow, codebook, records, pipeline.

Nothing here imports TensorFlow except `records` and `pipeline`, so that the processes
that compute flow start fast.
"""
