"""The sample story of `lightfast demo`: a small shop builds its guest checkout. Written by hand.

Chapters tell events; each becomes a delivery whose fate the story states. `playing` sends them
through the running system and compares, `account` shows the memory they became.
"""
