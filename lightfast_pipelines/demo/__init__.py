"""The sample story of `lightfast demo`: a small shop builds its guest checkout. Written by hand.

Chapters tell events; each becomes a delivery with an expected outcome. `playing` sends the deliveries
through the running system and compares the outcomes, and `account` shows the result.
"""
