"""Pictures to videos: flow moves the pixels of a frame, again and again.

frame [B, H, W, 3] --predictor--> flow [B, g, g, 2] --warp--> frames --rollout--> video
"""
