"""What a network is taught: clips, their splits, flow, samples and the codebook.

Nothing here imports TensorFlow, so that the processes that compute flow start fast.
"""
