"""Preference alignment at a ladder of sizes: how few pairs are enough.

Trains with TRL's DPO and PEFT's LoRA, which come with the extra ``align``.
"""
