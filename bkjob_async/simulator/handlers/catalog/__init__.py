"""Plans, templates, accounts, scripts, crons, file sources and credentials: what reads them, and what changes them."""
