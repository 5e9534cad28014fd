"""MLflow: stores, runs, models and pictures. The only importer of mlflow; it takes plain dicts and paths."""
