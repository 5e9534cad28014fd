"""MLflow runs, stores, registered models and figures. Takes plain dicts and paths."""
