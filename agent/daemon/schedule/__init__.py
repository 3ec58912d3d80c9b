"""When a daemon starts what: triggers, the queue of what is due, and admission."""
