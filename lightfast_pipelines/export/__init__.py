"""The analysts' views as Parquet files, partitioned by day: what changed is written again, nothing else.

`run.py` is the whole of an export. Asking the views questions belongs to the database and to DuckDB.
"""
