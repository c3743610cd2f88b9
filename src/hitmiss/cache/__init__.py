"""Why: what BuildKit's cache will do, did, and for what reason. Pure: values in, values out."""
