"""Other people's names for what is here, each a translation and no second implementation. Above `util` and `api`."""
