"""DuckDB: schema, migrations, writing and queries."""
