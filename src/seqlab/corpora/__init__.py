"""Where corpora come from: the catalogue, pinned downloads, mirrors, a team's own files and the sample."""
