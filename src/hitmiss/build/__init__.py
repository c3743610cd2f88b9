"""What BuildKit is doing: the stream, the model it folds into, logs, recordings. No process, no screen."""
