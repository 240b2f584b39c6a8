"""Statistical learners: words that fit themselves, one file a family."""
