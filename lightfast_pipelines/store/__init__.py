"""The database: tables, migrations, connections, locks, and queries that several rooms share."""
