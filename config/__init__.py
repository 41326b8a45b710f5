"""Settings, logging and the HTTP server's configuration; read by the composition roots alone."""
