"""SQL as constant text, one file per subject. Call the functions inside `database_errors`."""
