"""The only room that starts docker or buildx, or talks to the engine."""
