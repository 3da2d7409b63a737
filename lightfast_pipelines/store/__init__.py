"""Where things are kept: tables, queries, migrations and the embedded Postgres."""
