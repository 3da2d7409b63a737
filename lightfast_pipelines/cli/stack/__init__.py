"""The processes of `up` and `demo`: how they are started, watched, restarted and ended."""
