"""The processes of `up` and `demo`: started, watched, started again, ended."""
