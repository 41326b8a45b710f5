"""/dashboard/system: whether events flow."""
