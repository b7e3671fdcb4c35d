"""The engine: how stages run. It knows nothing of languages, quality or tokens."""
