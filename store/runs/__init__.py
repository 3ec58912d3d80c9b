"""The record of runs: ledgers, re-judgements, payments, and the folder that holds them."""
