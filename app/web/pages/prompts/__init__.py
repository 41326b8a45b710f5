"""/dashboard/prompts: a prompt and its versions."""
