"""Quality and speed, runnable by anyone: `python -m bench.NAME`."""
