"""Training: settings -> batches -> fitted network, checkpoints, history.

    settings -> trainer -> run directory

`trainer` goes through the epochs, the other modules are what it is made of.
"""
