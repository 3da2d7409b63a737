"""The sample story of `lightfast demo`: a small shop builds its guest checkout. Written by hand.

Only the story and what is expected of each delivery. Running it is the command's.
"""
