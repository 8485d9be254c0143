"""The store in a PostgreSQL database; `penstock.store.open_store` finds it by its address."""
