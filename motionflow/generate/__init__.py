"""Pictures to videos: flow moves the pixels of a frame, again and again.

frame [B, H, W, 3] --predictor--> flow [B, g, g, 2] --warp--> frames --rollout--> video

The names of what can be chosen stand here, where reading them imports nothing.
"""

# How a prediction is played on, see `rollout`.
MODES = ("recursive", "composed", "sequence", "euler", "loop")
