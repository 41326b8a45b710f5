"""Why a client is refused: the page of a project's refused requests."""
